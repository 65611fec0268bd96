package erpctest

import (
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
	"go.uber.org/goleak"
)

// Eventually waits until cond holds. It fails the test, with a sentence that says
// what did not come true, if that takes longer than 30 seconds. It must run on the
// goroutine of the test.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	wait.Until(t, maxWait, "erpctest: "+what, cond)
}

// NoLeaks fails the test if goroutines that it has started run on after its end.
// It must be the first thing that the test calls, so that it looks last, and the
// test must not be parallel: the goroutines of another one are not told apart. In
// a bubble of testing/synctest it is not needed.
func NoLeaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		t.Helper()
		if err := wait.ForNoLeaks(before); err != nil {
			t.Errorf("erpctest: goroutines left behind: %v", err)
		}
	})
}

// receive returns what comes out of ch and fails the test if nothing does.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	return wait.For(t, maxWait, "erpctest: "+what, ch)
}

// A counter counts from 1.
type counter struct{ n atomic.Int64 }

func (c *counter) next() int { return int(c.n.Add(1)) }
