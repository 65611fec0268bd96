package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitsDoubleUpToTheLongest(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		b    Backoff
		want []time.Duration // the upper bound of each wait; half of it is the lower bound
	}{
		"zero":             {Backoff{}, []time.Duration{0, 0, 0}},
		"at once at first": {Backoff{First: 100 * ms, Max: 350 * ms}, []time.Duration{0, 100 * ms, 200 * ms, 350 * ms, 350 * ms}},
		"soon at first":    {Backoff{First: 80 * ms, Max: time.Second, Soon: true}, []time.Duration{10 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, time.Second}},
		"longest too low":  {Backoff{First: 100 * ms, Max: ms}, []time.Duration{0, 100 * ms, 100 * ms}},
	} {
		for range 50 {
			b := c.b
			for i, longest := range c.want {
				if d := b.Next(); d < longest/2 || d > longest {
					t.Fatalf("%s: wait %d is %v, want %v to %v", name, i, d, longest/2, longest)
				}
			}
			if b.Attempts() != len(c.want) {
				t.Fatalf("%s: %d attempts, want %d", name, b.Attempts(), len(c.want))
			}
			b.Reset()
			if d := b.Next(); d > c.want[0] || b.Attempts() != 1 {
				t.Fatalf("%s: after Reset: %v, %d attempts", name, d, b.Attempts())
			}
		}
	}
}

func TestWaitsAreDrawn(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 20 {
		b := Backoff{First: time.Hour}
		b.Next()
		seen[b.Next()] = true
	}
	if len(seen) < 10 {
		t.Errorf("20 clients wait for %d different times", len(seen))
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if !Sleep(t.Context(), time.Second) || time.Since(begin) != time.Second {
			t.Errorf("slept for %v", time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin = time.Now()
		if Sleep(ctx, time.Hour) || time.Since(begin) != time.Minute {
			t.Errorf("a context of a minute ended the sleep after %v", time.Since(begin))
		}
		if Sleep(ctx, 0) {
			t.Error("slept with a context that has ended")
		}
		if !Sleep(t.Context(), 0) {
			t.Error("a sleep of 0 was cut short")
		}
	})
}

func TestWaitsAreNeverNegative(t *testing.T) {
	b := Backoff{First: -time.Second, Max: -time.Second, Soon: true}
	for range 5 {
		if d := b.Next(); d != 0 {
			t.Errorf("attempt %d waits %v", b.Attempts(), d)
		}
	}
}
