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
