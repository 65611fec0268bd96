package lookup

import (
	"slices"
	"testing"
	"time"
)

// Every state of an instance can be left, and only by the transitions of the table.
func TestHealthFollowsItsTable(t *testing.T) {
	all := []healthState{healthy, ejected, probing}
	for _, from := range all {
		for _, to := range all {
			h := health{state: from}
			want := from
			if slices.Contains(healthMoves[from], to) {
				want = to
			}
			if h.move(to); h.state != want {
				t.Errorf("%v to %v: now %v, want %v", from, to, h.state, want)
			}
		}
	}
}

func TestEjectionGrowsAndEnds(t *testing.T) {
	var h health
	now := time.Now()
	fail := func() { h.note(false, now, 3, time.Second) }
	fail()
	fail()
	if !h.usable(now) {
		t.Error("ejected after two failures, want three")
	}
	h.note(true, now, 3, time.Second)
	fail()
	fail()
	if !h.usable(now) {
		t.Error("failures that are not in a row were counted")
	}
	fail()
	for round, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if h.usable(now.Add(want - 1)) {
			t.Errorf("round %d: usable before %v", round, want)
		}
		now = now.Add(want)
		if !h.usable(now) {
			t.Errorf("round %d: not usable after %v", round, want)
		}
		fail() // one failure is enough now
	}
	for range 100 {
		now = h.until
		h.usable(now)
		fail()
	}
	if d := h.until.Sub(now); d != maxEjection {
		t.Errorf("an ejection of %v, want %v", d, maxEjection)
	}
	now = h.until
	h.usable(now)
	h.note(true, now, 3, time.Second)
	if fail(); h.state != healthy {
		t.Errorf("%v after a success and one failure", h.state)
	}
}
