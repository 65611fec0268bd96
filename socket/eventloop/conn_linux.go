package eventloop

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/goerpc/erpc/socket"
)

// A conn is a TCP connection that the loop can watch.
type conn struct {
	*net.TCPConn
	transport *Transport

	mu       sync.Mutex // guards the following; taken before those of the loop and the transport
	loop     *loop      // nil until the loop has watched it for the first time
	fd       int32      // valid while there is a loop and the connection is not closed
	closed   bool
	wake     func()      // due when there is something to read; nil: nobody asked
	deadline int64       // of reading, in nanoseconds of Unix time; 0: none
	timer    *time.Timer // that of the deadline, while wake is due; or nil
}

var _ socket.Readier = (*conn)(nil)

// wrap is for [socket.Stream].
func (t *Transport) wrap(c net.Conn) (net.Conn, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("eventloop: a connection of type %T can't be watched", c)
	}
	return &conn{TCPConn: tcp, transport: t}, nil
}

// NetConn implements [socket.Readier].
func (c *conn) NetConn() net.Conn { return c.TCPConn }

// OnReadable implements [socket.Readier].
func (c *conn) OnReadable(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !c.watch() {
		return false
	}
	c.wake = f
	c.setTimer()
	return true
}

// watch has the loop call fire once. The mutex is held.
func (c *conn) watch() bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	first := c.loop == nil
	if first {
		if c.loop, err = c.transport.join(); err != nil {
			return false
		}
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		c.fd = int32(fd)
		failed = c.loop.watch(c, first)
	})
	if errors.Join(err, failed) == nil {
		return true
	}
	if first {
		c.transport.leave(c.loop)
		c.loop = nil
	}
	return false
}

// fire calls what is due, if anything is. It may be called for no reason, as by
// a loop whose event was about a connection that had the same descriptor.
func (c *conn) fire() {
	c.mu.Lock()
	f := c.take()
	c.mu.Unlock()
	if f != nil {
		f()
	}
}

// take returns what is due and makes it due no more. The mutex is held.
func (c *conn) take() func() {
	f := c.wake
	c.wake = nil
	c.setTimer()
	return f
}

// setTimer has the timer run if and only if somebody waits for the deadline. The
// mutex is held.
func (c *conn) setTimer() {
	if c.timer != nil {
		c.timer.Stop() // if it is too late, fire does no harm
		c.timer = nil
	}
	if c.wake != nil && c.deadline != 0 {
		c.timer = time.AfterFunc(time.Until(time.Unix(0, c.deadline)), c.fire)
	}
}

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(t time.Time) error {
	if err := c.TCPConn.SetReadDeadline(t); err != nil {
		return err
	}
	c.noteDeadline(t)
	return nil
}

// SetDeadline implements [net.Conn].
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.TCPConn.SetDeadline(t); err != nil {
		return err
	}
	c.noteDeadline(t)
	return nil
}

func (c *conn) noteDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = 0
	if !t.IsZero() {
		c.deadline = t.UnixNano()
	}
	c.setTimer()
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	var f func()
	if !c.closed {
		c.closed = true
		f = c.take()
		if c.loop != nil {
			c.loop.forget(c) // as long as the descriptor is ours
			c.transport.leave(c.loop)
		}
	}
	c.mu.Unlock()
	err := c.TCPConn.Close()
	if f != nil {
		f()
	}
	return err
}
