// Package workerpool runs items on goroutines that park after an item rather than
// end, because a new goroutine must grow its stack again. The last one to park is
// the first to be reused, so surplus goroutines stay idle, and those that were
// idle for a while end: an idle process has no parked goroutines.
package workerpool

import (
	"sync"
	"time"
)

// rest is how often surplus goroutines are ended.
const rest = 100 * time.Millisecond

// A Pool runs Do on parked goroutines. Do and Max must be set before the first
// item and not be changed afterwards.
type Pool[T any] struct {
	Do  func(T)
	Max int // how many may be parked

	mu      sync.Mutex // guards the following
	idle    []chan T
	low     int // the smallest number of idle goroutines since the last reap
	reaping bool
}

// Run runs item on another goroutine. It never blocks.
func (p *Pool[T]) Run(item T) {
	p.mu.Lock()
	if n := len(p.idle) - 1; n >= 0 {
		ch := p.idle[n]
		p.idle[n] = nil
		p.idle = p.idle[:n]
		p.low = min(p.low, n)
		p.mu.Unlock()
		ch <- item // of capacity 1 and empty
		return
	}
	p.mu.Unlock()
	go p.run(item)
}

func (p *Pool[T]) run(item T) {
	ch := make(chan T, 1)
	for ok := true; ok; item, ok = <-ch {
		p.Do(item)
		if !p.park(ch) {
			return
		}
		var none T
		item = none // a parked goroutine must not keep memory alive
	}
}

func (p *Pool[T]) park(ch chan T) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) >= p.Max {
		return false
	}
	p.idle = append(p.idle, ch)
	if !p.reaping {
		p.reaping = true
		p.low = 0
		go p.reap()
	}
	return true
}

// reap ends the parked goroutines that were not needed since its last run, oldest
// first. It returns when none are left.
func (p *Pool[T]) reap() {
	for {
		time.Sleep(rest)
		p.mu.Lock()
		for _, ch := range p.idle[:p.low] {
			close(ch)
		}
		n := copy(p.idle, p.idle[p.low:])
		clear(p.idle[n:])
		p.idle = p.idle[:n]
		p.low = n
		if n == 0 {
			p.reaping = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}
