package logging

import (
	"sync"
	"time"
)

// A Throttle lets a number of log lines pass each second and counts the others. It
// is for lines that strangers can cause as often as they like. The zero value lets
// one line pass. It may be used concurrently.
type Throttle struct {
	Lines int // per second; 0 means 1

	mu     sync.Mutex // guards the following
	until  time.Time  // the end of the current second
	passed int        // lines in it
	missed int        // lines since the last one that passed
}

// Allow reports whether to log now, and how many lines were dropped since the last
// one that passed.
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
