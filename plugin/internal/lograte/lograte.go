// Package lograte limits how many lines a plugin logs about one kind of event
// that clients can cause at any rate.
package lograte

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A Limiter lets the first event through, and then one per second. The zero
// value is ready. It may be used concurrently.
type Limiter struct {
	// It is a pointer because the zero value of rate.Sometimes does nothing.
	sometimes atomic.Pointer[rate.Sometimes]
	skipped   atomic.Uint64
}

// Interval is the time between two lines of one [Limiter].
const Interval = time.Second

// Do calls log if a line is due. skipped is the number of events since the last
// line that were not logged.
func (l *Limiter) Do(log func(skipped uint64)) {
	s := l.sometimes.Load()
	if s == nil {
		l.sometimes.CompareAndSwap(nil, &rate.Sometimes{First: 1, Interval: Interval})
		s = l.sometimes.Load()
	}
	logged := false
	s.Do(func() {
		logged = true
		log(l.skipped.Swap(0))
	})
	if !logged {
		l.skipped.Add(1)
	}
}
