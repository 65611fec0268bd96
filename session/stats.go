package session

import (
	"sync"
	"time"

	"github.com/goerpc/erpc/socket"
)

// Totals are the counters of all connections of an owner, past and present.
type Totals struct {
	Stats
	Connections int // open
	Ended       int // connections that have ended; a redial makes another
}

// totals are the counters of connections that have ended. The zero value is
// ready.
type totals struct {
	mu    sync.Mutex // guards the following
	sum   socket.Stats
	ended int
}

func (t *totals) add(s socket.Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Queued = 0 // what waits now is as good as written
	add(&t.sum, s)
	t.ended++
}

func add(sum *socket.Stats, s socket.Stats) {
	sum.MessagesIn += s.MessagesIn
	sum.MessagesOut += s.MessagesOut
	sum.BytesIn += s.BytesIn
	sum.BytesOut += s.BytesOut
	sum.Reads += s.Reads
	sum.Writes += s.Writes
	sum.Dropped += s.Dropped
	sum.Queued += s.Queued
}

// Totals returns the counters of the sessions given and of all connections that
// have ended.
func (c *Config) Totals(sessions []*Conn) Totals {
	var t Totals
	for _, conn := range sessions {
		if conn.link.Load().isClosed() {
			continue
		}
		s := conn.Stats()
		add(&t.Stats.Stats, s.Stats)
		t.Pending += s.Pending
		t.Connections++
	}
	t.Handlers = c.Handlers()
	c.totals.mu.Lock()
	defer c.totals.mu.Unlock()
	add(&t.Stats.Stats, c.totals.sum)
	t.Ended = c.totals.ended
	return t
}

// stuck is what the last look for stuck connections saw.
type stuck struct {
	bytes uint64        // received
	since time.Duration // on clock, when calls first waited with no byte since
}

// EndStuck ends the connection, and with it the calls that wait, if calls have
// waited for limit and nothing was received meanwhile. The session redials if
// it may. One goroutine at a time may call it.
func (c *Conn) EndStuck(limit time.Duration) {
	if c.life.state() != Open {
		return
	}
	l := c.link.Load()
	in, now := l.sock.Stats().BytesIn, clock()
	switch {
	case l.pending.len() == 0:
		l.stuck = nil
	case l.stuck == nil || in != l.stuck.bytes:
		l.stuck = &stuck{in, now}
	case now-l.stuck.since >= limit:
		c.cfg.Logger.Warn("connection is stuck", "session", c.ID(), "remote", c.RemoteAddr(), "pending", l.pending.len(), "limit", limit)
		c.linkDown(l, ErrStuck)
	}
}
