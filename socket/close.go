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

// lingerTime bounds how long queued messages may still be written after Close, and
// how long closing the connection itself may take.
const lingerTime = time.Second

// close refuses all further messages. What is queued is still written, for at most
// linger; then the leader closes the connection. Only the first call has an
// effect.
func (w *writer) close(linger time.Duration) error {
	w.mu.Lock()
	if w.life != open {
		unread := w.crowd.takeUnread()
		w.mu.Unlock()
		if unread != nil && unread.Stop() {
			return w.shutSoon()
		}
		return nil
	}
	w.endSendingLocked(net.ErrClosed)
	if w.state == idle && w.queue.empty() {
		w.life.move(closed)
		w.mu.Unlock()
		return w.shutSoon()
	}
	w.life.move(lingering)
	// Nobody is told of a failure after Close.
	w.crowd.takeOnFailed()
	lead := w.state == idle || w.state == scheduled // the flush delay may be longer
	if lead {
		w.state.move(writing)
	}
	if w.raw == nil {
		w.crowd.stop() // its limit may be later
		w.boundLocked(linger)
	} else {
		_ = w.conn.SetWriteDeadline(time.Now().Add(linger)) // fails only on a closed connection, as the write will
	}
	if c := w.crowd; c != nil && c.body != nil {
		w.interruptLocked(c.body) // its sender returns, and a goroutine writes the rest of its frame
	}
	w.mu.Unlock()
	if lead {
		w.flush(false)
	}
	return nil
}

// endSendingLocked gives err to all who wait to send, and to every later sender.
func (w *writer) endSendingLocked(err error) {
	if w.err == nil {
		w.err = err
	}
	if c := w.crowd; c != nil {
		c.leads.abort()
		c.room.abort(w.err)
		c.streamRoom.abort(w.err)
	}
}

// fail ends the socket at once with err: what is queued is lost and the connection
// is closed, which ends the reader and with it the session. Later errors are
// ignored.
func (w *writer) fail(err error) { w.failAfter(0, err) }

// failWriting is fail for a write that returned err. If the other side has closed the
// connection, messages that it sent before may still be unread, replies to calls that it
// has executed among them. The reader gets them, and then the end; whoever reads closes
// the socket then. If nobody does, the connection is closed after unreadTime.
func (w *writer) failWriting(err error) {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		w.failAfter(unreadTime, err)
		return
	}
	w.fail(err)
}

// unreadTime bounds how long a connection whose other side has closed it stays open
// for its reader.
const unreadTime = time.Second

// failAfter is fail that closes the connection after d, unless Close was called before.
func (w *writer) failAfter(d time.Duration, err error) {
	w.mu.Lock()
	if w.life == closed {
		w.mu.Unlock()
		return
	}
	if w.life == lingering {
		d = 0
	}
	w.endSendingLocked(err)
	w.life.move(closed)
	w.crowd.stop()
	if w.state == idle { // there is no leader to free it
		freeAll(w.queue.take())
	}
	onRoom, onFailed := w.crowd.takeOnRoom(), w.crowd.takeOnFailed()
	if d > 0 {
		w.crowdLocked().unread = time.AfterFunc(d, func() { _ = w.shut() }) // the socket's error is err
	}
	w.mu.Unlock()
	if d == 0 {
		_ = w.shutSoon() // as above
	}
	if onRoom != nil {
		onRoom()
	}
	if onFailed != nil {
		onFailed()
	}
}

// shut closes the connection. It may block for up to lingerTime: a connection that
// is not one of the system may write when it is closed, as TLS does, and the other
// side may not read.
func (w *writer) shut() error {
	if w.raw != nil {
		return w.conn.Close()
	}
	return closeWithin(w.conn, lingerTime)
}

// shutSoon is shut for a caller that must not block. It waits only briefly, which
// is enough for most connections.
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

// closeBelow closes the innermost connection that can be reached by NetConn.
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
		_ = below.Close() // nothing is left to try after that
	}
}

// isGone reports whether err says only that the other side has ended the
// connection or does not read, which is not an error of Close.
func isGone(err error) bool {
	for _, gone := range []error{net.ErrClosed, io.ErrClosedPipe, io.EOF, os.ErrDeadlineExceeded, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// A closer closes connections without blocking its callers for long. The more
// connections block in Close, the shorter it waits for each, so that a peer that
// closes many is not held up either.
type closer struct{ blocked atomic.Int32 }

// closePatience is how long the caller waits for a Close that blocks, if it is the
// only one.
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
