// Package calltable keeps the calls in flight on one connection by their
// sequence numbers.
package calltable

import (
	"math"
	"sync"
)

// A Table assigns sequence numbers and finds calls by them. Its slots are
// addressed by the low bits of the number; a number whose slot is taken is
// skipped, which the wire allows. The zero value is empty and ready; Last, Take and
// Len take a nil one for empty. All methods may be called concurrently.
type Table[T any] struct {
	mu     sync.Mutex // guards the following
	slots  []slot[T]  // a power of two, at least twice n; nil until the first call
	n      int
	seq    int32 // the last number that was assigned
	closed bool
}

// A slot is free while its seq is 0.
type slot[T any] struct {
	seq  int32
	call T
}

const (
	minSlots = 8
	maxKept  = 1024 // slots that an empty table keeps
)

// Add adds call under the next number. inFlight counts the calls in the table,
// including this one; it is 0 if the table refuses further calls.
func (t *Table[T]) Add(call T) (seq int32, inFlight int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, 0
	}
	if 2*(t.n+1) > len(t.slots) {
		t.resizeLocked(max(minSlots, 2*len(t.slots)))
	}
	for {
		t.stepLocked()
		if s := t.slotLocked(t.seq); s.seq == 0 {
			*s = slot[T]{t.seq, call}
			t.n++
			return t.seq, t.n
		}
	}
}

// Next returns a number for a message that has no reply.
func (t *Table[T]) Next() int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stepLocked()
	return t.seq
}

// Jump sets the last number to seq, which must be positive, so that the next one
// follows it.
func (t *Table[T]) Jump(seq int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq = seq
}

// Last returns the number that was assigned last.
func (t *Table[T]) Last() int32 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// Take removes the call with that number. ok is false if there is none, for
// example because another goroutine has taken it. The goroutine that takes a call
// must end it.
func (t *Table[T]) Take(seq int32) (call T, ok bool) {
	if t == nil {
		return call, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.slots) == 0 || seq == 0 {
		return call, false
	}
	s := t.slotLocked(seq)
	if s.seq != seq {
		return call, false
	}
	call = s.call
	*s = slot[T]{}
	t.n--
	if t.n == 0 && len(t.slots) > maxKept {
		t.slots = nil
	}
	return call, true
}

// Len returns the number of calls in the table. After Stop it no longer grows.
func (t *Table[T]) Len() int {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// Stop refuses further calls; those in the table stay.
func (t *Table[T]) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// Close is Stop that also removes and returns all calls.
func (t *Table[T]) Close() (left []T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.slots {
		if s.seq != 0 {
			left = append(left, s.call)
		}
	}
	t.slots, t.n, t.closed = nil, 0, true
	return left
}

func (t *Table[T]) stepLocked() {
	if t.seq == math.MaxInt32 {
		t.seq = 0
	}
	t.seq++
}

func (t *Table[T]) slotLocked(seq int32) *slot[T] { return &t.slots[int(seq)&(len(t.slots)-1)] }

func (t *Table[T]) resizeLocked(n int) {
	old := t.slots
	t.slots = make([]slot[T], n)
	for _, s := range old {
		if s.seq != 0 {
			*t.slotLocked(s.seq) = s
		}
	}
}
