package workerpool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func parked(p *Pool[int]) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.parked)
}

func coming(p *Pool[int]) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.coming
}

func TestRunReusesGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan int)
		p := Pool[int]{Max: 4, Do: func(n int) { done <- n }}
		for i := range 100 {
			p.Run(i)
			if got := <-done; got != i {
				t.Fatalf("ran %d, want %d", got, i)
			}
			synctest.Wait() // parked again
			if parked(&p) != 1 {
				t.Fatalf("%d goroutines parked after item %d, want 1", parked(&p), i)
			}
		}
		time.Sleep(3 * rest)
	}) // fails if goroutines are left
}

func TestSurplusEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		gate := make(chan struct{})
		p := Pool[int]{Max: 3, Do: func(int) { <-gate; wg.Done() }}
		for range 10 {
			wg.Add(1)
			p.Run(0)
		}
		synctest.Wait() // each holds a worker
		close(gate)
		wg.Wait()
		synctest.Wait()
		if parked(&p) != 3 {
			t.Errorf("%d parked, want no more than Max", parked(&p))
		}
		time.Sleep(3 * rest)
	})
}

// An item does not wait for those before it, whether they block or not, and whether
// workers are parked or not.
func TestItemsDoNotWaitForOthers(t *testing.T) {
	for _, eager := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			var begun atomic.Int32
			p := Pool[int]{Max: 10, Eager: eager, Do: func(n int) {
				begun.Add(1)
				if n%3 > 0 {
					<-gate
				}
			}}
			for range 2 {
				begun.Store(0)
				for i := range 50 {
					p.Run(i)
				}
				synctest.Wait()
				if n := begun.Load(); n != 50 {
					t.Errorf("eager %v: %d of 50 items have begun", eager, n)
				}
				close(gate)
				synctest.Wait()
				gate = make(chan struct{})
			}
			time.Sleep(3 * rest)
			if parked(&p) != 0 {
				t.Errorf("eager %v: %d still parked at rest", eager, parked(&p))
			}
		})
	}
}

// With Eager a worker is on its way for each item, and no more.
func TestEagerPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		p := Pool[int]{Max: 10, Eager: true, Do: func(int) { done.Add(1) }}
		for round := range 3 { // with no workers parked, and with some
			for i := range 20 {
				p.Run(i)
				p.mu.Lock()
				if p.coming < p.items.Len() || p.coming > i+1 {
					t.Errorf("%d workers are coming for %d items", p.coming, p.items.Len())
				}
				p.mu.Unlock()
			}
			synctest.Wait()
			if n := done.Load(); n != int32(20*(round+1)) {
				t.Errorf("%d items are done after round %d", n, round)
			}
			if n := coming(&p); n != 0 {
				t.Errorf("%d workers are coming for nothing", n)
			}
		}
		time.Sleep(3 * rest)
	})
}

// Items that do not block need no goroutine each.
func TestQuickItemsTakeFewWorkers(t *testing.T) {
	const items = 10_000
	var wg sync.WaitGroup
	wg.Add(items)
	p := Pool[int]{Max: items, Do: func(int) { wg.Done() }}
	for i := range items {
		p.Run(i)
	}
	wg.Wait()
	if n := parked(&p); n > items/2 {
		t.Errorf("%d workers for %d items", n, items)
	}
}

// A worker that ends in the middle of an item leaves the others to another worker.
func TestItemsOutliveWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		p := Pool[int]{Max: 10, Do: func(int) { done.Add(1); runtime.Goexit() }}
		for i := range 20 {
			p.Run(i)
		}
		synctest.Wait()
		if n := done.Load(); n != 20 {
			t.Errorf("%d of 20 items have begun", n)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	done := make(chan struct{}, 1)
	p := Pool[int]{Max: 4, Do: func(int) { done <- struct{}{} }}
	b.ReportAllocs()
	for b.Loop() {
		p.Run(1)
		<-done
	}
}

func BenchmarkBurst(b *testing.B) { // of items that do not block
	var wg sync.WaitGroup
	p := Pool[int]{Max: 64, Do: func(int) { wg.Done() }}
	b.ReportAllocs()
	for b.Loop() {
		wg.Add(1000)
		for i := range 1000 {
			p.Run(i)
		}
		wg.Wait()
	}
}
