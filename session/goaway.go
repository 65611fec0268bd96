package session

import "time"

// How a peer leaves without failing a call (GOAWAY in the terms of HTTP/2): it
// drains its connections, which refuse new calls, and says so to those who understand.
// The other side retires the connection: it sends no more calls over it, redials if it
// may, and when the last of its calls has ended closes the connection or, if it
// can't redial, says bye. Then nothing can be on its way that an end of the
// connection would lose. Others get a short time to fall silent. The peer bounds
// all of this.

// How long a side that is not known to understand goaway must have sent no
// message. One that has not sent any may be a client that has just redialed,
// whose first call would tell.
const (
	quietAfter        = 50 * time.Millisecond
	quietAfterConnect = 500 * time.Millisecond
)

// quiescence is how long a draining connection has been quiet. The connection's mutex guards it.
type quiescence struct {
	idle   time.Duration // since when no handler works for it; 0: one did at the last look
	silent time.Duration // since when no message came
	seen   uint64        // messages received at the last look
}

// Drain makes the session refuse new calls and tells the other side if that is
// erpc. It is called again and again. idle reports that no handler works for
// the session; quiet, that moreover its replies are written and nothing more is
// expected from the other side.
func (s *Engine) Drain() (idle, quiet bool) {
	c := s.conn.Load()
	if !c.draining.Swap(true) {
		if c.peerIsErpc.Load() {
			c.sendControl(controlGoAway, 0)
		}
		c.drainStreams()
	}
	return c.drained(clock())
}

func (c *conn) drained(now time.Duration) (idle, quiet bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiescence == nil {
		c.quiescence = new(quiescence)
	}
	q := c.quiescence
	if c.busy() {
		q.idle = 0
		return false, false
	}
	if q.idle == 0 {
		q.idle = now
	}
	if n := c.sock.Stats().MessagesIn; n != q.seen || q.silent == 0 {
		q.seen, q.silent = n, now
	}
	switch {
	case c.closed:
		return true, true
	case !c.sock.Flushed():
		return true, false
	case c.peerIsErpc.Load():
		return true, c.gotBye.Load()
	}
	wait := quietAfter
	if q.seen == 0 {
		wait = quietAfterConnect
	}
	return true, now-max(q.idle, q.silent) >= wait
}

// onGoAway lets no more calls be sent over c, whose other side is going away.
// Another connection takes its place if the session can dial one. The calls in
// flight stay on c until they end.
func (s *Engine) onGoAway(c *conn) {
	s.mu.Lock()
	again := s.conn.Load() == c && s.dial != nil && s.life.state() == Open && s.life.move(Open, Redialing)
	if again {
		s.former = append(s.former, c)
	}
	s.mu.Unlock()
	if s.dial != nil && !again {
		return // closed, or somebody else was first
	}
	c.pending.stop()
	c.goAwayReceived.Store(true)
	c.drainStreams()
	if again {
		go s.redial(c)
	}
	c.closeIfDone()
}

// closeIfDone ends a connection that is retiring once nothing is at work on it. It is called
// whenever something has ended there.
func (c *conn) closeIfDone() {
	if !c.goAwayReceived.Load() || c.pending.len() > 0 || c.busy() || c.saidBye.Swap(true) {
		return
	}
	if c.sess.dial == nil {
		c.sendControl(controlBye, 0)
		return
	}
	go c.close(nil)
}

// forget takes c out of the connections that have been replaced.
func (s *Engine) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.former {
		if f == c {
			s.former = append(s.former[:i], s.former[i+1:]...)
			return
		}
	}
}
