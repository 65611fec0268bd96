package retry_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/retry"
)

// end ends a call that the breaker let through.
func end(t *testing.T, b *retry.Breaker, code int32) {
	t.Helper()
	done, st := b.Allow()
	if !st.OK() {
		t.Fatalf("a %s breaker refused: %v", b.State(), st)
	}
	done(erpc.NewStatus(code, ""))
}

func want(t *testing.T, b *retry.Breaker, s retry.State) {
	t.Helper()
	if got := b.State(); got != s {
		t.Fatalf("the breaker is %s, want %s", got, s)
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBreaker(retry.BreakerConfig{Window: 10 * time.Second, MinCalls: 4, Failures: 0.5, Cooldown: 5 * time.Second, Probes: 2})
		// These are errors of the application, and too few failures.
		for range 20 {
			end(t, b, 1001)
		}
		for range 19 {
			end(t, b, erpc.CodeConnClosed)
		}
		want(t, b, retry.Closed)
		late, st := b.Allow()
		if !st.OK() {
			t.Fatal(st)
		}
		end(t, b, erpc.CodeHandleTimeout) // 20 of 40
		want(t, b, retry.Open)
		if _, st := b.Allow(); st.Code() != erpc.CodeExhausted || !errors.Is(st.Cause(), retry.ErrOpen) {
			t.Errorf("an open breaker returned %v", st)
		}
		late(nil) // a call from before does not count
		time.Sleep(5*time.Second - 1)
		want(t, b, retry.Open)
		time.Sleep(time.Nanosecond)

		// Half open: two calls at a time and no more; one that fails opens the
		// breaker.
		want(t, b, retry.HalfOpen)
		first, _ := b.Allow()
		second, _ := b.Allow()
		if _, st := b.Allow(); st.OK() {
			t.Fatal("three probes were let through")
		}
		first(nil)
		second(erpc.NewStatus(erpc.CodeBadGateway, ""))
		want(t, b, retry.Open)

		// The next time, a probe that is cancelled does not count, and two that
		// succeed close the breaker.
		time.Sleep(5 * time.Second)
		end(t, b, erpc.CodeCanceled)
		end(t, b, 0)
		want(t, b, retry.HalfOpen)
		end(t, b, 0)
		want(t, b, retry.Closed)
	})
}

// TestWindow: failures of long ago do not open the breaker.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBreaker(retry.BreakerConfig{Window: 10 * time.Second, MinCalls: 4})
		for range 3 {
			end(t, b, erpc.CodeConnClosed)
		}
		time.Sleep(11 * time.Second)
		for range 3 {
			end(t, b, erpc.CodeConnClosed)
		}
		want(t, b, retry.Closed)
		time.Sleep(5 * time.Second)
		end(t, b, erpc.CodeConnClosed)
		want(t, b, retry.Open)
	})
}

// TestBreakerOfTarget: each target has a breaker of its own; one that is open costs
// no retries.
func TestBreakerOfTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.New(retry.Config{Attempts: 2, Budget: -1, Breaker: &retry.BreakerConfig{MinCalls: 2, Cooldown: time.Second}})
		s := &script{codes: []int32{erpc.CodeDialFailed, erpc.CodeDialFailed, 0}}
		sick, well := r.On(s), r.On(&script{codes: []int32{0}})
		if st := sick.Call("/m", nil, nil).Status(); st.Code() != erpc.CodeDialFailed {
			t.Fatal(st)
		}
		want(t, sick.Breaker(), retry.Open)
		begin := time.Now()
		if st := sick.Call("/m", nil, nil).Status(); !errors.Is(st.Cause(), retry.ErrOpen) || time.Since(begin) > 0 || s.calls.Load() != 2 {
			t.Errorf("%v after %s and %d calls", st, time.Since(begin), s.calls.Load())
		}
		if st := well.Call("/m", nil, nil).Status(); !st.OK() {
			t.Errorf("the other target: %v", st)
		}
		time.Sleep(time.Second)
		if st := sick.Call("/m", nil, nil).Status(); !st.OK() {
			t.Error(st)
		}
		want(t, sick.Breaker(), retry.Closed)
	})
}

// Probes that never end give way to others after ProbeTimeout, and their results no
// longer count.
func TestProbesThatNeverEndGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBreaker(retry.BreakerConfig{MinCalls: 1, Cooldown: 5 * time.Second, ProbeTimeout: 2 * time.Second})
		end(t, b, erpc.CodeConnClosed)
		time.Sleep(5 * time.Second)
		hanging, st := b.Allow()
		if !st.OK() {
			t.Fatal(st)
		}
		time.Sleep(2*time.Second - 1)
		if _, st := b.Allow(); st.OK() {
			t.Fatal("two probes were let through")
		}
		time.Sleep(time.Nanosecond)
		second, st := b.Allow()
		if !st.OK() {
			t.Fatalf("a probe that hangs holds up all others: %v", st)
		}
		hanging(erpc.NewStatus(erpc.CodeConnClosed, ""))
		want(t, b, retry.HalfOpen)
		second(nil)
		want(t, b, retry.Closed)
	})
}

// A target that panics or ends its goroutine gives its place back without a result;
// an end reported twice counts once.
func TestPlacesOfProbesAreGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBreaker(retry.BreakerConfig{MinCalls: 1, Cooldown: time.Second, Probes: 2})
		end(t, b, erpc.CodeConnClosed)
		time.Sleep(time.Second)
		done, st := b.Allow()
		if !st.OK() {
			t.Fatal(st)
		}
		done(erpc.NewStatus(erpc.CodeCanceled, ""))
		done(erpc.NewStatus(erpc.CodeCanceled, ""))
		for range 2 {
			if _, st := b.Allow(); !st.OK() {
				t.Fatal(st)
			}
		}
		if _, st := b.Allow(); st.OK() {
			t.Error("three probes were let through")
		}
	})
}

func TestPanicOfATargetLeavesItsBreakerHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.New(retry.Config{Attempts: 1, Breaker: &retry.BreakerConfig{MinCalls: 1, Cooldown: time.Second}})
		var next retry.Caller = &script{codes: []int32{erpc.CodeConnClosed}}
		target := r.OnAny(func() retry.Caller { return next })
		target.Call("/m", nil, nil)
		want(t, target.Breaker(), retry.Open)
		time.Sleep(time.Second)
		next = boom{}
		func() {
			defer func() { _ = recover() }() // as the program would
			target.Call("/m", nil, nil)
		}()
		want(t, target.Breaker(), retry.HalfOpen)
		next = &script{codes: []int32{0}}
		if st := target.Call("/m", nil, nil).Status(); !st.OK() {
			t.Fatal(st)
		}
		want(t, target.Breaker(), retry.Closed)
	})
}

type boom struct{}

func (boom) Call(string, any, any, ...erpc.MessageSetting) erpc.CallCmd { panic("boom") }
