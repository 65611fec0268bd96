package wait

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
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

// TestMissedTicksDoNotCount: a machine that stands still takes no patience.
func TestMissedTicksDoNotCount(t *testing.T) {
	p := newPatience(50 * time.Millisecond)
	defer p.stop()
	for range 10 {
		time.Sleep(20 * time.Millisecond) // of whose 20 ticks one is received
		if p.over() {
			t.Fatal("it counts what was missed")
		}
	}
}

func TestTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if d := Took(func() { time.Sleep(time.Second) }); d < time.Second-time.Millisecond || d > time.Second {
			t.Errorf("a second took %v", d)
		}
		if d := Took(func() {}); d != 0 {
			t.Errorf("nothing took %v", d)
		}
	})
}

func TestForNoLeaks(t *testing.T) {
	known := goleak.IgnoreCurrent()
	go time.Sleep(50 * time.Millisecond) // ends in time
	if err := ForNoLeaks(known); err != nil {
		t.Error(err)
	}
}

func TestVerdict(t *testing.T) {
	known := goleak.IgnoreCurrent()
	if code := verdict(2, 0, known); code != 2 {
		t.Errorf("tests that failed with 2 end with %d", code)
	}
	leaving := make(chan struct{})
	go func() { <-leaving }()
	if code := verdict(0, 0, known); code != 1 {
		t.Errorf("with a goroutine left behind the code is %d", code)
	}
	// As long as net/http keeps a connection that it has closed; goleak's own check
	// gives up before.
	time.AfterFunc(600*time.Millisecond, func() { close(leaving) })
	if code := verdict(0, time.Minute, known); code != 0 {
		t.Errorf("with a goroutine that ends in time the code is %d", code)
	}
}
