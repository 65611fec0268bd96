package socket

import "time"

// With a flush delay whoever becomes the leader leaves the writing to a timer,
// so that what is put meanwhile shares its write. Who finds the queue full
// before that makes room at once, and Close does not wait for the timer.

// flushLater leaves the writing to a timer. The caller leads, and has said that
// it left.
func (o *outbox) flushLater() {
	time.AfterFunc(o.cfg.FlushDelay, o.flushLeft)
}

// leave leaves the writing to the flushers, or to the timer of the flush delay.
func (o *outbox) leave() {
	if o.cfg.FlushDelay > 0 {
		o.flushLater()
		return
	}
	o.cfg.flushers.add(o)
}

// flushIdle writes what waits before the reader does, after the flush delay if
// there is one.
func (o *outbox) flushIdle() {
	if o.cfg.FlushDelay <= 0 {
		if o.claim() {
			o.flush(false)
		}
		return
	}
	o.mu.Lock()
	lead := !o.leading && o.queue.n > 0
	if lead {
		o.leading, o.left = true, true
	}
	o.mu.Unlock()
	if lead {
		o.flushLater()
	}
}
