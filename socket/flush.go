package socket

import (
	"context"
	"runtime"
)

// turnBytes is how much a leader writes in one turn before it leaves the rest to
// the flusher pool, so that no sender writes for others for long and a busy socket
// does not keep the pool from quiet ones.
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
	for c := w.take(); c != nil; c = w.take() {
		for c != nil {
			written += len(c.b)
			c = w.writeChunk(c)
			if c != nil && len(w.buf) > 0 { // the kernel takes no more
				w.putBack(c)
				w.startBlocking()
				return
			}
		}
		if written >= turnBytes && w.reschedule() {
			return
		}
		if yield {
			runtime.Gosched()
		}
	}
}

// writeChunk writes c without blocking and returns the next chunk to write. If
// the kernel did not take all of it, it returns c, and buf has the rest.
func (w *writer) writeChunk(c *chunk) *chunk {
	w.buf, w.writeErr = c.b, nil
	if len(c.b) > 0 {
		if err := w.raw.Write(w.try); err != nil {
			w.writeErr = err
		}
		w.moved.Add(uint64(len(c.b) - len(w.buf)))
	}
	if w.writeErr == nil && len(w.buf) > 0 {
		return c
	}
	return w.wrote(c)
}

// putBack puts c, of which buf is left, and the chunks behind it back in front of
// the queue.
func (w *writer) putBack(c *chunk) {
	c.cut(len(c.b) - len(w.buf))
	w.buf = nil
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue.addFront(c)
}

// reschedule leaves what is queued to the flusher pool. It reports false if the
// queue is empty, or the leader has more to do than write.
func (w *writer) reschedule() bool {
	w.mu.Lock()
	if w.life == closed || w.leads.head != nil || w.queue.empty() { // take deals with these
		w.mu.Unlock()
		return false
	}
	w.state.move(scheduled)
	w.mu.Unlock()
	w.cfg.flushers.add(w)
	return true
}

// wrote ends the writing of c and returns the next chunk to write, nil if
// writing failed.
func (w *writer) wrote(c *chunk) *chunk {
	w.buf = nil
	next := c.next
	c.free(w.writeErr == nil)
	if w.writeErr != nil {
		w.fail(w.writeErr)
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

// notifyRoom is [Socket.NotifyRoom].
func (w *writer) notifyRoom(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.queue.n == 0 || w.state == idle { // otherwise a leader will take the queue
		return false
	}
	w.onRoom = f
	return true
}
