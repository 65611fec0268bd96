package session

import (
	"time"

	"github.com/goerpc/erpc/message"
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

// hold keeps the answer to a call of a side that can't be told back, for the end of
// the connection. Drain refuses it if that does not come soon; a protocol that answers
// in order gets no answer out of turn. It reports false if too many are held.
func (c *conn) hold(seq int32, inTurn bool) bool {
	c.local.move(localDraining, localHolding)
	if inTurn {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.quietLocked()
	if len(q.held) >= maxHeldCalls {
		return false
	}
	q.held = append(q.held, heldCall{seq, clock()})
	return true
}

// refuseHeld answers the calls that have been held for long enough.
func (c *conn) refuseHeld() {
	c.mu.Lock()
	due := c.quietLocked().overdue(clock())
	c.mu.Unlock()
	for _, call := range due {
		c.owe(debt{what: debtRefusal, code: message.CodeShuttingDown, seq: call.seq, cause: ErrShutdown})
	}
	if len(due) > 0 {
		c.sock.StartFlush()
	}
}

// quietLocked returns what is known of the quiet of the connection.
func (c *conn) quietLocked() *quiescence {
	if c.quiet == nil {
		c.quiet = &quiescence{opened: c.opened}
	}
	return c.quiet
}

// A quiescence is how long a draining connection has been quiet. The zero value
// has yet to look.
type quiescence struct {
	opened time.Duration // when the connection was made
	idle   time.Duration // since when no handler works for it; 0: one did at the last look
	silent time.Duration // since when no message came
	seen   uint64        // messages received at the last look
	held   []heldCall    // in the order in which they came
}

// overdue returns the calls that have been held for long enough at the time now, and
// forgets them.
func (q *quiescence) overdue(now time.Duration) []heldCall {
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

// drain makes the connection serve no new calls, tells the other side if that
// understands, and looks whether it is done. It ends a connection that holds a call
// when nothing else is at work there. It is called again and again. idle
// reports that no handler works for it; quiet, that moreover its replies are
// written and nothing more is expected from the other side.
func (c *conn) drain() (idle, quiet bool) {
	if c.local.move(localServing, localDraining) {
		c.drainStreams()
	}
	if c.proof.given() && c.local.move(localDraining, localTold) {
		c.owe(debt{what: debtGoAway})
	}
	c.refuseHeld()
	c.mu.Lock()
	defer c.mu.Unlock()
	busy := c.busy()
	silent := c.quietLocked().look(clock(), busy, c.sock.Stats().MessagesIn)
	switch {
	case busy:
		return false, false
	case c.closed:
		return true, true
	case !c.sock.Flushed():
		return true, false
	case c.local.state() == localHolding:
		go c.sess.End(ErrShutdown) // it has hooks
		return true, true
	case c.proof.given():
		return true, c.local.state() == localAcknowledged
	}
	return true, silent
}

// leave lets no more calls be sent over the connection, whose other side is going
// away. Those in flight stay until they end.
func (c *conn) leave() {
	c.pending.Stop()
	c.remote.move(remoteServing, remoteLeaving)
	c.drainStreams()
	c.closeIfDone()
}

// closeIfDone ends a connection whose other side goes away, or sends no more, once
// nothing is at work on it. It is called whenever something has ended there.
func (c *conn) closeIfDone() {
	state := c.remote.state()
	switch state {
	case remoteServing, remoteFinished:
		return
	}
	if c.pending.Len() > 0 || c.busy() || !c.remote.move(state, remoteFinished) {
		return
	}
	if state == remoteHalfClosed {
		go c.endHalfClosed()
		return
	}
	if c.replaceable {
		go c.close(nil)
		return
	}
	c.owe(debt{what: debtBye})
}

// onBye notes that the other side sends no more calls.
func (c *conn) onBye() { c.local.move(localTold, localAcknowledged) }
