package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Bounds of windows, in bytes.
const (
	InitialWindow = 64 << 10 // assumed by both ends until a credit announces another
	MaxWindow     = 4 << 20  // the largest window that a receiver announces
	minCharge     = 256      // the least that a message takes of a window
	maxAnnounced  = 16 << 20 // a larger announcement counts as this
)

// ErrCredit means that a credit counts messages that were never sent.
var ErrCredit = errors.New("stream: a credit counts more messages than were sent")

// Charge returns how many bytes of a window a message with a body of n bytes
// takes. Small messages count for more than their bytes, because each also takes
// an entry on both sides.
func Charge(n int) int64 { return max(int64(n), minCharge) }

// A Window counts what the sending side of a stream may still send. It may be used
// concurrently, but senders that wait are served in no particular order, so a
// stream admits only one sender at a time.
type Window struct {
	waiting *atomic.Int32 // senders that wait, here and in other windows; nil: not counted

	mu      sync.Mutex  // guards the following
	size    int64       // granted by the receiver
	unacked int64       // charge of the messages that are sent and not consumed
	charges ring[int64] // of each of them, oldest first
	acked   uint64      // messages consumed by the other side
	changed chan struct{}
	end     error
}

// NewWindow returns a window of size bytes. Senders that wait for it are counted
// in waiting, which several windows may share; nil means that they are not
// counted.
func NewWindow(size int64, waiting *atomic.Int32) *Window {
	return &Window{size: size, waiting: waiting}
}

// Acquire takes charge bytes of the window for the next message. It waits while
// nothing of the window is left, until ctx ends or [Window.Close] is called. full
// reports that this message uses up the window, so that the next one will wait;
// the sender tells the receiver.
func (w *Window) Acquire(ctx context.Context, charge int64) (full bool, err error) {
	for {
		w.mu.Lock()
		if w.end != nil {
			w.mu.Unlock()
			return false, w.end
		}
		if w.unacked < w.size {
			w.unacked += charge
			w.charges.push(charge)
			full = w.unacked >= w.size
			w.mu.Unlock()
			return full, nil
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		if !w.await(ctx, changed) {
			return false, context.Cause(ctx)
		}
	}
}

// await waits for changed and reports whether it was closed before ctx ended.
func (w *Window) await(ctx context.Context, changed <-chan struct{}) bool {
	if w.waiting != nil {
		w.waiting.Add(1)
		defer w.waiting.Add(-1)
	}
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// Undo takes back the last Acquire: its message was not sent. There must be no
// other Acquire in between.
func (w *Window) Undo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.charges.len() > 0 { // otherwise the other side has credited a message that it can't have received
		w.unacked -= w.charges.drop()
	}
	w.wakeLocked()
}

// Credit records that the other side has consumed count messages in all, and that
// its window is size bytes now. A credit that is older than a previous one has no
// effect.
func (w *Window) Credit(count uint64, size int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.acked + uint64(w.charges.len())
	if count > sent {
		return fmt.Errorf("%w: %d of %d", ErrCredit, count, sent)
	}
	if count < w.acked {
		return nil
	}
	for ; w.acked < count; w.acked++ {
		w.unacked -= w.charges.pop()
	}
	if size > 0 {
		w.size = min(size, maxAnnounced)
	}
	w.wakeLocked()
	return nil
}

// Close makes every [Window.Acquire] return err. Only the first error counts.
func (w *Window) Close(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end == nil {
		w.end = err
	}
	w.wakeLocked()
}

// Unacked returns how many messages the other side has not consumed yet, and
// their charge.
func (w *Window) Unacked() (messages int, charge int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.charges.len(), w.unacked
}

func (w *Window) wakeLocked() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
