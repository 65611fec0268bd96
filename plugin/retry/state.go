package retry

import "slices"

// A State is the state of a breaker.
type State int

// The states of a breaker.
const (
	Closed   State = iota // calls pass
	Open                  // calls are refused
	HalfOpen              // a few calls pass, as probes
)

var stateNames = [...]string{Closed: "closed", Open: "open", HalfOpen: "half-open"}

// String returns the name of the state.
func (s State) String() string { return stateNames[s] }

// transitions lists the states that may follow each state:
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
