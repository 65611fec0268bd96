package main

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

// figures are those of a program.
type figures struct {
	program
	size     int64         // of the file, in bytes
	resident int64         // bytes
	start    time.Duration // from its start until it accepts a connection
}

const (
	patience = 20 * time.Second       // for a server to listen
	settle   = 500 * time.Millisecond // what runs at its start is over then
)

// measure starts a program some times and returns the medians.
func measure(binary string, args []string, rounds int) (f figures, err error) {
	info, err := os.Stat(binary)
	if err != nil {
		return f, err
	}
	var resident []int64
	var starts []time.Duration
	for range rounds {
		took, bytes, err := startOnce(binary, args)
		if err != nil {
			return f, err
		}
		starts, resident = append(starts, took), append(resident, bytes)
	}
	return figures{size: info.Size(), resident: median(resident), start: median(starts)}, nil
}

func median[T cmp.Ordered](v []T) T {
	slices.Sort(v)
	return v[len(v)/2]
}

// startOnce starts a server and stops it.
func startOnce(binary string, args []string) (took time.Duration, resident int64, err error) {
	addr, err := freeAddr()
	if err != nil {
		return 0, 0, err
	}
	var said bytes.Buffer
	cmd := exec.Command(binary, append(slices.Clone(args), "-addr", addr)...)
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	took, err = awaitListener(addr, began)
	if err == nil {
		time.Sleep(settle)
		resident, err = residentOf(cmd.Process.Pid)
	}
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()         // and is not asked how
	if err != nil {
		err = fmt.Errorf("%w; it said: %q", err, said.String())
	}
	return took, resident, err
}

// awaitListener returns how long after began addr accepts a connection.
func awaitListener(addr string, began time.Time) (time.Duration, error) {
	for time.Since(began) < patience {
		if c, err := net.Dial("tcp", addr); err == nil {
			return time.Since(began), c.Close()
		}
		time.Sleep(200 * time.Microsecond)
	}
	return 0, fmt.Errorf("nobody listens on %s after %v", addr, patience)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// residentOf returns the resident bytes of a process.
func residentOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == "VmRSS:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}
