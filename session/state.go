package session

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// A state is a state of a small state machine. next returns the states that may
// follow it.
type state[S any] interface {
	~int32
	fmt.Stringer
	next() []S
}

// A machine is in one state at a time. It may be used concurrently. The zero
// value is in the first state.
type machine[S state[S]] struct{ now atomic.Int32 }

func (m *machine[S]) state() S { return S(m.now.Load()) }

// move changes the state from from to to, and reports whether it did. It panics on
// a move that the table does not allow, which would be a bug in this package.
func (m *machine[S]) move(from, to S) bool {
	if !slices.Contains(from.next(), to) {
		panic(fmt.Sprintf("session: no move from %v to %v", from, to))
	}
	return m.now.CompareAndSwap(int32(from), int32(to))
}

// State is the state of a session. docs/reliability.md has the diagram.
type State int32

// The states.
const (
	Preparing State = iota // its connect hooks run for the first time
	Open                   // messages flow
	Redialing              // the connection is gone or will be soon, and a new one is being dialed
	Closed                 // ended for good
	Lost                   // no redial has succeeded; the next call or push tries again
)

// String returns the name of the state, as docs/reliability.md has it.
func (s State) String() string {
	return [...]string{"preparing", "open", "redialing", "closed", "lost"}[s]
}

var lifeMoves = [...][]State{
	Preparing: {Open, Closed},
	Open:      {Redialing, Closed},
	Redialing: {Open, Closed, Lost},
	Closed:    {},
	Lost:      {Redialing, Closed},
}

func (s State) next() []State { return lifeMoves[s] }

// life is the state of a session.
type life struct{ machine[State] }

// end moves to Closed from any state. It returns the former state, and whether
// this call ended the session.
func (l *life) end() (was State, did bool) {
	was = State(l.now.Swap(int32(Closed)))
	return was, was != Closed
}
