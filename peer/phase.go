package peer

import "slices"

// phase is where a peer is in its life.
type phase int

const (
	serving  phase = iota
	draining       // Shutdown: no listeners, no dialing; what was accepted becomes a session still
	closed
)

func (p phase) String() string { return [...]string{"serving", "draining", "closed"}[p] }

var phaseMoves = [...][]phase{
	serving:  {draining, closed},
	draining: {closed},
	closed:   {},
}

// to returns the phase after a move to next. One that the table does not have
// changes nothing: Shutdown of a closed peer, and each of them a second time.
func (p phase) to(next phase) phase {
	if slices.Contains(phaseMoves[p], next) {
		return next
	}
	return p
}
