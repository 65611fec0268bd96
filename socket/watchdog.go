package socket

import (
	"fmt"
	"time"
)

// A writeWatchdog ends a connection whose write makes no progress, if the
// connection is not one of the system: many wrappers have deadlines that fail or
// do nothing. Renewing the limit costs one store, because the timer reads it only
// when it fires. The writer's mutex guards it.
type writeWatchdog struct {
	due   time.Duration // on clock; 0: nothing is being written
	timer *time.Timer   // nil: none runs

	expiry *time.Timer // stands in for a deadline that could not be set; see deadline.go
}

var clockStart = time.Now()

// clock is a monotonic time.
func clock() time.Duration { return time.Since(clockStart) }

// boundLocked gives the write in progress the time wait from now.
func (w *writer) boundLocked(wait time.Duration) {
	d := &w.crowdLocked().watchdog
	d.due = clock() + wait
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, w.look)
	}
}

// look runs when the timer fires.
func (w *writer) look() {
	w.mu.Lock()
	d := &w.crowd.watchdog
	left := d.due - clock()
	if d.timer == nil || d.due == 0 {
		d.timer = nil
		w.mu.Unlock()
		return
	}
	if left > 0 {
		d.timer.Reset(left)
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	w.fail(fmt.Errorf("%w for %v", ErrSlowReader, w.cfg.WriteTimeout))
}

// stop ends the timers.
func (d *writeWatchdog) stop() {
	d.due = 0
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.expiry != nil {
		d.expiry.Stop()
		d.expiry = nil
	}
}
