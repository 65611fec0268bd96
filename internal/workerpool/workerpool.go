// Package workerpool runs items on goroutines that park when nothing is to do
// rather than end, because a new goroutine must grow its stack again. The last one
// to park is the first to be reused, so surplus goroutines stay idle, and those
// that were idle for a while end: an idle process has no parked goroutines.
package workerpool

import (
	"sync"
	"time"

	"github.com/goerpc/erpc/internal/fifo"
)

// rest is how often surplus goroutines are ended.
const rest = 100 * time.Millisecond

// A Pool runs Do on several goroutines, the workers. Do, Max and Eager must be set
// before the first item and not be changed afterwards.
//
// While items wait, one worker is on its way. It calls another before it runs its
// first item if more wait. So no item waits behind one that blocks, and many quick
// items take few workers.
type Pool[T any] struct {
	Do    func(T)
	Max   int  // how many workers may be parked
	Eager bool // a worker is on its way for each item that waits, so that items hardly pile up

	mu      sync.Mutex // guards the following
	items   fifo.Queue[T]
	coming  int // workers that were called and have not taken an item yet
	parked  []chan struct{}
	low     int // the smallest number of parked workers since the last reap
	reaping bool
}

// Run runs item on another goroutine. It never blocks.
func (p *Pool[T]) Run(item T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items.Push(item)
	p.callLocked()
}

// callLocked calls a worker unless enough are coming.
func (p *Pool[T]) callLocked() {
	if p.coming >= p.items.Len() || p.coming > 0 && !p.Eager {
		return
	}
	p.coming++
	n := len(p.parked) - 1
	if n < 0 {
		go p.run()
		return
	}
	p.parked[n] <- struct{}{} // of capacity 1 and empty
	p.parked[n] = nil
	p.parked = p.parked[:n]
	p.low = min(p.low, n)
}

// run is a worker.
func (p *Pool[T]) run() {
	wake := make(chan struct{}, 1)
	for called := true; called; _, called = <-wake {
		for item, ok := p.take(true); ok; item, ok = p.take(false) {
			p.Do(item)
		}
		if !p.park(wake) {
			return
		}
	}
}

// take returns the next item for a worker. first says that it was called and has
// not taken any yet.
func (p *Pool[T]) take(first bool) (item T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first {
		p.coming--
	}
	item, ok = p.items.Pop()
	p.callLocked()
	return item, ok
}

// park reports false if enough workers are parked already. A parked worker is woken
// by wake, and ends when that is closed.
func (p *Pool[T]) park(wake chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.parked) >= p.Max {
		return false
	}
	p.parked = append(p.parked, wake)
	if !p.reaping {
		p.reaping = true
		p.low = 0
		go p.reap()
	}
	return true
}

// reap ends the parked workers that were not needed since its last run, oldest
// first. It returns when none are left.
func (p *Pool[T]) reap() {
	for {
		time.Sleep(rest)
		p.mu.Lock()
		for _, wake := range p.parked[:p.low] {
			close(wake)
		}
		n := copy(p.parked, p.parked[p.low:])
		clear(p.parked[n:])
		p.parked = p.parked[:n]
		p.low = n
		if n == 0 {
			p.reaping = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}
