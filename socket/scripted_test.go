package socket

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// A scripted connection leaves its writes to a function and notes what else it is
// asked for.
type scripted struct {
	net.Conn
	write func(p []byte) (int, error)

	mu     sync.Mutex // guards the following
	by     time.Time  // the write deadline
	closed bool
}

func (c *scripted) Write(p []byte) (int, error) { return c.write(p) }

func (c *scripted) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = t
	return nil
}

func (c *scripted) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *scripted) deadline() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by
}

func (c *scripted) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// takesAll is the write of a connection that takes everything.
func takesAll(p []byte) (int, error) { return len(p), nil }

// fullKernel makes a scripted connection one of the system, for whose writes the
// kernel has no room: all of them are left to a goroutine that may block.
type fullKernel struct{ syscall.RawConn }

func (fullKernel) Write(func(fd uintptr) bool) error { return nil }

// newWriter returns a writer on conn, one of the system if raw is not nil.
func newWriter(conn net.Conn, raw syscall.RawConn, cfg Config) *writer {
	w := new(writer)
	w.init(conn, raw, cfg.Complete())
	w.cfg.blocking.Max = 0 // no goroutine stays, which a bubble would wait for
	return w
}

// stateOf returns who writes.
func stateOf(w *writer) writerState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}
