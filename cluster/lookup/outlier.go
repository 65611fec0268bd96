package lookup

import (
	"slices"
	"time"
)

// A healthState is a client's judgement of an instance.
type healthState byte

const (
	healthy healthState = iota // it gets calls
	ejected                    // it failed too often in a row, and gets no calls for a while
	probing                    // the ejection is over: a failure ejects it again, a success makes it healthy
)

func (s healthState) String() string { return [...]string{"healthy", "ejected", "probing"}[s] }

// healthMoves lists the transitions.
var healthMoves = map[healthState][]healthState{
	healthy: {ejected},
	ejected: {probing, healthy},
	probing: {healthy, ejected},
}

// A health tracks the health of one instance. The client's mutex guards it.
type health struct {
	state  healthState
	failed int       // failures in a row
	times  int       // ejections since the last success
	until  time.Time // the end of the ejection
}

func (h *health) move(to healthState) {
	if slices.Contains(healthMoves[h.state], to) {
		h.state = to
	}
}

// maxEjection bounds the length of an ejection, which doubles each time.
const maxEjection = 5 * time.Minute

// note records the outcome of a call or dial.
func (h *health) note(ok bool, now time.Time, failures int, first time.Duration) {
	if ok {
		h.failed, h.times = 0, 0
		h.move(healthy)
		return
	}
	h.failed++
	if h.state == ejected || h.state == healthy && h.failed < failures {
		return
	}
	h.until = now.Add(min(first<<min(h.times, 20), maxEjection))
	h.times++
	h.move(ejected)
}

// usable reports whether the instance may get a call.
func (h *health) usable(now time.Time) bool {
	if h.state == ejected && !now.Before(h.until) {
		h.move(probing)
	}
	return h.state != ejected
}
