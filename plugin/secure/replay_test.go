package secure

import (
	"encoding/binary"
	"testing"
	"time"
)

func nonceOf(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)+1) }

func TestReplays(t *testing.T) {
	const maxAge = time.Minute
	begin := time.Unix(1_000_000, 0)
	for _, tc := range []struct {
		name       string
		sent, at   time.Duration // since begin
		again      time.Duration // when it comes a second time
		first, old bool          // it is accepted the first time; it was too old by then
	}{
		{"at once", 0, 0, 0, true, false},
		{"late, but in time", 0, maxAge, maxAge, true, false},
		{"too late", 0, maxAge + 1, maxAge + 2, false, true},
		{"from a clock that is fast", maxAge, 0, 2 * maxAge, true, false},
		{"from the future", maxAge + 1, 0, 1, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &replays{maxAge: maxAge}
			if got := r.take(nonceOf(1), begin.Add(tc.sent), begin.Add(tc.at)); got != tc.first {
				t.Errorf("taken: %t, want %t", got, tc.first)
			}
			if tc.first && r.take(nonceOf(1), begin.Add(tc.sent), begin.Add(tc.again)) {
				t.Error("taken twice")
			}
		})
	}
}

// A message is not accepted twice as long as it is not too old, whenever the
// generations change; what is too old is forgotten.
func TestReplaysAreRememberedLongEnough(t *testing.T) {
	const maxAge, step = 10 * time.Second, 100 * time.Millisecond
	r := &replays{maxAge: maxAge}
	begin := time.Unix(1_000_000, 0)
	const messages = 2000
	for i := range messages {
		at := begin.Add(time.Duration(i) * step)
		if !r.take(nonceOf(i), at, at) {
			t.Fatalf("message %d is new, but was refused", i)
		}
		for back := 0; back <= int(maxAge/step) && back <= i; back += 7 {
			if r.take(nonceOf(i-back), begin.Add(time.Duration(i-back)*step), at) {
				t.Fatalf("message %d was accepted again %v later", i-back, time.Duration(back)*step)
			}
		}
	}
	if n := len(r.now) + len(r.past); n > int(4*maxAge/step)+2 {
		t.Errorf("%d messages are remembered", n)
	}
}
