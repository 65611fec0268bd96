package socket

// writerState says who writes what is queued on a socket. At most one
// goroutine does; it is the leader.
type writerState uint8

const (
	idle        writerState = iota // nobody writes; what is queued waits for the next flush
	scheduled                      // the write is left to the flusher pool or the flush delay and has not begun
	starting                       // the write is left to a goroutine that may block and has not begun
	writing                        // the leader writes the queue
	writingBody                    // the leader is a sender that writes its own large body from where it lies
)

// String returns the name of the state, as docs/reliability.md has it.
func (s writerState) String() string {
	return [...]string{"idle", "scheduled", "starting", "writing", "writingBody"}[s]
}

// writerMoves lists the states that may follow each state.
var writerMoves = [...][]writerState{
	idle:        {scheduled, writing, writingBody},
	scheduled:   {writing, writingBody},
	starting:    {writing},
	writing:     {idle, scheduled, starting, writingBody},
	writingBody: {writing, starting},
}

// move changes the state. It panics on a move that is never allowed, which
// would be a mistake of this package.
func (s *writerState) move(to writerState) {
	if !contains(writerMoves[*s], to) {
		panic("socket: a writer can't go from " + s.String() + " to " + to.String())
	}
	*s = to
}

// lifeState says whether a socket still sends.
type lifeState uint8

const (
	open      lifeState = iota // messages are queued and written
	lingering                  // nothing more is queued; what was is written, for a limited time
	closed                     // nothing is written any more; the connection is closed, or about to be
)

// String returns the name of the state, as docs/reliability.md has it.
func (s lifeState) String() string { return [...]string{"open", "lingering", "closed"}[s] }

// lifeMoves lists the states that may follow each state.
var lifeMoves = [...][]lifeState{
	open:      {lingering, closed},
	lingering: {closed},
	closed:    {},
}

// move changes the state. It panics on a move that is never allowed, which
// would be a mistake of this package.
func (s *lifeState) move(to lifeState) {
	if !contains(lifeMoves[*s], to) {
		panic("socket: a socket can't go from " + s.String() + " to " + to.String())
	}
	*s = to
}

// contains reports whether s is in list.
func contains[S ~uint8](list []S, s S) bool {
	for _, t := range list {
		if t == s {
			return true
		}
	}
	return false
}
