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
func (l *link) admit(h *Handler, x *exchange) bool {
	cfg := l.conn.cfg
	if n := l.handlers.Add(1); cfg.MaxSessionHandlers > 0 && int(n) > cfg.MaxSessionHandlers {
		l.handlers.Add(-1)
		return false
	}
	if n := cfg.handlers.Add(1); cfg.MaxHandlers > 0 && int(n) > cfg.MaxHandlers {
		l.release()
		return false
	}
	if h != nil && h.limit > 0 && h.running.Add(1) > h.limit {
		h.running.Add(-1)
		l.release()
		return false
	}
	x.weight = weigh(&x.in)
	l.inflight.Add(x.weight)
	return true
}

// unadmit is the end of what admit counted. weight is that of the exchange,
// which may be gone.
func (l *link) unadmit(h *Handler, weight int64) {
	if h != nil && h.limit > 0 {
		h.running.Add(-1)
	}
	l.inflight.Add(-weight)
	l.release()
}

// hold counts a handler that is there already: one that held up its leader.
func (l *link) hold() {
	l.handlers.Add(1)
	l.conn.cfg.handlers.Add(1)
}

// release is the end of what hold counted, and of what admit did but for the
// handler's own count.
func (l *link) release() {
	l.handlers.Add(-1)
	l.conn.cfg.handlers.Add(-1)
	l.unstall()
	l.depart()
}

// refuse answers a call that is not executed; a push is only counted in the
// log. The answer waits for no room, because the leader must read on.
func (x *exchange) refuse(code int32, cause error) {
	if x.in.Mtype() != message.TypeCall {
		x.Warnf("session %s: push to %s refused: %v", x.link.conn.ID(), x.in.ServiceMethod(), cause)
		return
	}
	x.refusing = true
	x.reply(new(Hooks), nil, newStatus(code, cause), true)
}

// refused answers a call that comes while the link drains, and reports whether
// it did. The caller asks after it has counted the handler: so either this sees
// that the link drains, or who drains it sees the handler. Pushes are handled as
// long as there is a connection: nobody would be told.
func (x *exchange) refused() bool {
	if x.in.Mtype() != message.TypeCall || !x.link.draining.Load() {
		return false
	}
	x.refuse(message.CodeShuttingDown, ErrShutdown)
	return true
}

// ordered are the messages of a link that must be handled one after another.
// The link's mutex guards it.
type ordered struct{ waiting []*exchange }

// serveOrdered hands x to the one worker that handles such messages.
func (l *link) serveOrdered(x *exchange) {
	x.inOrder = true
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ordered != nil {
		l.ordered.waiting = append(l.ordered.waiting, x)
		return
	}
	l.ordered = new(ordered)
	l.conn.cfg.workers.Run(x)
}

// nextOrdered returns the message that comes after the one just handled, nil
// if there is none.
func (l *link) nextOrdered() *exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ordered.waiting) == 0 {
		l.ordered = nil
		return nil
	}
	x := l.ordered.waiting[0]
	l.ordered.waiting[0] = nil
	l.ordered.waiting = l.ordered.waiting[1:]
	return x
}
