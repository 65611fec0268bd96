package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// arrivals counts pushes that arrived. The measuring goroutine first sets how
// many to expect and is woken by the last one. Polling the count would take
// processor time from what is measured.
type arrivals struct {
	got, want atomic.Int64
	all       chan struct{} // gets one value when got reaches want
}

func newArrivals() arrivals { return arrivals{all: make(chan struct{}, 1)} }

// add may be called concurrently, and before the pushes are awaited.
func (a *arrivals) add() {
	if a.got.Add(1) == a.want.Load() {
		a.all <- struct{}{}
	}
}

// expect announces n pushes; n must be above 0. It is called before the pushes
// are sent, when no others are in transit.
func (a *arrivals) expect(n int) { a.want.Store(a.got.Load() + int64(n)) }

// await returns when all expected pushes have arrived.
func (a *arrivals) await() error {
	select {
	case <-a.all:
		return nil
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("%d of the pushes are missing", a.want.Load()-a.got.Load())
	}
}
