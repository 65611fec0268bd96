package memory

import (
	"sync"
	"time"
)

// A deadline can be watched and moved. The zero value never passes.
type deadline struct {
	mu    sync.Mutex // guards the following
	at    time.Time
	timer *time.Timer
	moved chan struct{} // closed when the deadline passes or is moved; nil: nobody watches
}

// watch returns a channel that is closed when the deadline passes or is moved,
// and whether it has passed.
func (d *deadline) watch() (over <-chan struct{}, passed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moved == nil {
		d.moved = make(chan struct{})
	}
	return d.moved, !d.at.IsZero() && !time.Now().Before(d.at)
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	d.wake()
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.wake()
		})
	}
}

// wake tells who watches to look again. The mutex is held.
func (d *deadline) wake() {
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}

// A flag is set once. The zero value is not set.
type flag struct {
	mu sync.Mutex // guards the following
	on bool
	c  chan struct{}
}

func (f *flag) is() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on
}

// ch returns a channel that is closed when the flag is set.
func (f *flag) ch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c == nil {
		f.c = make(chan struct{})
		if f.on {
			close(f.c)
		}
	}
	return f.c
}

func (f *flag) set() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on = true; f.c != nil {
		close(f.c)
	}
}
