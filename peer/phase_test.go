package peer

import "testing"

func TestAPeerOnlyAdvances(t *testing.T) {
	for _, tc := range []struct{ from, to, want phase }{
		{serving, serving, serving}, {serving, draining, draining}, {serving, closed, closed},
		{draining, serving, draining}, {draining, draining, draining}, {draining, closed, closed},
		{closed, serving, closed}, {closed, draining, closed}, {closed, closed, closed},
	} {
		if got := tc.from.to(tc.to); got != tc.want {
			t.Errorf("%v to %v: %v, want %v", tc.from, tc.to, got, tc.want)
		}
	}
	names := map[string]bool{}
	for p := range phase(len(phaseMoves)) {
		names[p.String()] = true
	}
	if len(names) != 3 {
		t.Errorf("phases are called %v", names)
	}
}
