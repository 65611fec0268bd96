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
	if limit > 0 || x.conn.sess.shared.CallLimit <= 0 {
		return limit
	}
	if _, bounded := x.out.Context().Deadline(); bounded {
		return 0
	}
	return x.conn.sess.shared.CallLimit
}

// Cancel ends a call of AsyncCall with CodeCanceled, unless it has ended. If
// the call has a context that can end, a timeout or [WithCancel], and the other
// side is erpc, the context of its handler ends too. It may be called
// anywhere, and waits for nothing.
func (cmd *CallCmd) Cancel() {
	if cmd.quit == nil || cmd.quits.Swap(true) {
		return
	}
	close(cmd.quit) // it may wait for a redial
	if cmd.starting.TryLock() {
		cmd.cancelSent()
		return
	}
	go func() { // it is being sent, which may wait for room
		cmd.starting.Lock()
		cmd.cancelSent()
	}()
}

// cancelSent ends a call that was sent. It is called with starting held, and
// lets go of that.
func (cmd *CallCmd) cancelSent() {
	c := cmd.conn
	if c == nil || c.pending.take(cmd.seq) == nil { // not sent yet, so that it finds itself cancelled, or over
		cmd.starting.Unlock()
		return
	}
	cmd.resendable = false
	cmd.starting.Unlock()
	c.cancelRemote(cmd)
	c.closeIfDone()
	cmd.finish(statusCanceled())
}
