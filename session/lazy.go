package session

import "sync/atomic"

// A lazy is a value that is made on first use, because most connections don't need
// it. It may be used concurrently. The zero value has none yet.
type lazy[T any] struct{ made atomic.Pointer[T] }

// get returns the value, which it makes if there is none.
func (l *lazy[T]) get() *T {
	if v := l.made.Load(); v != nil {
		return v
	}
	l.made.CompareAndSwap(nil, new(T))
	return l.made.Load()
}

// peek returns the value, nil if it was not made yet.
func (l *lazy[T]) peek() *T { return l.made.Load() }
