package session

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc/message"
)

var errTooManyHandlers = errors.New("session: too many handlers in flight; the message was not executed")

type mtypeError struct {
	mtype  byte
	method string
}

func (e *mtypeError) Error() string {
	return fmt.Sprintf("%v: %s (%d) to %q", ErrMtype, message.TypeText(e.mtype), e.mtype, e.method)
}

func (e *mtypeError) Unwrap() error { return ErrMtype }

// admit counts one more handler and the message it is for, unless a bound is
// reached. h may be nil.
func (c *conn) admit(h *Handler, x *exchange) bool {
	cfg := c.sess.shared
	if n := c.handlers.Add(1); cfg.MaxSessionHandlers > 0 && int(n) > cfg.MaxSessionHandlers {
		c.handlers.Add(-1)
		return false
	}
	if n := cfg.handlers.Add(1); cfg.MaxHandlers > 0 && int(n) > cfg.MaxHandlers {
		c.release()
		return false
	}
	if h != nil && h.limit > 0 && h.running.Add(1) > h.limit {
		h.running.Add(-1)
		c.release()
		return false
	}
	x.weight = weigh(&x.in)
	c.inflight.Add(x.weight)
	return true
}

// unadmit is the end of what admit counted. weight is that of the exchange,
// which may be gone.
func (c *conn) unadmit(h *Handler, weight int64) {
	if h != nil && h.limit > 0 {
		h.running.Add(-1)
	}
	c.inflight.Add(-weight)
	c.release()
}

// countBlocked counts a handler that is there already: one that held up its leader.
func (c *conn) countBlocked() {
	c.handlers.Add(1)
	c.sess.shared.handlers.Add(1)
}

// release is the end of what hold counted, and of what admit did but for the
// handler's own count.
func (c *conn) release() {
	c.handlers.Add(-1)
	c.sess.shared.handlers.Add(-1)
	c.signalRoom()
	c.closeIfDone()
}

// refuse answers a call that is not executed; a push is only counted in the
// log. The answer waits for no room, because the leader must read on.
func (x *exchange) refuse(code int32, cause error) {
	if x.in.Mtype() != message.TypeCall {
		x.Warnf("session %s: push to %s refused: %v", x.conn.sess.ID(), x.in.ServiceMethod(), cause)
		return
	}
	x.refusing = true
	x.reply(new(Hooks), nil, newStatus(code, cause), true)
}

// refused answers a call that comes while the connection drains, and reports whether
// it did. The caller asks after it has counted the handler: so either this sees
// that the connection drains, or who drains it sees the handler. Pushes are handled as
// long as there is a connection: nobody would be told.
func (x *exchange) refused() bool {
	if x.in.Mtype() != message.TypeCall || !x.conn.draining.Load() {
		return false
	}
	x.refuse(message.CodeShuttingDown, ErrShutdown)
	return true
}

// ordered are the messages of a connection that must be handled one after another.
// The connection's mutex guards it.
type ordered struct{ waiting []*exchange }

// serveOrdered hands x to the one worker that handles such messages.
func (c *conn) serveOrdered(x *exchange) {
	x.inOrder = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ordered != nil {
		c.ordered.waiting = append(c.ordered.waiting, x)
		return
	}
	c.ordered = new(ordered)
	c.sess.shared.workers.Run(x)
}

// nextOrdered returns the message that comes after the one just handled, nil
// if there is none.
func (c *conn) nextOrdered() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ordered.waiting) == 0 {
		c.ordered = nil
		return nil
	}
	x := c.ordered.waiting[0]
	c.ordered.waiting[0] = nil
	c.ordered.waiting = c.ordered.waiting[1:]
	return x
}
