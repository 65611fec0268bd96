package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// arrivals count pushes that arrived. Whoever measures says first how many are to
// come, and is woken by the last: to look at the count again and again would take
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

// expect says that n pushes will arrive, n above 0. It is called when no others are
// on their way, and each time before the pushes are sent.
func (a *arrivals) expect(n int) { a.want.Store(a.got.Load() + int64(n)) }

// await returns when what was expected has arrived.
func (a *arrivals) await() error {
	select {
	case <-a.all:
		return nil
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("%d of the pushes are missing", a.want.Load()-a.got.Load())
	}
}
