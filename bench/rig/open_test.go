package rig

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Callers of an open loop make the calls that were asked for, however long
// each takes, and a call that had to wait for the one before counts from its
// own moment.
func TestOpenLoop(t *testing.T) {
	for _, tc := range []struct {
		name       string
		rate       float64
		call       time.Duration
		least, p99 time.Duration // of the median and of p99
	}{
		{"callers keep up", 1000, time.Millisecond, time.Millisecond, time.Millisecond},
		{"callers do not keep up", 1000, 20 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				callers := make([]func() error, 10)
				for i := range callers {
					callers[i] = func() error {
						calls.Add(1)
						time.Sleep(tc.call)
						return nil
					}
				}
				const d = 5 * time.Second
				r, err := load(callers, tc.rate, d)
				if err != nil {
					t.Fatal(err)
				}
				// What 10 callers can do, or what was asked for.
				want := min(tc.rate, 10/tc.call.Seconds()) * d.Seconds()
				if got := float64(calls.Load()); got < 0.9*want || got > 1.1*want {
					t.Errorf("%v calls, want about %v", got, want)
				}
				if r.P50 < micros(tc.least) || r.P99 < micros(tc.p99) || r.P999 < r.P99 {
					t.Errorf("p50 %v µs, p99 %v µs, p99.9 %v µs", r.P50, r.P99, r.P999)
				}
			})
		})
	}
}

// Callers of the first session never pause while the others are measured, and
// stop with them.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var quietCalls, busyCalls atomic.Int64
		counted := func(n *atomic.Int64) func() error {
			return func() error { n.Add(1); time.Sleep(time.Millisecond); return nil }
		}
		busy := []func() error{counted(&busyCalls), counted(&busyCalls)}
		r, err := quiet([]func() error{counted(&quietCalls)}, busy, 10, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if n := quietCalls.Load(); n < 50 || n > 200 || r.Total != uint64(n) {
			t.Errorf("%d quiet calls, %+v", n, r)
		}
		if n := busyCalls.Load(); n < 19_000 {
			t.Errorf("%d busy calls of two callers of a millisecond in 10 s", n)
		}
		before := busyCalls.Load()
		time.Sleep(time.Second)
		if busyCalls.Load() != before {
			t.Error("busy callers go on")
		}
	})
}
