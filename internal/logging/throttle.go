package logging

import (
	"sync"
	"time"
)

// A Throttle lets some log lines a second pass and counts the others, for lines
// whose number strangers decide. The zero value lets one pass and is ready. It may
// be used concurrently.
type Throttle struct {
	Lines int // a second; 0 is 1

	mu     sync.Mutex // guards the following
	until  time.Time  // the end of the second that is counted
	passed int        // lines in it
	missed int        // lines since the last one that passed
}

// Allow reports whether to log now, and how many lines were left out since the
// last one.
func (t *Throttle) Allow(now time.Time) (missed int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !now.Before(t.until) {
		t.until, t.passed = now.Add(time.Second), 0
	}
	if t.passed >= max(t.Lines, 1) {
		t.missed++
		return 0, false
	}
	t.passed++
	missed, t.missed = t.missed, 0
	return missed, true
}
