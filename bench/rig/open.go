package rig

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A schedule determines when a caller of an open loop calls: at random times
// with exponentially distributed distances, like the calls of many independent
// users.
type schedule struct {
	next time.Duration // since the run began
	mean time.Duration // between two calls of the caller
}

// newSchedule returns the schedule of one of n callers that together make rate
// calls a second.
func newSchedule(n int, rate float64) schedule {
	s := schedule{mean: time.Duration(float64(n) / rate * float64(time.Second))}
	s.step()
	return s
}

func (s *schedule) step() { s.next += time.Duration(rand.ExpFloat64() * float64(s.mean)) }

// quiet measures callers that together call rate times a second while others
// call without a pause.
func quiet(callers, busy []func() error, rate float64, d time.Duration) (Result, error) {
	var (
		stop atomic.Bool
		wg   sync.WaitGroup
	)
	defer func() { stop.Store(true); wg.Wait() }()
	for _, call := range busy {
		wg.Go(func() {
			for !stop.Load() {
				if call() != nil {
					time.Sleep(time.Millisecond) // those that are measured fail too, and say so
				}
			}
		})
	}
	return load(callers, rate, d)
}
