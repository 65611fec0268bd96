// Package fifo has a first-in, first-out queue.
package fifo

// A Queue holds items in the order in which they were pushed. Once empty, it keeps its
// memory for the next ones, unless that is much. The zero value is empty.
type Queue[T any] struct {
	items []T // those before next were popped
	next  int
}

// maxKept is how many items the memory that an empty queue keeps may hold, and how many
// popped items a queue keeps before it moves the others to the front.
const maxKept = 4096

// Push adds an item to the end.
func (q *Queue[T]) Push(item T) { q.items = append(q.items, item) }

// Len returns the number of items.
func (q *Queue[T]) Len() int { return len(q.items) - q.next }

// Pop removes the first item. It returns false if the queue is empty.
func (q *Queue[T]) Pop() (item T, ok bool) {
	if q.Len() == 0 {
		return item, false
	}
	var none T
	item, q.items[q.next] = q.items[q.next], none // so that it is not kept alive
	q.next++
	switch {
	case q.next == len(q.items) && cap(q.items) > maxKept:
		q.items, q.next = nil, 0
	case q.next == len(q.items):
		q.items, q.next = q.items[:0], 0
	case q.next >= maxKept && q.next*2 >= len(q.items):
		n := copy(q.items, q.items[q.next:])
		clear(q.items[n:])
		q.items, q.next = q.items[:n], 0
	}
	return item, true
}
