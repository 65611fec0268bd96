// Package wait has the waits of tests, those of this module and, through erpctest,
// those of its users.
package wait

import (
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// For receives from ch, and fails the test with the stacks of all goroutines if
// nothing arrives within d. It must run on the test's goroutine.
func For[T any](t testing.TB, d time.Duration, what string, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing after %v\n%s", what, d, stacks())
		panic("not reached")
	}
}

// Until waits until cond holds, and fails the test if it does not within d. It
// must run on the test's goroutine.
func Until(t testing.TB, d time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so after %v\n%s", what, d, stacks())
		}
	}
}

// maxLeaving is how long goroutines may take to end: idle workers end after a
// second.
const maxLeaving = 10 * time.Second

// ForNoLeaks waits until only goroutines that known ignores are left. Its error has
// the stacks of the others.
func ForNoLeaks(known goleak.Option) error {
	for end := time.Now().Add(maxLeaving); ; time.Sleep(10 * time.Millisecond) {
		if err := goleak.Find(known); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// stacks returns the stacks of all goroutines, for a test that hangs.
func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}
