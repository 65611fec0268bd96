package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// errNoDeadline ends a connection without deadlines whose deadline has passed.
var errNoDeadline = fmt.Errorf("socket: connection closed because its deadline has passed and it has no deadlines of its own: %w", os.ErrDeadlineExceeded)

// SetDeadline sets the deadline of the connection for reads and writes. A
// connection that refuses deadlines, as an SSH channel does, is closed when the
// deadline passes: the reader must not wait forever.
func (s *Socket) SetDeadline(t time.Time) error {
	return s.out.deadline(t, s.out.conn.SetDeadline(t))
}

// SetReadDeadline is SetDeadline for reads.
func (s *Socket) SetReadDeadline(t time.Time) error {
	return s.out.deadline(t, s.out.conn.SetReadDeadline(t))
}

// deadline makes a timer close the connection at t, if err says that the
// connection refused the deadline. Only the last t counts; a zero t is no
// deadline.
func (w *writer) deadline(t time.Time, err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	d := &w.crowdLocked().watchdog
	if d.expiry != nil {
		d.expiry.Stop()
		d.expiry = nil
	}
	if w.life != open {
		return net.ErrClosed
	}
	if !t.IsZero() {
		var expiry *time.Timer
		expiry = time.AfterFunc(time.Until(t), func() { w.expire(&expiry) }) // also if t has passed: the caller may hold a lock
		d.expiry = expiry
	}
	return nil
}

// expire closes the connection, unless a later deadline has replaced that of the
// timer.
func (w *writer) expire(timer **time.Timer) {
	w.mu.Lock()
	current := w.crowd.watchdog.expiry == *timer
	w.mu.Unlock()
	if current {
		w.fail(errNoDeadline)
	}
}
