package wait

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A failing stands for the waiting test and records how it failed.
type failing struct {
	testing.TB
	text string
}

func (*failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// run runs f on a goroutine of its own and returns how it failed.
func run(f func(t testing.TB)) string {
	t := new(failing)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(t)
	}()
	<-done
	return t.text
}

func TestFor(t *testing.T) {
	ch := make(chan int, 1)
	ch <- 7
	if got := For(t, time.Second, "a number", ch); got != 7 {
		t.Errorf("got %d", got)
	}
	got := run(func(t testing.TB) { For(t, time.Millisecond, "a number", ch) })
	if !strings.HasPrefix(got, "a number: nothing after 1ms\n") || !strings.Contains(got, "goroutine ") {
		t.Errorf("it fails with %q", got)
	}
}

func TestUntil(t *testing.T) {
	n := 0
	Until(t, time.Minute, "three", func() bool { n++; return n == 3 })
	if n != 3 {
		t.Errorf("looked %d times", n)
	}
	got := run(func(t testing.TB) { Until(t, time.Millisecond, "never", func() bool { return false }) })
	if !strings.HasPrefix(got, "never: not so after 1ms\n") {
		t.Errorf("it fails with %q", got)
	}
}

func TestForNoLeaks(t *testing.T) {
	known := goleak.IgnoreCurrent()
	go time.Sleep(50 * time.Millisecond) // ends in time
	if err := ForNoLeaks(known); err != nil {
		t.Error(err)
	}
}
