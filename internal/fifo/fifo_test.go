package fifo

import (
	"math/rand/v2"
	"testing"
)

func TestOrder(t *testing.T) {
	var q Queue[*int]
	var in, out int
	for step := range 200 { // grows to some ten thousand items, shrinks, and grows again
		for range rand.IntN(500) {
			n := in
			q.Push(&n)
			in++
		}
		pops := rand.IntN(500)
		if step%50 == 49 {
			pops = q.Len()
		}
		for range pops {
			n, ok := q.Pop()
			if !ok {
				break
			}
			if *n != out {
				t.Fatalf("popped %d, want %d", *n, out)
			}
			out++
		}
		if q.Len() != in-out {
			t.Fatalf("the length is %d, want %d", q.Len(), in-out)
		}
		for i, item := range q.items[:cap(q.items)] {
			if item != nil && (i < q.next || i >= len(q.items)) {
				t.Fatalf("step %d: a popped item is kept", step)
			}
		}
	}
}

func TestEmptyQueueKeepsLittleMemory(t *testing.T) {
	var q Queue[int]
	for _, n := range []int{10, 10 * maxKept} {
		for i := range n {
			q.Push(i)
		}
		for range n {
			q.Pop()
		}
		if _, ok := q.Pop(); ok || q.Len() != 0 {
			t.Errorf("after %d items the queue is not empty", n)
		}
		if kept := cap(q.items); kept > maxKept || n < maxKept && kept < n {
			t.Errorf("after %d items the memory of %d is kept", n, kept)
		}
	}
}
