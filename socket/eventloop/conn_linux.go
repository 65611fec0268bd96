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
	wake     func()      // called when there is something to read; nil: no call is due
	deadline int64       // of reading, in nanoseconds since start; 0: none
	timer    *time.Timer // that of the deadline, while wake is due; or nil
}

var _ socket.ReadNotifier = (*conn)(nil)

// start is the time from which deadlines are counted, on the monotonic clock. So a
// deadline takes 8 bytes of an idle connection rather than the 24 of a time.Time,
// and a step of the wall clock neither wakes it early nor leaves it asleep.
var start = time.Now()

// wrap is the Wrap function of [socket.Stream].
func (t *Transport) wrap(c net.Conn) (net.Conn, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("eventloop: a connection of type %T can't be watched", c)
	}
	return &conn{TCPConn: tcp, transport: t}, nil
}

// NetConn implements [socket.ReadNotifier].
func (c *conn) NetConn() net.Conn { return c.TCPConn }

// OnReadable implements [socket.ReadNotifier].
func (c *conn) OnReadable(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !c.watchLocked() {
		return false
	}
	c.wake = f
	c.setTimerLocked()
	return true
}

// watchLocked makes the loop call fire once.
func (c *conn) watchLocked() bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	first := c.loop == nil
	if first {
		c.loop, err = c.transport.join()
		if err != nil {
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

// fire runs the callback that is due, if there is one. The loop may call it
// without need: the event may be about an earlier connection with the same
// descriptor.
func (c *conn) fire() {
	c.mu.Lock()
	f := c.takeLocked()
	c.mu.Unlock()
	if f != nil {
		f()
	}
}

// takeLocked returns the callback that is due and clears it.
func (c *conn) takeLocked() func() {
	f := c.wake
	c.wake = nil
	c.setTimerLocked()
	return f
}

// setTimerLocked runs the timer if and only if a callback is due.
func (c *conn) setTimerLocked() {
	if c.timer != nil {
		c.timer.Stop() // if it has fired already, fire does no harm
		c.timer = nil
	}
	if c.wake != nil && c.deadline != 0 {
		c.timer = time.AfterFunc(time.Duration(c.deadline)-time.Since(start), c.fire)
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
	c.deadline = sinceStart(t)
	c.setTimerLocked()
}

// sinceStart returns a deadline as a connection keeps it: 0 for none, below 0 for
// one that passed before start.
func sinceStart(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	d := t.Sub(start) // on the monotonic clock, if t has a reading of it
	if d <= 0 {
		return -1
	}
	return int64(d)
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	var f func()
	if !c.closed {
		c.closed = true
		f = c.takeLocked()
		if c.loop != nil {
			c.loop.forget(c.fd) // before the descriptor is closed
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
