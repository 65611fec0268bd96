package stream

import (
	"sync"
	"sync/atomic"
	"testing"
)

// The table allows what a stream may do: half-close once, on either end, and end
// once, from every state.
func TestMoves(t *testing.T) {
	want := map[[2]State]bool{
		{Open, SendClosed}: true, {Open, RecvClosed}: true, {Open, Ended}: true,
		{SendClosed, Ended}: true, {RecvClosed, Ended}: true,
	}
	all := []State{Open, SendClosed, RecvClosed, Ended}
	for _, from := range all {
		for _, to := range all {
			if got := allowed(from, to); got != want[[2]State{from, to}] {
				t.Errorf("%v to %v: allowed is %v", from, to, got)
			}
		}
	}
	if got := RecvClosed.String(); got != "receive closed" {
		t.Errorf("String is %q", got)
	}
}

// If several goroutines end a stream, exactly one of them succeeds.
func TestOneEnd(t *testing.T) {
	for range 200 {
		var l Life
		var ends, halves atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if i%2 == 0 && l.Move(SendClosed) {
					halves.Add(1)
				}
				if l.Move(Ended) {
					ends.Add(1)
				}
			})
		}
		wg.Wait()
		if ends.Load() != 1 || halves.Load() > 1 || l.State() != Ended {
			t.Fatalf("%d ends, %d half-closes, state %v", ends.Load(), halves.Load(), l.State())
		}
	}
}
