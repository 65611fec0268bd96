package session

import "time"

// How a peer leaves without failing a call (GOAWAY in the terms of HTTP/2): it
// drains its links, which refuse new calls, and says so to those who understand.
// The other side retires the link: it sends no more calls over it, redials if it
// may, and when the last of its calls has ended closes the connection or, if it
// can't redial, says bye. Then nothing can be on its way that an end of the
// connection would lose. Others get a short time to fall silent. The peer bounds
// all of this.

// How long a side that is not known to understand goaway must have sent no
// message. One that has not sent any may be a client that has just redialed,
// whose first call would tell.
const (
	silence      = 50 * time.Millisecond
	firstSilence = 500 * time.Millisecond
)

// lull is how long a draining link has been quiet. The link's mutex guards it.
type lull struct {
	idle   time.Duration // since when no handler works for it; 0: one did at the last look
	silent time.Duration // since when no message came
	seen   uint64        // messages received at the last look
}

// Drain makes the session refuse new calls and tells the other side if that is
// erpc. It is called again and again. idle reports that no handler works for
// the session; quiet, that moreover its replies are written and nothing more is
// expected from the other side.
func (c *Conn) Drain() (idle, quiet bool) {
	l := c.link.Load()
	if !l.draining.Swap(true) && l.ours.Load() {
		l.sendControl(controlGoAway, 0)
	}
	return l.drained(clock())
}

func (l *link) drained(now time.Duration) (idle, quiet bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet == nil {
		l.quiet = new(lull)
	}
	q := l.quiet
	if l.busy() {
		q.idle = 0
		return false, false
	}
	if q.idle == 0 {
		q.idle = now
	}
	if n := l.sock.Stats().MessagesIn; n != q.seen || q.silent == 0 {
		q.seen, q.silent = n, now
	}
	switch {
	case l.closed:
		return true, true
	case !l.sock.Flushed():
		return true, false
	case l.ours.Load():
		return true, l.gotBye.Load()
	}
	wait := silence
	if q.seen == 0 {
		wait = firstSilence
	}
	return true, now-max(q.idle, q.silent) >= wait
}

// retire lets no more calls be sent over l, whose other side is going away.
// Another connection takes its place if the session can dial one. The calls in
// flight stay on l until they end.
func (c *Conn) retire(l *link) {
	c.mu.Lock()
	again := c.link.Load() == l && c.dial != nil && c.life.state() == Open && c.life.move(Open, Redialing)
	if again {
		c.former = append(c.former, l)
	}
	c.mu.Unlock()
	if c.dial != nil && !again {
		return // closed, or somebody else was first
	}
	l.pending.stop()
	l.retiring.Store(true)
	if again {
		go c.redial(l)
	}
	l.depart()
}

// depart ends a link that is retiring once nothing is at work on it. It is called
// whenever something has ended there.
func (l *link) depart() {
	if !l.retiring.Load() || l.pending.len() > 0 || l.busy() || l.saidBye.Swap(true) {
		return
	}
	if l.conn.dial == nil {
		l.sendControl(controlBye, 0)
		return
	}
	go l.close(nil)
}

// forget takes l out of the links that have been replaced.
func (c *Conn) forget(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.former {
		if f == l {
			c.former = append(c.former[:i], c.former[i+1:]...)
			return
		}
	}
}
