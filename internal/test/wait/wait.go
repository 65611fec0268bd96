// Package wait has the waits of tests, those of this module and, through erpctest,
// those of its users.
package wait

import (
	"fmt"
	"os"
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

// maxLeaving is how long goroutines may take to end after what they work for was
// closed: idle workers end after a second, net/http keeps a connection that it has
// closed for half a second, and KCP repeats lost acknowledgements.
const maxLeaving = 15 * time.Second

// ForNoLeaks waits until only goroutines that known ignores are left. Its error has
// the stacks of the others.
func ForNoLeaks(known ...goleak.Option) error { return noLeaks(maxLeaving, known) }

func noLeaks(d time.Duration, known []goleak.Option) error {
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Millisecond) {
		if err := goleak.Find(known...); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// Main is TestMain for a package whose tests must leave no goroutine behind. It
// ignores those that ran before the tests, such as kcp-go's. Unlike
// goleak.VerifyTestMain, which gives up after less than half a second, it waits
// for goroutines that are about to end.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a package that cleans up before it exits: it returns the code to
// exit with.
func Run(m *testing.M) int {
	before := goleak.IgnoreCurrent()
	return verdict(m.Run(), maxLeaving, before)
}

// verdict returns the exit code of a package whose tests returned code: passed
// tests fail if they left goroutines behind.
func verdict(code int, d time.Duration, known ...goleak.Option) int {
	if code != 0 {
		return code
	}
	if err := noLeaks(d, known); err != nil {
		fmt.Fprintf(os.Stderr, "goroutines left behind: %v\n", err)
		return 1
	}
	return 0
}

// stacks returns the stacks of all goroutines, for a test that hangs.
func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}
