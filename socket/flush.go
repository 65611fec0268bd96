package socket

import (
	"context"
	"runtime"
	"sync"
)

// turnBytes is how much a leader writes in one turn before it leaves the rest to
// the flusher pool, so that no sender writes for others for long and a busy socket
// does not keep the pool from quiet ones. A reader lets others run after as much.
const turnBytes = 256 << 10

// flush writes what is queued, for one turn, and gives up the lead. The caller is
// the leader, in state writing. With yield, others get a chance to add to each
// write. It does not block on the connection.
func (w *writer) flush(yield bool) {
	if yield {
		runtime.Gosched()
	}
	if w.raw == nil {
		w.startBlocking()
		return
	}
	written := 0
	try := attempts.Get().(*attempt)
	defer attempts.Put(try)
	for c := w.take(); c != nil; c = w.take() {
		for c != nil {
			written += len(c.b)
			left, err := w.writeNow(try, c.b)
			if err == nil && len(left) > 0 { // the kernel takes no more
				w.putBack(c, left)
				w.startBlocking()
				return
			}
			c = w.wrote(c, err)
		}
		if written >= turnBytes && w.reschedule() {
			return
		}
		if yield {
			runtime.Gosched()
		}
	}
}

// An attempt is a write that does not block. It is kept for the next one, because
// what is called with the descriptor is allocated.
type attempt struct {
	left []byte // to be written
	err  error
	run  func(fd uintptr) bool // tryWrite
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.run = a.tryWrite
	return a
}}

// writeNow writes b as far as that does not block, and returns what is left.
func (w *writer) writeNow(try *attempt, b []byte) (left []byte, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	try.left = b
	err = w.raw.Write(try.run)
	if err == nil {
		err = try.err
	}
	left = try.left
	try.left, try.err = nil, nil
	w.moved.Add(uint64(len(b) - len(left)))
	return left, err
}

// putBack puts c, of which left has yet to be written, and the chunks behind it in front of
// the queue.
func (w *writer) putBack(c *chunk, left []byte) {
	c.cut(len(c.b) - len(left))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue.addFront(c)
}

// reschedule leaves what is queued to the flusher pool. It reports false if the
// queue is empty, or the leader has more to do than write.
func (w *writer) reschedule() bool {
	w.mu.Lock()
	if w.life == closed || w.crowd != nil && w.crowd.leads.head != nil || w.queue.empty() { // take deals with these
		w.mu.Unlock()
		return false
	}
	w.state.move(scheduled)
	w.mu.Unlock()
	w.cfg.flushers.add(w)
	return true
}

// wrote ends the writing of c, with err, and returns the next chunk to write, nil
// if writing failed.
func (w *writer) wrote(c *chunk, err error) *chunk {
	next := c.next
	c.free(err == nil)
	if err != nil {
		w.failWriting(err)
		freeAll(next)
		return nil
	}
	return next
}

// flushScheduled runs on a goroutine of the pool or of a timer and writes what was
// left to it, unless a sender was faster.
func (w *writer) flushScheduled() {
	w.mu.Lock()
	mine := w.state == scheduled
	if mine {
		w.state.move(writing)
	}
	w.mu.Unlock()
	if mine {
		w.flush(false)
	}
}

// flushAll returns once what is queued has been written.
func (w *writer) flushAll(ctx context.Context) error {
	w.mu.Lock()
	if w.err != nil || w.state == idle && w.queue.empty() {
		defer w.mu.Unlock()
		return w.err
	}
	flushed := w.queue.addMarker() // behind what is being written, too
	lead := w.state == idle || w.state == scheduled
	if lead {
		w.state.move(writing)
	}
	w.mu.Unlock()
	if lead {
		w.flush(false)
	}
	select {
	case written := <-flushed:
		if written {
			return nil
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// notifyFailed is [Socket.NotifyFailed].
func (w *writer) notifyFailed(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.crowdLocked().onFailed = f
	}
}

// notifyRoom is [Socket.NotifyRoom].
func (w *writer) notifyRoom(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.queue.n == 0 || w.state == idle { // otherwise a leader will take the queue
		return false
	}
	w.crowdLocked().onRoom = f
	return true
}
