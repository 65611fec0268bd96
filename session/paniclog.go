package session

import (
	"sync"
	"time"
)

// maxPanicLines is how many panics a peer logs in a second. Each has a stack of
// some kilobytes, and a stranger who has found a call that panics decides how many
// there are.
const maxPanicLines = 10

// A panicLog decides which panics are logged, and counts the others. The zero value
// is ready. It may be used concurrently.
type panicLog struct {
	mu     sync.Mutex // guards the following
	until  time.Time  // the end of the second that is counted
	lines  int        // in it
	missed int        // since the last line
}

// allow reports whether to log a panic now, and how many were left out since the
// last one that was.
func (l *panicLog) allow(now time.Time) (missed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !now.Before(l.until) {
		l.until, l.lines = now.Add(time.Second), 0
	}
	if l.lines == maxPanicLines {
		l.missed++
		return 0, false
	}
	l.lines++
	missed, l.missed = l.missed, 0
	return missed, true
}
