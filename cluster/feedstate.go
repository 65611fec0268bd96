package cluster

import "slices"

// A feedState says where a member of a room with history gets its pushes from.
type feedState byte

const (
	feedWaiting feedState = iota // nowhere: it is joining, and its position is not known yet
	feedLive                     // live from the engine
	feedBehind                   // from the log, until it has caught up
	feedBlocked                  // nowhere: its queue is full, or the log can't be read
)

func (s feedState) String() string {
	return [...]string{"waiting", "live", "behind", "blocked"}[s]
}

// feedMoves lists the transitions. A member in any state may join again.
var feedMoves = map[feedState][]feedState{
	feedWaiting: {feedLive, feedBehind},
	feedLive:    {feedBehind, feedBlocked, feedWaiting},
	feedBehind:  {feedLive, feedBlocked, feedWaiting},
	feedBlocked: {feedBehind, feedWaiting},
}

// moveLocked changes the state if the table allows it, and reports whether it
// does. The topic's mu is held.
func (in *membership) moveLocked(to feedState) bool {
	may := slices.Contains(feedMoves[in.state], to)
	if may {
		in.state = to
	}
	return may
}
