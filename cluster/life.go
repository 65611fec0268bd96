package cluster

import (
	"fmt"
	"sync/atomic"
)

// A lifeState is the life-cycle state of a cluster.
type lifeState int32

const (
	lifeNew lifeState = iota
	lifeStarting
	lifeRunning
	lifeClosed
)

func (s lifeState) String() string {
	return [...]string{"new", "starting", "running", "closed"}[s]
}

// lifeMoves lists the transitions.
var lifeMoves = map[lifeState][]lifeState{
	lifeNew:      {lifeStarting, lifeClosed},
	lifeStarting: {lifeRunning, lifeClosed},
	lifeRunning:  {lifeClosed},
	lifeClosed:   nil,
}

// A lifetime is the state of a cluster. The zero value is new.
type lifetime struct{ state atomic.Int32 }

func (l *lifetime) is() lifeState { return lifeState(l.state.Load()) }

func (l *lifetime) move(from, to lifeState) error {
	if !l.state.CompareAndSwap(int32(from), int32(to)) {
		return fmt.Errorf("cluster: it is %v, not %v", l.is(), from)
	}
	return nil
}

// end changes the state to closed and reports whether it was a different one.
func (l *lifetime) end() bool { return lifeState(l.state.Swap(int32(lifeClosed))) != lifeClosed }
