package session

import (
	"math/rand/v2"
	"testing"
)

// TestSequenceAgainstAQueue takes the same steps on a sequence and on a plain
// queue.
func TestSequenceAgainstAQueue(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		var s sequence
		var queue []*exchange
		running := false
		for range 500 {
			if r.IntN(2) == 0 {
				x := new(exchange)
				if s.enter(x) == running {
					t.Fatalf("seed %d: two run at the same time, or none does", seed)
				}
				if running {
					queue = append(queue, x)
				}
				running = true
			} else if running {
				x := s.next()
				if len(queue) == 0 {
					if x != nil {
						t.Fatalf("seed %d: something comes after the last", seed)
					}
					running = false
					continue
				}
				if x != queue[0] {
					t.Fatalf("seed %d: out of order", seed)
				}
				queue = queue[1:]
			}
		}
	}
}
