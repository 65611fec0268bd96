package session

import (
	"testing"
	"time"
)

// A run is how long a handler took; blockedRun is one that blocked the connection.
const blockedRun = -1

func TestPace(t *testing.T) {
	quick, slow := maxQuick, maxQuick+time.Microsecond
	times := func(n int, d time.Duration) []time.Duration {
		runs := make([]time.Duration, n)
		for i := range runs {
			runs[i] = d
		}
		return runs
	}
	for _, c := range []struct {
		name   string
		runs   [][]time.Duration
		inline bool
		credit int32
	}{
		{"a new handler has to prove itself", nil, false, 0},
		{"seven quick runs are not enough", [][]time.Duration{times(7, quick)}, false, 7},
		{"eight are", [][]time.Duration{times(8, quick)}, true, 8},
		{"the longest quick run is quick", [][]time.Duration{times(8, maxQuick)}, true, 8},
		{"a slow one costs two", [][]time.Duration{times(20, quick), times(1, slow)}, true, 18},
		{"credit has an upper end", [][]time.Duration{times(1000, quick)}, true, maxCredit},
		{"one slow run in three does not earn the place", [][]time.Duration{times(2, quick), times(1, slow), times(2, quick), times(1, slow)}, false, 0},
		{"what loses the place has far to go", [][]time.Duration{times(8, quick), times(1, slow)}, false, minCredit},
		{"and may earn it again", [][]time.Duration{times(8, quick), times(1, slow), times(8-minCredit, quick)}, true, 8},
		{"holding up a connection costs much", [][]time.Duration{times(1000, quick), {blockedRun}}, true, maxCredit - blockedCost},
		{"four times is too much", [][]time.Duration{times(1000, quick), times(4, blockedRun)}, false, minCredit},
		{"credit has a lower end", [][]time.Duration{times(1000, slow)}, false, minCredit},
	} {
		var p pace
		for _, runs := range c.runs {
			for _, d := range runs {
				if d == blockedRun {
					p.blocked()
				} else {
					p.took(d)
				}
			}
		}
		if p.inline() != c.inline || p.credit.Load() != c.credit {
			t.Errorf("%s: inline %v, credit %d; want %v, %d", c.name, p.inline(), p.credit.Load(), c.inline, c.credit)
		}
	}
}
