package accept

import (
	"sync"
	"time"
)

// A Deadline can be watched and moved. The zero value never passes. Its methods may be
// called concurrently.
type Deadline struct {
	mu    sync.Mutex // guards the following
	at    time.Time
	timer *time.Timer
	moved chan struct{} // closed when the deadline passes or is moved; nil: nobody watches
}

// Watch returns a channel that is closed when the deadline passes or is moved, and
// whether it has passed.
func (d *Deadline) Watch() (over <-chan struct{}, passed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moved == nil {
		d.moved = make(chan struct{})
	}
	return d.moved, d.passedLocked()
}

// Passed reports whether the deadline has passed.
func (d *Deadline) Passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passedLocked()
}

func (d *Deadline) passedLocked() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// Set moves the deadline; the zero time is none.
func (d *Deadline) Set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	d.wakeLocked()
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, d.Wake)
	}
}

// Wake closes the channels of Watch, so that watchers look again.
func (d *Deadline) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wakeLocked()
}

func (d *Deadline) wakeLocked() {
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}
