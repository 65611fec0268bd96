package kit

import (
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
)

const (
	// Slack is how much slower than a quiet machine without the race detector
	// the machine of a test may be.
	Slack = 8
	// Prompt is the bound for "at once": 100 ms on loopback, times Slack.
	Prompt = Slack * 100 * time.Millisecond
	// Bound is the bound of every other wait.
	Bound = 60 * time.Second
)

// Await receives from ch, and fails the test with the stacks of all goroutines if
// nothing arrives within [Bound]. It must run on the test's goroutine.
func Await[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	return AwaitIn(t, Bound, what, ch)
}

// AwaitIn is [Await] with another bound.
func AwaitIn[T any](t testing.TB, d time.Duration, what string, ch <-chan T) T {
	t.Helper()
	return wait.For(t, d, what, ch)
}

// Within fails the test, with the stacks of all goroutines, if f takes longer
// than d. It returns how long f took, for an upper bound: see [wait.Took].
func Within(t testing.TB, d time.Duration, what string, f func()) time.Duration {
	t.Helper()
	return wait.Took(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		AwaitIn(t, d, what, done)
	})
}

// Eventually waits until cond holds, and fails the test if it does not within d.
func Eventually(t testing.TB, d time.Duration, what string, cond func() bool) {
	t.Helper()
	wait.Until(t, d, what, cond)
}
