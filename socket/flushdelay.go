package socket

import "time"

// With a flush delay the leader leaves the writing to a timer, so that what is
// enqueued meanwhile shares its write. A sender that finds the queue full
// before that flushes at once, and Close does not wait for the timer.

// flushAfterDelay leaves the writing to a timer. The caller is the leader, in
// state scheduled.
func (w *writer) flushAfterDelay() {
	time.AfterFunc(w.cfg.FlushDelay, w.flushScheduled)
}

// flushBeforeRead writes what is queued before the reader waits for the other
// side, after the flush delay if there is one.
func (w *writer) flushBeforeRead() {
	if w.cfg.FlushDelay <= 0 {
		if w.claim() {
			w.flush(false)
		}
		return
	}
	w.mu.Lock()
	lead := w.state == idle && !w.queue.empty()
	if lead {
		w.state.move(scheduled)
	}
	w.mu.Unlock()
	if lead {
		w.flushAfterDelay()
	}
}
