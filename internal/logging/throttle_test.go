package logging

import (
	"testing"
	"time"
)

func TestThrottlePassesOneLineASecond(t *testing.T) {
	var l Throttle
	start := time.Now()
	for _, c := range []struct {
		at     time.Duration
		missed int
		ok     bool
	}{
		{0, 0, true}, {1, 0, false}, {time.Second - 1, 0, false}, {time.Second, 2, true}, {time.Second + 1, 0, false},
		{5 * time.Second, 1, true}, {6 * time.Second, 0, true},
	} {
		if missed, ok := l.Allow(start.Add(c.at)); missed != c.missed || ok != c.ok {
			t.Errorf("after %v: %d %v, want %d %v", c.at, missed, ok, c.missed, c.ok)
		}
	}
}

// A throttle of several lines lets the first of a second pass.
func TestThrottleOfSeveralLines(t *testing.T) {
	const lines = 10
	l := Throttle{Lines: lines}
	start := time.Unix(1000, 0)
	for i := range 25 {
		missed, ok := l.Allow(start.Add(time.Duration(i) * time.Millisecond))
		if want := i < lines; ok != want || missed != 0 {
			t.Errorf("line %d: logged %t after %d that were not, want %t after none", i, ok, missed, want)
		}
	}
	if missed, ok := l.Allow(start.Add(time.Second)); !ok || missed != 25-lines {
		t.Errorf("a second later: logged %t after %d that were not, want true after %d", ok, missed, 25-lines)
	}
	if missed, ok := l.Allow(start.Add(time.Second)); !ok || missed != 0 {
		t.Errorf("the next: logged %t after %d that were not, want true after none", ok, missed)
	}
}
