package quic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	quicgo "github.com/quic-go/quic-go"
)

// A Conn is one stream of a connection. Its methods may be called concurrently.
type Conn struct {
	conn   *connection
	sawEnd atomic.Bool // the other side has closed, and all of it was read

	users   sync.WaitGroup // calls that use the stream; none begins once closed is set
	writing sync.Mutex     // the stream takes one Write at a time

	mu              sync.Mutex // guards the following
	stream          *quicgo.Stream
	closed          bool
	readBy, writeBy time.Time     // deadlines
	changed         chan struct{} // closed when any of the above changes while there is no stream; nil once there is one
}

var _ net.Conn = (*Conn)(nil)

// newConn returns a Conn that releases conn when it has ended. stream may be nil;
// then begin sets it.
func newConn(conn *connection, stream *quicgo.Stream) *Conn {
	c := &Conn{conn: conn, stream: stream}
	if stream == nil {
		c.changed = make(chan struct{})
	}
	return c
}

// begin gives c its stream, unless c is closed by now.
func (c *Conn) begin(stream *quicgo.Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return // and the connection has ended
	}
	c.stream = stream
	_ = stream.SetReadDeadline(c.readBy) // never fails
	_ = stream.SetWriteDeadline(c.writeBy)
	close(c.changed)
	c.changed = nil
}

// changeLocked wakes those who wait for the stream.
func (c *Conn) changeLocked() {
	if c.changed != nil {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// await returns the stream and counts the caller among the users, unless there is
// an error. by is the deadline to check.
func (c *Conn) await(by *time.Time) (*quicgo.Stream, error) {
	for {
		c.mu.Lock()
		stream, closed, changed, deadline := c.stream, c.closed, c.changed, *by
		if stream != nil && !closed {
			c.users.Add(1)
		}
		c.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		if stream != nil {
			return stream, nil
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			late = time.After(time.Until(deadline))
		}
		select {
		case <-changed:
		case <-c.conn.quic.Context().Done():
			return nil, context.Cause(c.conn.quic.Context())
		case <-late:
			return nil, os.ErrDeadlineExceeded
		}
	}
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	stream, err := c.await(&c.readBy)
	if err != nil {
		return 0, c.explain("read", err)
	}
	defer c.users.Done()
	n, err := stream.Read(p)
	if n > 0 && err == io.EOF {
		err = nil // the next Read returns it again
	}
	if err != nil {
		return n, c.explain("read", err)
	}
	return n, nil
}

// Write implements [net.Conn]. It returns once no more than about a packet of p remains
// to be sent.
func (c *Conn) Write(p []byte) (int, error) {
	stream, err := c.await(&c.writeBy)
	if err != nil {
		return 0, c.explain("write", err)
	}
	defer c.users.Done()
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := stream.Write(p)
	if err != nil {
		return n, c.explain("write", err)
	}
	return n, nil
}

// explain translates an error of quic-go for the caller. Those errors are all
// net.ErrClosed, and some are timeouts, so callers would take them for their own
// Close or deadline.
func (c *Conn) explain(op string, err error) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	var app *quicgo.ApplicationError
	var idle *quicgo.IdleTimeoutError
	switch {
	case closed:
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case err == io.EOF, errors.As(err, &app) && app.Remote && app.ErrorCode == 0:
		c.sawEnd.Store(true)
		if op == "write" {
			return fmt.Errorf("quic: write: the other side closed: %w", syscall.EPIPE)
		}
		return io.EOF
	case errors.As(err, &idle):
		return fmt.Errorf("quic: %s: nothing heard from the other side: %w", op, syscall.ETIMEDOUT)
	case op == "write":
		return fmt.Errorf("quic: write: %v: %w", err, syscall.EPIPE)
	}
	return fmt.Errorf("quic: read: %v: %w", err, syscall.ECONNRESET)
}

// Close implements [net.Conn]. What was written is still delivered, in the
// background.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	stream := c.stream
	c.changeLocked()
	c.mu.Unlock()
	if stream == nil {
		go func() {
			c.conn.end() // there will be no other stream either
			c.conn.release()
		}()
		return nil
	}
	_ = stream.SetDeadline(time.Unix(1, 0)) // never fails; ends Read and Write
	go c.finish(stream)
	return nil
}

// finish closes this side's direction, waits until the other side has read everything, which
// it shows by closing its direction too, and releases the connection. If the end of the
// other side has been read already, there is no need to wait: the other side no longer
// reads.
func (c *Conn) finish(stream *quicgo.Stream) {
	defer c.conn.release()
	c.users.Wait()     // from now on this goroutine is the only user
	_ = stream.Close() // fails only if it was cancelled, which is an end as well
	if c.sawEnd.Load() {
		stream.CancelRead(0) // the end was read: nothing is sent
		return
	}
	_ = stream.SetReadDeadline(time.Now().Add(drainTime)) // never fails
	_, err := io.Copy(io.Discard, stream)
	stream.CancelRead(0) // ends a write of the other side that goes on
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	linger := time.NewTimer(lingerTime)
	defer linger.Stop()
	select {
	case <-c.conn.quic.Context().Done():
	case <-linger.C:
	}
}

// LocalAddr implements [net.Conn].
func (c *Conn) LocalAddr() net.Addr { return c.conn.quic.LocalAddr() }

// RemoteAddr implements [net.Conn].
func (c *Conn) RemoteAddr() net.Addr { return c.conn.quic.RemoteAddr() }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *Conn) setDeadline(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if read {
		c.readBy = t
	}
	if write {
		c.writeBy = t
	}
	if c.stream == nil {
		c.changeLocked()
		return nil
	}
	if read {
		_ = c.stream.SetReadDeadline(t) // never fails
	}
	if write {
		_ = c.stream.SetWriteDeadline(t)
	}
	return nil
}
