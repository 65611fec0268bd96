package workerpool

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func parked(p *Pool[int]) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
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
		close(gate)
		wg.Wait()
		synctest.Wait()
		if parked(&p) != 3 {
			t.Errorf("%d parked, want no more than Max", parked(&p))
		}
		time.Sleep(3 * rest)
	})
}

func TestRunNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := Pool[int]{Max: 1, Do: func(int) { <-gate }}
		for range 50 {
			p.Run(0) // each on its own goroutine: none has finished
		}
		close(gate)
		time.Sleep(3 * rest)
		if parked(&p) != 0 {
			t.Errorf("%d still parked at rest", parked(&p))
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
