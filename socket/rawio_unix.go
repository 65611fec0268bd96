//go:build unix

package socket

import (
	"io"
	"net"
	"syscall"
)

// pollable returns the raw connection of a TCP or Unix stream socket, nil for
// any other: a wrapper around such a connection may transform the bytes. A
// ReadNotifier does not, so it is unwrapped.
func pollable(conn net.Conn) syscall.RawConn {
	if r, ok := conn.(ReadNotifier); ok {
		conn = r.NetConn()
	}
	var raw syscall.RawConn
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, _ = c.SyscallConn() // it fails only where there is no socket
	case *net.UnixConn:
		raw, _ = c.SyscallConn()
	}
	return raw
}

// tryWrite is called by the runtime with the descriptor; it always returns
// true, so the runtime does not wait until the descriptor is writable.
func (a *attempt) tryWrite(fd uintptr) bool {
	for len(a.left) > 0 {
		n, err := syscall.Write(int(fd), a.left)
		switch {
		case n > 0:
			a.left = a.left[n:]
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true
		default:
			a.err = err
			return true
		}
	}
	return true
}

// readNow reads what is there without waiting. It returns errAgain if nothing is.
func readNow(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		switch {
		case n > 0:
			return n, nil
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, errAgain
		case err != nil:
			return 0, err
		default:
			return 0, io.EOF
		}
	}
}
