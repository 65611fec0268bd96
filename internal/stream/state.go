package stream

import "sync/atomic"

// State is the state of one end of a stream.
type State int32

// The states. The end that opened the stream passes through SendClosed, the end
// that handles it through RecvClosed.
const (
	Open       State = iota // messages flow both ways
	SendClosed              // this end, the opener, sends no more messages
	RecvClosed              // the opener has said that it sends no more messages
	Ended                   // final; the stream has a status
)

// String returns the name of the state, as docs/streams.md has it.
func (s State) String() string {
	return [...]string{"open", "send closed", "receive closed", "ended"}[s]
}

// moves lists the states that may follow each state.
var moves = [...][]State{
	Open:       {SendClosed, RecvClosed, Ended},
	SendClosed: {Ended},
	RecvClosed: {Ended},
	Ended:      {},
}

// A Life is the state of one end of a stream. The zero value is open. It may be
// used concurrently.
type Life struct{ now atomic.Int32 }

// State returns the state.
func (l *Life) State() State { return State(l.now.Load()) }

// Move changes the state and reports whether it did. It does not if the state is
// to already, or if the table does not allow the move: the end of a stream races
// with every other change, and wins.
func (l *Life) Move(to State) bool {
	for {
		from := State(l.now.Load())
		if !allowed(from, to) {
			return false
		}
		if l.now.CompareAndSwap(int32(from), int32(to)) {
			return true
		}
	}
}

func allowed(from, to State) bool {
	for _, m := range moves[from] {
		if m == to {
			return true
		}
	}
	return false
}
