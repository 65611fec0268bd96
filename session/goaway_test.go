package session

import (
	"testing"
	"time"
)

func TestQuiescence(t *testing.T) {
	const ms = time.Millisecond
	type look struct {
		at       time.Duration
		busy     bool
		received uint64
		quiet    bool
	}
	for name, looks := range map[string][]look{
		"silent from the beginning": {
			{1 * ms, false, 7, false}, {50 * ms, false, 7, false}, {51 * ms, false, 7, true},
		},
		"a message comes": {
			{1 * ms, false, 7, false}, {40 * ms, false, 8, false}, {80 * ms, false, 8, false}, {90 * ms, false, 8, true},
		},
		"a handler works": {
			{1 * ms, false, 7, false}, {40 * ms, true, 7, false}, {60 * ms, false, 7, false}, {109 * ms, false, 7, false}, {110 * ms, false, 7, true},
		},
		"one that has just connected gets longer": {
			{1 * ms, false, 0, false}, {500 * ms, false, 0, false}, {501 * ms, false, 0, true},
		},
		"and speaks": {
			{1 * ms, false, 0, false}, {400 * ms, false, 1, false}, {449 * ms, false, 1, false}, {450 * ms, false, 1, true},
		},
	} {
		var q quiescence
		for _, l := range looks {
			if got := q.look(l.at, l.busy, l.received); got != l.quiet {
				t.Errorf("%s: at %v quiet is %v", name, l.at, got)
			}
		}
	}
}

// A connection that has been there for a while and never said anything is no
// client that has just redialed: a shutdown does not wait longer for it.
func TestIdleConnectionIsQuietSoon(t *testing.T) {
	for opened, quietAt := range map[time.Duration]time.Duration{
		-10 * time.Second: quietAfter, -quietAfterConnect: quietAfter, -quietAfterConnect / 2: quietAfterConnect/2 + time.Millisecond, 0: quietAfterConnect + time.Millisecond,
	} {
		q := quiescence{opened: opened}
		for now := time.Millisecond; ; now += time.Millisecond {
			if q.look(now, false, 0) {
				if d := now - quietAt; d < 0 || d > 2*time.Millisecond {
					t.Errorf("opened %v before the shutdown: quiet after %v, want %v", -opened, now, quietAt)
				}
				break
			}
		}
	}
}
