package session

import (
	"sync"
	"time"
)

// A watchdog looks after the connections of one owner that were busy of late.
// It sleeps while there are none. The zero value is ready.
type watchdog struct {
	mu      sync.Mutex // guards the following
	links   []*conn
	running bool
}

func (w *watchdog) add(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.handoff.watched.Swap(true) {
		return
	}
	c.handoff.idleTicks = 0
	w.links = append(w.links, c)
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *watchdog) run() {
	for {
		time.Sleep(watchTick)
		now := clock()
		w.mu.Lock()
		keep := w.links[:0]
		for _, c := range w.links {
			if c.look(now) {
				keep = append(keep, c)
			}
		}
		clear(w.links[len(keep):])
		w.links = keep
		if len(keep) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
	}
}

// look starts another leader if the one there is stuck. It reports whether the
// connection is to be looked at again.
func (c *conn) look(now time.Duration) bool {
	t := &c.handoff
	n := t.epoch.Load()
	if n&1 == 1 && now-time.Duration(t.since.Load()) > maxUserCode && t.epoch.CompareAndSwap(n, n+1) {
		n++
		c.countBlocked()
		go c.readLoop(warmUp)
	}
	if n != t.lastEpoch {
		t.lastEpoch, t.idleTicks = n, 0
		return true
	}
	if t.idleTicks++; t.idleTicks < maxIdleTicks || n&1 == 1 {
		return true
	}
	t.watched.Store(false)
	if t.epoch.Load() != n { // a message came in between and saw watched
		return t.watched.CompareAndSwap(false, true)
	}
	c.wakeReader()
	return false
}
