package rig

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
)

// Usage is what a process has used since it was marked.
type Usage struct {
	CPU        float64 `json:"cpu_us"`     // user and system time in microseconds
	Mallocs    uint64  `json:"mallocs"`    // objects allocated
	AllocBytes uint64  `json:"alloc"`      // bytes allocated
	GCs        uint32  `json:"gcs"`        // collections ended
	Reads      uint64  `json:"reads"`      // read syscalls, readv among them, recvmsg not
	Writes     uint64  `json:"writes"`     // write syscalls, writev among them, sendmsg not
	PeakRSS    uint64  `json:"peak_bytes"` // largest resident set since the process began, in bytes
}

// ReadUsage returns what the process has used so far. It stops the world for
// some microseconds.
func ReadUsage() (u Usage, err error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return u, fmt.Errorf("rig: getrusage: %w", err)
	}
	u.CPU = float64(r.Utime.Sec+r.Stime.Sec)*1e6 + float64(r.Utime.Usec+r.Stime.Usec)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Mallocs, u.AllocBytes, u.GCs = m.Mallocs, m.TotalAlloc, m.NumGC
	u.Reads, err = procNumber("/proc/self/io", "syscr:")
	if err != nil {
		return u, err
	}
	u.Writes, err = procNumber("/proc/self/io", "syscw:")
	if err != nil {
		return u, err
	}
	kib, err := procNumber("/proc/self/status", "VmHWM:")
	u.PeakRSS = kib << 10
	return u, err
}

// Since returns u minus mark, except for the peak, which is unchanged.
func (u Usage) Since(mark Usage) Usage {
	u.CPU -= mark.CPU
	u.Mallocs -= mark.Mallocs
	u.AllocBytes -= mark.AllocBytes
	u.GCs -= mark.GCs
	u.Reads -= mark.Reads
	u.Writes -= mark.Writes
	return u
}

// IdleRSS returns the resident bytes of the process after it has returned all
// possible memory to the system.
func IdleRSS() (uint64, error) {
	runtime.GC() // twice, because what a sync.Pool holds survives one
	debug.FreeOSMemory()
	kib, err := procNumber("/proc/self/status", "VmRSS:")
	return kib << 10, err
}

// procNumber returns the number behind key in a file of lines "key number …".
func procNumber(file, key string) (uint64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("rig: the benchmark needs Linux: %w", err)
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == key {
			return strconv.ParseUint(string(f[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("rig: no %s in %s", key, file)
}

// raiseFileLimit raises the limit of open files to the maximum that the system
// allows: each session needs one at each end.
func raiseFileLimit() {
	// A workload that needs more fails with "too many open files".
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		l.Cur = l.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}
