package session

import (
	"strconv"
	"time"

	"github.com/goerpc/erpc/message"
)

// WithTimeout bounds a call: it ends with CodeHandleTimeout when no reply has
// come for d, and the handler learns how much time it has. A deadline of the
// context that is sooner counts.
func WithTimeout(d time.Duration) message.Setting {
	ms := max(1, int64((d+time.Millisecond-1)/time.Millisecond))
	return message.WithSetMeta(MetaTimeout, strconv.FormatInt(ms, 10))
}

// WithCancel lets [CallCmd.Cancel] reach the handler too: its context ends.
// Calls whose context can end need no such setting.
func WithCancel() message.Setting { return message.WithSetMeta(MetaTimeout, "0") }

// callLimit returns how long the call may take: the shorter of the context age
// and what [WithTimeout] says or, if nothing else bounds the call, the limit of
// the peer. 0 is no limit.
func (x *exchange) callLimit(age time.Duration) time.Duration {
	limit := age
	if x.out.Meta().Len() > 0 {
		ms, err := strconv.ParseUint(string(x.out.Meta().Peek(MetaTimeout)), 10, 40)
		if d := time.Duration(ms) * time.Millisecond; err == nil && d > 0 && (limit <= 0 || d < limit) {
			limit = d
		}
	}
	if limit > 0 || x.link.conn.cfg.CallLimit <= 0 {
		return limit
	}
	if _, bounded := x.out.Context().Deadline(); bounded {
		return 0
	}
	return x.link.conn.cfg.CallLimit
}

// Cancel ends a call of AsyncCall with CodeCanceled, unless it has ended. If
// the call has a context that can end, a timeout or [WithCancel], and the other
// side is erpc, the context of its handler ends too. It may be called
// anywhere, and waits for nothing.
func (c *CallCmd) Cancel() {
	if c.quit == nil || c.quits.Swap(true) {
		return
	}
	close(c.quit) // it may wait for a redial
	if c.starting.TryLock() {
		c.cancelSent()
		return
	}
	go func() { // it is being sent, which may wait for room
		c.starting.Lock()
		c.cancelSent()
	}()
}

// cancelSent ends a call that was sent. It is called with starting held, and
// lets go of that.
func (c *CallCmd) cancelSent() {
	l := c.link
	if l == nil || l.pending.take(c.seq) == nil { // not sent yet, so that it finds itself cancelled, or over
		c.starting.Unlock()
		return
	}
	c.again = false
	c.starting.Unlock()
	l.cancelRemote(c)
	l.depart()
	c.finish(statusCanceled())
}
