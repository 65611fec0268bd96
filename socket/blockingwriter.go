package socket

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goerpc/erpc/internal/workerpool"
)

// newBlockingWriters returns the goroutines that write with writes that may
// block: for connections that offer no other, and for those whose kernel buffer
// is full. They belong to all sockets of one configuration.
func newBlockingWriters() *workerpool.Pool[*writer] {
	return &workerpool.Pool[*writer]{Max: 64, Do: (*writer).flushBlocking}
}

// startBlocking leaves the writing to a goroutine that may block. The caller
// leads.
func (w *writer) startBlocking() {
	w.mu.Lock()
	w.state.move(starting)
	w.mu.Unlock()
	w.cfg.blocking.Run(w)
}

// flushBlocking writes until nothing is left, with writes that may block, and
// gives up the lead.
func (w *writer) flushBlocking() {
	for c := w.take(); c != nil; c = w.take() {
		for c != nil {
			w.buf = c.b
			w.writeErr = w.writeBlocking()
			c = w.wrote(c)
		}
	}
}

// Sizes in bytes of what is written at once by a write that may block.
const (
	rawPiece     = 256 << 10 // so that Moved shows progress
	wrappedPiece = 64 << 10  // one write timeout is for a piece: no write can go on after it
	tlsPiece     = 16 << 10  // a record
)

// looks is how many deadlines without progress make a write timeout, where a
// write can go on after one.
const looks = 4

func (w *writer) piece() int {
	if w.raw != nil {
		return rawPiece
	}
	if _, ok := w.conn.(*tls.Conn); ok {
		return tlsPiece
	}
	return wrappedPiece
}

// writeBlocking writes buf. The write timeout is for no progress at all, not
// for slow progress.
func (w *writer) writeBlocking() error {
	piece, stalled := w.piece(), 0
	for len(w.buf) > 0 {
		if err := w.boundWrite(); err != nil {
			return err
		}
		n, err := w.conn.Write(w.buf[:min(len(w.buf), piece)])
		w.buf = w.buf[n:]
		w.moved.Add(uint64(n))
		if err == nil {
			stalled = 0
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		stalled++
		if n > 0 {
			stalled = 0
		}
		if w.raw == nil || stalled == looks {
			return fmt.Errorf("%w for %v", ErrSlowReader, w.cfg.WriteTimeout)
		}
	}
	return nil
}

// boundWrite limits the next write: by a deadline on a connection of the
// system, else by the watchdog. The limit of Close stands.
func (w *writer) boundWrite() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.body != nil && w.body.interrupted:
		return errInterrupted
	case w.life == lingering:
		return nil
	case w.err != nil:
		return w.err
	case w.cfg.WriteTimeout <= 0:
		return nil
	case w.raw == nil:
		w.boundLocked(w.cfg.WriteTimeout)
		return nil
	}
	w.deadlineSet = true
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.cfg.WriteTimeout / looks)) // fails only on a closed connection, as the write will
	return nil
}

// unboundLocked ends the limit of a write, so that it does not hit a later one.
func (w *writer) unboundLocked() {
	w.watchdog.rest()
	if w.deadlineSet && w.life == open {
		_ = w.conn.SetWriteDeadline(time.Time{}) // fails only on a closed connection
		w.deadlineSet = false
	}
}
