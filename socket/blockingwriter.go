package socket

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goerpc/erpc/internal/workerpool"
)

// newBlockingWriters returns the goroutines that make blocking writes, for
// connections that have no other kind and for those whose kernel buffer is full.
// All sockets of a configuration share them.
func newBlockingWriters() *workerpool.Pool[*writer] {
	return &workerpool.Pool[*writer]{Max: 64, Do: (*writer).flushBlocking}
}

// startBlocking leaves the writing to a goroutine that may block. The caller is
// the leader.
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
			_, err := w.writeBlocking(c.b)
			c = w.wrote(c, err)
		}
	}
}

// Sizes in bytes of one blocking write. A write of 256 KiB in place of rawPiece costs a
// fifth of the throughput, because each wakes the other side.
const (
	rawPiece     = 1 << 20  // so that Moved shows progress, as it does after each deadline
	wrappedPiece = 64 << 10 // the write timeout is for one piece: a write can't continue after it
	tlsPiece     = 16 << 10 // a record
)

// looks is how many deadlines without progress make up a write timeout, on
// connections where a write can continue after a deadline.
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

// writeBlocking writes b, and returns what is left of it if it fails. The write
// timeout ends a write that makes no progress, not a slow one.
func (w *writer) writeBlocking(b []byte) (left []byte, err error) {
	piece, stalled := w.piece(), 0
	for len(b) > 0 {
		if err := w.boundWrite(); err != nil {
			return b, err
		}
		n, err := w.conn.Write(b[:min(len(b), piece)])
		b = b[n:]
		w.moved.Add(uint64(n))
		if err == nil {
			stalled = 0
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return b, err
		}
		stalled++
		if n > 0 {
			stalled = 0
		}
		if w.raw == nil || stalled == looks {
			return b, fmt.Errorf("%w for %v", ErrSlowReader, w.cfg.WriteTimeout)
		}
	}
	return nil, nil
}

// boundWrite limits the next write: by a deadline on a connection of the system,
// by the watchdog on any other. A limit that Close has set stays.
func (w *writer) boundWrite() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.crowd.interrupted():
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

// unboundLocked removes the limit of a write, so that it does not end a later one.
func (w *writer) unboundLocked() {
	w.crowd.rest()
	if w.deadlineSet {
		_ = w.conn.SetWriteDeadline(time.Time{}) // fails only on a closed connection
		w.deadlineSet = false
	}
}
