package session

import (
	"sync"
	"time"
)

// A watcher looks after the connections of one owner that were busy of late.
// It sleeps while there are none. The zero value is ready.
type watcher struct {
	mu      sync.Mutex // guards the following
	links   []*link
	running bool
}

func (w *watcher) add(l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.turn.watched.Swap(true) {
		return
	}
	l.turn.still = 0
	w.links = append(w.links, l)
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *watcher) run() {
	for {
		time.Sleep(tick)
		now := clock()
		w.mu.Lock()
		keep := w.links[:0]
		for _, l := range w.links {
			if l.look(now) {
				keep = append(keep, l)
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
func (l *link) look(now time.Duration) bool {
	t := &l.turn
	n := t.n.Load()
	if n&1 == 1 && now-time.Duration(t.since.Load()) > patience && t.n.CompareAndSwap(n, n+1) {
		n++
		l.hold()
		go l.lead(wary)
	}
	if n != t.seen {
		t.seen, t.still = n, 0
		return true
	}
	if t.still++; t.still < retired || n&1 == 1 {
		return true
	}
	t.watched.Store(false)
	if t.n.Load() != n { // a message came in between and saw watched
		return t.watched.CompareAndSwap(false, true)
	}
	l.rest()
	return false
}
