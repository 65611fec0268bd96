package retry

import "slices"

// A State is what a breaker does with calls.
type State int

// The states of a breaker.
const (
	Closed   State = iota // it lets them pass
	Open                  // it lets none pass
	HalfOpen              // it lets a few pass, as probes
)

var stateNames = [...]string{Closed: "closed", Open: "open", HalfOpen: "half-open"}

// String returns the name of the state.
func (s State) String() string { return stateNames[s] }

// transitions has what may follow a state:
//
//	closed     calls fail                          open
//	open       the cooldown is over                half-open
//	half-open  enough probes succeed               closed
//	half-open  a probe fails                       open
//	half-open  probes have not ended in time       half-open, with other probes
var transitions = [...][]State{
	Closed:   {Open},
	Open:     {HalfOpen},
	HalfOpen: {Closed, Open, HalfOpen},
}

func (s State) mayBecome(next State) bool { return slices.Contains(transitions[s], next) }
