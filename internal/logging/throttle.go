package logging

import (
	"sync"
	"time"
)

// A Throttle lets one log line a second pass and counts the others, for lines
// whose number strangers decide. The zero value is ready. It may be used
// concurrently.
type Throttle struct {
	mu     sync.Mutex // guards the following
	next   time.Time
	missed int
}

// Allow reports whether to log now, and how many lines were left out since the
// last one.
func (t *Throttle) Allow(now time.Time) (missed int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.next) {
		t.missed++
		return 0, false
	}
	missed, t.missed = t.missed, 0
	t.next = now.Add(time.Second)
	return missed, true
}
