package peer

import "slices"

// phase is the life-cycle state of a peer.
type phase int

const (
	serving  phase = iota
	draining       // Shutdown has begun: no listeners, no dialing; accepted connections still become sessions
	closed
)

func (p phase) String() string { return [...]string{"serving", "draining", "closed"}[p] }

var phaseMoves = [...][]phase{
	serving:  {draining, closed},
	draining: {closed},
	closed:   {},
}

// to returns the phase after a move to next. It ignores moves that the table
// does not allow, such as Shutdown of a closed peer or a second Close.
func (p phase) to(next phase) phase {
	if slices.Contains(phaseMoves[p], next) {
		return next
	}
	return p
}
