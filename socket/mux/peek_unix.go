//go:build unix

package mux

import (
	"io"
	"net"
	"syscall"

	"github.com/goerpc/erpc/socket"
)

// newPeeker returns a peeker that leaves the bytes in the kernel where the system
// can do that. Then the session gets the connection itself; with a wrapper around
// it, it would lose its fast path.
func newPeeker(conn net.Conn) peeker {
	system := conn
	if r, ok := conn.(socket.ReadNotifier); ok {
		system = r.NetConn()
	}
	switch c := system.(type) {
	case *net.TCPConn:
		if raw, err := c.SyscallConn(); err == nil {
			return &looker{Conn: conn, raw: raw}
		}
	case *net.UnixConn:
		if c.LocalAddr().Network() != "unix" {
			break // only the first packet could be looked at
		}
		if raw, err := c.SyscallConn(); err == nil {
			return &looker{Conn: conn, raw: raw}
		}
	}
	return &taker{Conn: conn}
}

// A looker is a peeker that leaves the bytes in the kernel (MSG_PEEK).
type looker struct {
	net.Conn
	raw syscall.RawConn
	n   int
}

func (l *looker) peek(buf []byte) (n int, err error) {
	if l.n == len(buf) {
		return l.n, io.ErrShortBuffer
	}
	// The runtime calls again when more has arrived: it is edge-triggered, so
	// bytes that stay do not make it spin. The kernel does not report an end
	// behind unread bytes; then the deadline ends the wait.
	waitErr := l.raw.Read(func(fd uintptr) bool {
		for {
			n, _, err = syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK)
			if err != syscall.EINTR {
				break
			}
		}
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			return true
		case n == 0:
			err = io.EOF
			return true
		}
		return n > l.n
	})
	if waitErr != nil {
		return l.n, waitErr
	}
	if n > 0 {
		l.n = n
	}
	return l.n, err
}

func (l *looker) conn(_ []byte, skip int) (net.Conn, error) {
	if skip > 0 {
		if _, err := io.ReadFull(l.Conn, make([]byte, skip)); err != nil {
			return nil, err // the kernel had the bytes, so the connection has ended since
		}
	}
	return l.Conn, nil
}
