package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// How a peer shuts down without failing a call (GOAWAY in the terms of HTTP/2): it
// drains its connections, which refuse new calls, and tells the sides that
// understand. The other side sends no more calls over the connection and redials
// if it may. When the last of its calls has ended it closes the connection or, if
// it can't redial, says bye. Then no message is in flight that would be lost with
// the connection. The peer bounds the time of all this.
//
// Others, such as peers of erpc v7, get a short time to fall silent. They would take
// a refusal for the outcome of the call and send the next one at once, so a call of
// theirs that arrives meanwhile is held for a while: it is not answered. The
// connection ends as soon as the handlers at work for it have finished, and with it
// the held calls, one of each caller.

// localState is how far this side is in shutting down a connection.
type localState int32

const (
	localServing      localState = iota // new calls are served
	localDraining                       // no new calls are served; the other side does not know yet
	localHolding                        // the other side can't be told, and has called since
	localTold                           // the other side was told by a goaway
	localAcknowledged                   // the other side has said bye: it sends no more calls
)

func (s localState) String() string {
	return [...]string{"serving", "draining", "holding", "told", "acknowledged"}[s]
}

var localMoves = [...][]localState{
	localServing:      {localDraining},
	localDraining:     {localTold, localHolding},
	localHolding:      {},
	localTold:         {localAcknowledged},
	localAcknowledged: {},
}

func (s localState) next() []localState { return localMoves[s] }

// remoteState is how far the other side is in shutting down a connection.
type remoteState int32

const (
	remoteServing    remoteState = iota // it serves calls
	remoteLeaving                       // its goaway has arrived; calls of this side may be in flight
	remoteHalfClosed                    // it has closed its sending direction; its last calls may still be handled
	remoteFinished                      // the last call has ended: bye was sent, or the connection closed
)

func (s remoteState) String() string {
	return [...]string{"serving", "leaving", "half-closed", "finished"}[s]
}

var remoteMoves = [...][]remoteState{
	remoteServing:    {remoteLeaving, remoteHalfClosed},
	remoteLeaving:    {remoteFinished},
	remoteHalfClosed: {remoteFinished},
	remoteFinished:   {},
}

func (s remoteState) next() []remoteState { return remoteMoves[s] }

// leaves reports whether the other side shuts down in good order.
func (s remoteState) leaves() bool { return s == remoteLeaving || s == remoteFinished }

// How long a side that is not known to understand goaway must be silent. A side
// that has connected a moment ago and sent nothing may be a client that has just
// redialed; its first call would show what it understands.
const (
	quietAfter        = 50 * time.Millisecond
	quietAfterConnect = 500 * time.Millisecond
)

// How long a call is held, and how many calls of a connection are. Calls above
// that are refused at once.
const (
	holdFor      = 250 * time.Millisecond
	maxHeldCalls = 1000
)

// A heldCall is a call that arrived while the connection drains and is not
// answered yet.
type heldCall struct {
	seq   int32
	since time.Duration // on clock
}

// A goaway is where both sides of a connection are in their leaving of it. It may be
// used concurrently. In the zero value both serve.
type goaway struct {
	local  machine[localState]
	remote machine[remoteState]
	quiet  atomic.Pointer[quiescence] // nil until the first use; see quiescence
}

// serves reports whether this side serves new calls.
func (g *goaway) serves() bool { return g.local.state() == localServing }

// quiescence returns the quiescence of the connection, which was made at the time
// opened.
func (g *goaway) quiescence(opened time.Duration) *quiescence {
	if q := g.quiet.Load(); q != nil {
		return q
	}
	g.quiet.CompareAndSwap(nil, &quiescence{opened: opened})
	return g.quiet.Load()
}

// hold holds a call of a side that can't be told of the shutdown: it is not answered
// before the connection ends. If that takes long, drain refuses the call, unless the
// protocol answers in order. The connection was made at the time opened. hold reports
// false if too many calls are held.
func (g *goaway) hold(seq int32, inTurn bool, opened time.Duration) bool {
	g.local.move(localDraining, localHolding)
	return inTurn || g.quiescence(opened).hold(heldCall{seq, clock()})
}

// A drainLook is what one look at a draining connection has seen.
type drainLook struct {
	busy    bool // a handler is at work
	silent  bool // nothing has happened for long enough; see quiescence
	closed  bool
	flushed bool // its replies are written
	proven  bool // the other side understands a goaway
}

// decide says what l means: idle, that no handler works for the connection; quiet, that
// moreover its replies are written and nothing more is expected from the other side;
// end, that the connection holds a call and must end now.
func (g *goaway) decide(l drainLook) (idle, quiet, end bool) {
	switch {
	case l.busy:
		return false, false, false
	case l.closed:
		return true, true, false
	case !l.flushed:
		return true, false, false
	case g.local.state() == localHolding:
		return true, true, true
	case l.proven:
		return true, g.local.state() == localAcknowledged, false
	}
	return true, l.silent, false
}

// A quiescence measures how long a draining connection has been quiet. It may be
// used concurrently. The zero value has not looked yet.
type quiescence struct {
	opened time.Duration // when the connection was made

	mu     sync.Mutex    // guards the following
	idle   time.Duration // since when no handler has been at work; 0: one was at the last look
	silent time.Duration // since when no message has arrived
	seen   uint64        // messages received at the last look
	held   []heldCall    // in the order of their arrival
}

// hold keeps a call unless too many are held.
func (q *quiescence) hold(c heldCall) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.held) >= maxHeldCalls {
		return false
	}
	q.held = append(q.held, c)
	return true
}

// overdue removes and returns the calls that have been held for long enough at the
// time now.
func (q *quiescence) overdue(now time.Duration) []heldCall {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.held) && now-q.held[n].since >= holdFor {
		n++
	}
	due := q.held[:n:n]
	q.held = q.held[n:]
	return due
}

// look updates q at the time now, which must not be 0. received is the number of
// messages received so far. It reports whether the connection has been quiet for
// so long that nothing more is expected from a side that can't say bye.
func (q *quiescence) look(now time.Duration, busy bool, received uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if busy {
		q.idle = 0
		return false
	}
	if q.idle == 0 {
		q.idle = now
	}
	if received != q.seen || q.silent == 0 {
		q.seen, q.silent = received, now
	}
	wait := quietAfter
	if received == 0 && now-q.opened <= quietAfterConnect {
		wait = quietAfterConnect
	}
	return now-max(q.idle, q.silent) >= wait
}
