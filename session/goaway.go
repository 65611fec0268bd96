package session

import "time"

// How a peer leaves without failing a call (GOAWAY in the terms of HTTP/2): it
// drains its connections, which refuse new calls, and says so to those that
// understand. The other side sends no more calls over the connection, redials if
// it may, and when the last of its calls has ended closes the connection or, if
// it can't redial, says bye. Then nothing can be on its way that an end of the
// connection would lose. Others get a short time to fall silent. The peer bounds
// all of this.

// localState is where this side is in its leaving of a connection.
type localState int32

const (
	localServing      localState = iota // new calls are served
	localDraining                       // new calls are refused; the other side does not know yet
	localTold                           // the other side was sent a goaway
	localAcknowledged                   // it has said bye: no more calls come
)

func (s localState) String() string {
	return [...]string{"serving", "draining", "told", "acknowledged"}[s]
}

var localMoves = [...][]localState{
	localServing:      {localDraining},
	localDraining:     {localTold},
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

// A quiescence is how long a draining connection has been quiet. The zero value
// has yet to look.
type quiescence struct {
	opened time.Duration // when the connection was made
	idle   time.Duration // since when no handler works for it; 0: one did at the last look
	silent time.Duration // since when no message came
	seen   uint64        // messages received at the last look
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

// drain makes the connection refuse new calls, tells the other side if that
// understands, and looks whether it is done. It is called again and again. idle
// reports that no handler works for it; quiet, that moreover its replies are
// written and nothing more is expected from the other side.
func (c *conn) drain() (idle, quiet bool) {
	if c.local.move(localServing, localDraining) {
		c.drainStreams()
	}
	if c.proof.given() && c.local.move(localDraining, localTold) {
		c.owe(debt{what: debtGoAway})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet == nil {
		c.quiet = &quiescence{opened: c.opened}
	}
	busy := c.busy()
	silent := c.quiet.look(clock(), busy, c.sock.Stats().MessagesIn)
	switch {
	case busy:
		return false, false
	case c.closed:
		return true, true
	case !c.sock.Flushed():
		return true, false
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
