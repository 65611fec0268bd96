//go:build unix

package socket

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// socketPair returns both ends of a Unix connection that needs no listener, for
// tests that make thousands. They are closed when the test ends.
func socketPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close() // FileConn has a copy
		t.Cleanup(func() { _ = ends[i].Close() })
	}
	return ends[0], ends[1]
}
