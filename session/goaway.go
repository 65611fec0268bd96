package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// How a peer leaves without failing a call (GOAWAY in the terms of HTTP/2): it
// drains its connections, which refuse new calls, and says so to those that
// understand. The other side sends no more calls over the connection, redials if
// it may, and when the last of its calls has ended closes the connection or, if
// it can't redial, says bye. Then nothing can be on its way that an end of the
// connection would lose. The peer bounds all of this.
//
// Others, such as peers of erpc v7, get a short time to fall silent. They would take
// a refusal for the outcome of the call and send the next one at once, so a call of
// theirs that comes meanwhile is held for a while: not answered. As soon as the
// handlers at work for them have finished, the connection ends, and with it that
// call: one for each caller.

// localState is where this side is in its leaving of a connection.
type localState int32

const (
	localServing      localState = iota // new calls are served
	localDraining                       // no new calls are served; the other side does not know yet
	localHolding                        // nor can it be told, and has called since
	localTold                           // the other side was sent a goaway
	localAcknowledged                   // it has said bye: no more calls come
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

// remoteState is where the other side is in its leaving of a connection.
type remoteState int32

const (
	remoteServing    remoteState = iota // it takes calls
	remoteLeaving                       // its goaway has come; calls of this side may be in flight still
	remoteHalfClosed                    // it has ended what it sends; its last calls may be in flight still
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

// leaves reports whether the other side goes away in good order.
func (s remoteState) leaves() bool { return s == remoteLeaving || s == remoteFinished }

// How long a side that is not known to understand goaway must have sent no
// message. One that has not sent any, and connected a moment ago, may be a client
// that has just redialed, whose first call would tell.
const (
	quietAfter        = 50 * time.Millisecond
	quietAfterConnect = 500 * time.Millisecond
)

// How long a call is held, and how many of a connection are; what is above that is
// refused at once.
const (
	holdFor      = 250 * time.Millisecond
	maxHeldCalls = 1000
)

// A heldCall is one that came while the connection drains and is not answered yet.
type heldCall struct {
	seq   int32
	since time.Duration // on clock
}

// A goaway is where both sides of a connection are in their leaving of it. It may be
// used concurrently. In the zero value both serve.
type goaway struct {
	local  machine[localState]
	remote machine[remoteState]
	quiet  atomic.Pointer[quiescence] // nil: nobody has asked for it; see quiescence
}

// serves reports whether this side serves new calls.
func (g *goaway) serves() bool { return g.local.state() == localServing }

// quiescence returns what is known of the quiet of the connection, which was made at
// the time opened.
func (g *goaway) quiescence(opened time.Duration) *quiescence {
	if q := g.quiet.Load(); q != nil {
		return q
	}
	g.quiet.CompareAndSwap(nil, &quiescence{opened: opened})
	return g.quiet.Load()
}

// hold keeps the answer to a call of a side that can't be told back, for the end of
// the connection, which was made at the time opened. Drain refuses it if that does not
// come soon; a protocol that answers in order gets no answer out of turn. It reports
// false if too many are held.
func (g *goaway) hold(seq int32, inTurn bool, opened time.Duration) bool {
	g.local.move(localDraining, localHolding)
	return inTurn || g.quiescence(opened).hold(heldCall{seq, clock()})
}

// A drainLook is what one look at a draining connection has seen of it.
type drainLook struct {
	busy    bool // a handler works for it
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

// A quiescence is how long a draining connection has been quiet. It may be used
// concurrently. The zero value has yet to look.
type quiescence struct {
	opened time.Duration // when the connection was made

	mu     sync.Mutex    // guards the following
	idle   time.Duration // since when no handler works for it; 0: one did at the last look
	silent time.Duration // since when no message came
	seen   uint64        // messages received at the last look
	held   []heldCall    // in the order in which they came
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

// overdue returns the calls that have been held for long enough at the time now, and
// forgets them.
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

// look brings q up to date at the time now, never 0. received counts the
// messages that have come. It reports whether nothing has happened for long
// enough to expect nothing more from a side that can't say so.
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
