package session

import (
	"testing"
	"time"

	"github.com/goerpc/erpc/socket"
)

// TestActivity: what keeps a connection from being idle between two looks.
func TestActivity(t *testing.T) {
	var a activity
	for _, look := range []struct {
		name            string
		messages, bytes uint64
		silent          bool
	}{
		{"the beginning", 0, 0, true},
		{"a message", 1, 100, false},
		{"nothing since", 1, 100, true},
		{"a little of the next message", 1, 100 + minActivity - 1, true},
		{"a little more, which is little again", 1, 100 + 2*(minActivity-1), true},
		{"a large part of it", 1, 100 + 2*(minActivity-1) + minActivity, false},
		{"its end", 2, 10_000, false},
		{"nothing since that", 2, 10_000, true},
	} {
		if got := a.look(socket.Stats{MessagesIn: look.messages, BytesIn: look.bytes}); got != look.silent {
			t.Errorf("%s: silent is %v", look.name, got)
		}
	}
}

// TestStuck: how long calls have waited while nothing was received.
func TestStuck(t *testing.T) {
	const limit = 10 * time.Second
	var s *stuck
	for _, look := range []struct {
		name     string
		at       time.Duration
		calls    int
		received uint64
		reached  bool
	}{
		{"no call", 1 * time.Second, 0, 7, false},
		{"calls, a long time after the last byte", 100 * time.Second, 2, 7, false},
		{"just before the limit", 110*time.Second - 1, 2, 7, false},
		{"a byte came", 110 * time.Second, 2, 8, false},
		{"less than the limit after that", 119 * time.Second, 3, 8, false},
		{"the limit", 120 * time.Second, 1, 8, true},
		{"the last call has ended", 121 * time.Second, 0, 8, false},
		{"another call waits", 122 * time.Second, 1, 8, false},
		{"for the limit", 132 * time.Second, 1, 8, true},
	} {
		s = s.look(look.calls, look.received, look.at)
		if got := s.reached(limit, look.at); got != look.reached {
			t.Errorf("%s: the limit is reached: %v", look.name, got)
		}
		if (s == nil) != (look.calls == 0) {
			t.Errorf("%s: with %d calls there is %v", look.name, look.calls, s)
		}
	}
}
