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

// A patience is a time to wait, as the machine runs this process: it is counted in
// ticks, and those that are missed while other programs have the processors do not
// count. So a bound for what takes no time holds on a machine that stands still for a
// while.
type patience struct {
	ticks *time.Ticker
	left  int
}

// maxTicks is how many ticks a bound is divided into, at most.
const maxTicks = 100

func newPatience(d time.Duration) *patience {
	tick := max(d/maxTicks, time.Millisecond)
	return &patience{time.NewTicker(tick), int(max(d/tick, 1))}
}

// tick counts a tick that was received, and reports whether the time is over.
func (p *patience) tick() (over bool) {
	p.left--
	return p.left <= 0
}

// over counts a tick if one has come, and reports whether the time is over.
func (p *patience) over() bool {
	select {
	case <-p.ticks.C:
		return p.tick()
	default:
		return false
	}
}

func (p *patience) stop() { p.ticks.Stop() }

// For receives from ch, and fails the test with the stacks of all goroutines if
// nothing arrives within d. It must run on the test's goroutine. Time in which the
// machine did not run this process does not count.
func For[T any](t testing.TB, d time.Duration, what string, ch <-chan T) T {
	t.Helper()
	p := newPatience(d)
	defer p.stop()
	for {
		select {
		case v := <-ch:
			return v
		case <-p.ticks.C:
			if p.tick() {
				t.Fatalf("%s: nothing after %v\n%s", what, d, stacks())
			}
		}
	}
}

// Until waits until cond holds, and fails the test if it does not within d, which is
// counted as by [For]. It must run on the test's goroutine.
func Until(t testing.TB, d time.Duration, what string, cond func() bool) {
	t.Helper()
	p := newPatience(d)
	defer p.stop()
	for ; !cond(); time.Sleep(time.Millisecond) {
		if p.over() {
			t.Fatalf("%s: not so after %v\n%s", what, d, stacks())
		}
	}
}

// Took returns how long f takes, counted as by [For]. It suits upper bounds only: what
// the machine holds up takes less than on the clock.
func Took(f func()) time.Duration {
	end, took := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		t := time.NewTicker(time.Millisecond)
		defer t.Stop()
		for n := time.Duration(0); ; n++ {
			select {
			case <-t.C:
			case <-end:
				took <- n * time.Millisecond
				return
			}
		}
	}()
	func() {
		defer close(end)
		f()
	}()
	return <-took
}

// maxLeaving is how long goroutines may take to end after what they work for was
// closed: idle workers end after a second, net/http keeps a connection that it has
// closed for half a second, and KCP repeats lost acknowledgements.
const maxLeaving = 15 * time.Second

// ForNoLeaks waits until only goroutines that known ignores are left. Its error has
// the stacks of the others.
func ForNoLeaks(known ...goleak.Option) error { return noLeaks(maxLeaving, known) }

func noLeaks(d time.Duration, known []goleak.Option) error {
	p := newPatience(d)
	defer p.stop()
	for ; ; time.Sleep(10 * time.Millisecond) {
		if err := goleak.Find(known...); err == nil || p.over() {
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
