//go:build unix

package dashboard

import (
	"os"
	"syscall"
)

// openFiles returns how many files and connections the process has open, and may
// have.
func openFiles() (now, most int64) {
	now = uncounted
	// Linux, since 6.2, has the number as the size of the folder; reading it would
	// take long with very many.
	if fi, err := os.Stat("/proc/self/fd"); err == nil && fi.Size() > 0 {
		now = fi.Size()
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		most = max(int64(limit.Cur), 0) // no limit is more than an int64 holds, or below 0
	}
	return now, most
}
