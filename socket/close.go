package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// lingerTime is how long what was queued may still be written after Close, and
// how long closing itself may take.
const lingerTime = time.Second

// close lets nothing more be enqueued. What is queued is still written, for at
// most linger; the leader closes the connection after that. The first call
// alone does anything.
func (w *writer) close(linger time.Duration) error {
	w.mu.Lock()
	if w.life != open {
		w.mu.Unlock()
		return nil
	}
	w.endSendingLocked(net.ErrClosed)
	if w.state == idle && w.queue.empty() {
		w.life.move(closed)
		w.mu.Unlock()
		return w.shutSoon()
	}
	w.life.move(lingering)
	lead := w.state == idle || w.state == scheduled // the flush delay may be longer
	if lead {
		w.state.move(writing)
	}
	if w.raw == nil {
		w.watchdog.stop() // it may be set to a later time
		w.boundLocked(linger)
	} else {
		_ = w.conn.SetWriteDeadline(time.Now().Add(linger)) // fails only on a closed connection, as the write will
	}
	if w.body != nil {
		w.interruptLocked(w.body) // its sender is not held, what it has begun is
	}
	w.mu.Unlock()
	if lead {
		w.flush(false)
	}
	return nil
}

// endSendingLocked has every later sender, and those that wait, get err.
func (w *writer) endSendingLocked(err error) {
	if w.err == nil {
		w.err = err
	}
	w.leads.abort()
	w.room.abort(w.err)
	w.streamRoom.abort(w.err)
}

// fail ends the socket at once because of err: what is queued is lost and the
// connection is closed, which ends the reader and with it the session. The
// first reason stands.
func (w *writer) fail(err error) {
	w.mu.Lock()
	if w.life == closed {
		w.mu.Unlock()
		return
	}
	w.endSendingLocked(err)
	w.life.move(closed)
	w.watchdog.stop()
	if w.state == idle { // no leader will
		freeAll(w.queue.take())
	}
	onRoom := w.onRoom
	w.onRoom = nil
	w.mu.Unlock()
	_ = w.shutSoon() // whatever it says, err is the reason
	if onRoom != nil {
		onRoom()
	}
}

// shut closes the connection. It may block, for at most lingerTime: a
// connection that is not one of the system may write before it ends, as TLS
// does, and the other side may not read.
func (w *writer) shut() error {
	if w.raw != nil {
		return w.conn.Close()
	}
	return closeWithin(w.conn, lingerTime)
}

// shutSoon is shut for a caller that must not be held: it waits for a moment
// only, in which most connections are closed.
func (w *writer) shutSoon() error {
	if w.raw != nil {
		return w.conn.Close()
	}
	return w.cfg.closer.close(w.conn)
}

// closeWithin closes conn. After limit it closes the connection below, which
// ends whatever conn waits for.
func closeWithin(conn net.Conn, limit time.Duration) error {
	force := time.AfterFunc(limit, func() { closeBelow(conn) })
	defer force.Stop()
	err := conn.Close()
	if isGone(err) {
		return nil
	}
	return err
}

// closeBelow closes the lowest connection that conn tells of.
func closeBelow(conn net.Conn) {
	below := conn
	for {
		w, ok := below.(interface{ NetConn() net.Conn }) // as tls.Conn
		if !ok {
			break
		}
		next := w.NetConn()
		if next == nil {
			break
		}
		below = next
	}
	if below != conn {
		_ = below.Close() // it is the last means
	}
}

// isGone reports whether err says no more than that the other side has ended
// the connection, or does not read: nothing that whoever closes need know.
func isGone(err error) bool {
	for _, gone := range []error{net.ErrClosed, io.ErrClosedPipe, io.EOF, os.ErrDeadlineExceeded, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// A closer closes connections without holding its callers. Those whose Close
// blocks share patience: the more of them there are, the less each is waited
// for, so that a peer with many is not held either.
type closer struct{ blocked atomic.Int32 }

// closePatience is how long one blocked Close is waited for.
const closePatience = 50 * time.Millisecond

func (c *closer) close(conn net.Conn) error {
	done := make(chan error, 1)
	patience := closePatience / time.Duration(c.blocked.Add(1))
	go func() {
		err := closeWithin(conn, lingerTime)
		c.blocked.Add(-1)
		done <- err
	}()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return nil
	}
}
