package kcp

import "fmt"

// A stage is the progress of an address at a gate.
type stage uint8

const (
	// stageProved: it has sent the cookie back, so it receives what is sent to it.
	// It may begin a session.
	stageProved stage = iota
	// stageHalfOpen: it has a session of kcp-go, from which nothing has been read
	// yet.
	stageHalfOpen
	// stageOpen: its session was passed to Accept.
	stageOpen
	// stageEnded: it is a stranger again.
	stageEnded

	stages = iota
)

// String implements [fmt.Stringer].
func (s stage) String() string {
	names := [stages]string{"proved", "half-open", "open", "ended"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// stageMoves lists the stages that may follow each stage.
var stageMoves = [stages][]stage{
	stageProved:   {stageHalfOpen, stageEnded},
	stageHalfOpen: {stageOpen, stageEnded},
	stageOpen:     {stageEnded},
	stageEnded:    {},
}

// mayBecome reports whether s may be followed by next.
func (s stage) mayBecome(next stage) bool {
	for _, to := range stageMoves[s] {
		if to == next {
			return true
		}
	}
	return false
}

// waits reports whether an address of this stage counts as half-open.
func (s stage) waits() bool { return s == stageProved || s == stageHalfOpen }
