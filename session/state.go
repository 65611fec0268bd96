package session

import "sync/atomic"

// State is where a session is in its life. docs/reliability.md has the diagram.
type State int32

// The states.
const (
	Preparing State = iota // its connect hooks run for the first time
	Open                   // messages flow
	Redialing              // the connection is gone, or about to go, and a new one is being made
	Closed                 // for good
)

// String returns the name of the state, as docs/reliability.md has it.
func (s State) String() string { return [...]string{"preparing", "open", "redialing", "closed"}[s] }

// moves are the allowed ones.
var moves = [...][]State{
	Preparing: {Open, Closed},
	Open:      {Redialing, Closed},
	Redialing: {Open, Closed},
	Closed:    {},
}

// life is the state of a session. It may be used concurrently.
type life struct{ now atomic.Int32 }

func (l *life) state() State { return State(l.now.Load()) }

// move changes the state from one to another and reports whether it was the
// caller that did. It panics on a move that is never allowed, which would be a
// mistake of this package.
func (l *life) move(from, to State) bool {
	if !allowed(from, to) {
		panic("session: no session goes from " + from.String() + " to " + to.String())
	}
	return l.now.CompareAndSwap(int32(from), int32(to))
}

// end moves to Closed from wherever the session is. It reports where that was,
// and whether it was the caller that ended it.
func (l *life) end() (was State, did bool) {
	was = State(l.now.Swap(int32(Closed)))
	return was, was != Closed
}

func allowed(from, to State) bool {
	for _, m := range moves[from] {
		if m == to {
			return true
		}
	}
	return false
}
