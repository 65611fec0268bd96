package session

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/goerpc/erpc/message"
)

var errTooManyHandlers = errors.New("session: too many handlers in flight; the message was not executed")

// yieldEvery is how many handlers may begin until the reading goroutine lets them
// run, so that the size of their replies is known before thousands have begun.
const yieldEvery = 64

// A slot is the place of one message among those that are being handled: among
// the handlers of its peer, of its session and of its method, and in the bytes in
// flight. It is given back in two steps. The place at work is free when the
// handler has returned, before the reply is written: a caller that has its reply
// may call again, and one that does not read keeps nobody else from the handlers.
// The rest is free when the reply is written, and has a bound of its own, see
// maxHeld. The zero value is none, and free on it does nothing.
type slot struct {
	c       *conn
	working bool     // the handler has not returned
	h       *Handler // whose own limit counts the message; nil: none does
	backlog *backlog // that lets the message run; nil: none
	weight  int64    // bytes in flight

	loop *readLoop // on whose goroutine the handler runs, in place of all of the above; else nil
}

// minReplying is how many messages may have their reply written at the least,
// however few handlers may be at work.
const minReplying = 64

// maxHeld bounds the messages that are being handled, from when they get their
// slot until their reply is written, where at most limit handlers are at work.
func maxHeld(limit int) int64 { return int64(limit) + int64(max(limit, minReplying)) }

// acquire takes the slot of x, whose handler is h, which may be nil. It reports
// false if a bound is reached.
func (c *conn) acquire(x *exchange, h *Handler) bool {
	sh := c.shared
	s := c.occupy()
	if !withinLimit(sh.MaxSessionHandlers, int64(c.working.Load()), int64(c.handlers.Load())) ||
		!withinLimit(sh.MaxHandlers, sh.working.Load(), sh.handlers.Load()) {
		s.free()
		return false
	}
	if h != nil && h.limit > 0 && !h.queues() { // a backlog counts for itself
		if h.running.Add(1) > h.limit {
			h.running.Add(-1)
			s.free()
			return false
		}
		s.h = h
	}
	s.weight = weigh(&x.in)
	c.budget.add(s.weight)
	x.slot = s
	return true
}

// withinLimit reports whether a message that is counted already may be handled;
// limit is that of the handlers at work, 0 is none.
func withinLimit(limit int, working, held int64) bool {
	return limit <= 0 || working <= int64(limit) && held <= maxHeld(limit)
}

// handlerDone gives back the place at work: the handler has returned.
func (s *slot) handlerDone() {
	if s.loop != nil {
		s.loop.handlerDone()
		return
	}
	if s.working {
		s.working = false
		s.c.handlerReturned()
	}
	b, h := s.backlog, s.h
	s.backlog, s.h = nil, nil
	if b != nil {
		b.handlerDone()
	}
	if h != nil {
		h.running.Add(-1)
	}
}

// free gives back whatever of the slot is still held.
func (s *slot) free() {
	c := s.c
	if c == nil {
		return
	}
	s.handlerDone()
	c.budget.add(-s.weight)
	*s = slot{}
	c.handlers.Add(-1)
	c.shared.handlers.Add(-1)
	c.budget.handlerEnded()
	c.closeIfDone()
}

// occupy takes a slot; no bound applies.
func (c *conn) occupy() slot {
	c.handlers.Add(1)
	c.shared.handlers.Add(1)
	c.countWorking()
	return slot{c: c, working: true}
}

// countWorking implements [watched].
func (c *conn) countWorking() {
	c.working.Add(1)
	c.shared.working.Add(1)
}

// handlerReturned ends what countWorking counted.
func (c *conn) handlerReturned() {
	c.working.Add(-1)
	c.shared.working.Add(-1)
}

// countBlocked implements [watched].
func (c *conn) countBlocked() {
	c.blocked.Add(1)
	c.handlers.Add(1)
	c.shared.handlers.Add(1)
}

// uncountBlocked implements [watched], and ends what countBlocked counted.
func (c *conn) uncountBlocked() {
	c.blocked.Add(-1)
	s := slot{c: c}
	s.free()
}

// mayRunInline reports whether the reading goroutine may run a handler: not while
// others that it ran hold up goroutines which read before it, nor when a bound
// for handlers is reached.
func (c *conn) mayRunInline() bool {
	sh := c.shared
	return c.blocked.Load() == 0 &&
		(sh.MaxHandlers <= 0 || int(sh.working.Load()) < sh.MaxHandlers) &&
		(sh.MaxSessionHandlers <= 0 || int(c.working.Load()) < sh.MaxSessionHandlers)
}

// awaitRoom lets the reading goroutine wait until there is room in the budget. It
// reports false if the message must be refused, or nothing can be sent any more.
func (c *conn) awaitRoom() bool {
	limit := int64(c.shared.InflightLimit)
	if limit <= 0 {
		return true
	}
	if c.handlers.Load()%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
	return c.budget.await(limit, (*connLoad)(c))
}

// A connLoad is a connection as its budget sees it.
type connLoad conn

func (l *connLoad) unread() (replies, bytes int64) { return l.sock.Waiting() }
func (l *connLoad) work() (int64, bool) {
	return int64(l.handlers.Load()), l.pending.Len() > 0 || l.starved.Load() > 0
}
func (l *connLoad) flush()                 { l.sock.StartFlush() }
func (l *connLoad) broken() bool           { return l.sock.Err() != nil }
func (l *connLoad) ended() <-chan struct{} { return (*conn)(l).context().Done() }

// refuse answers a call that is not executed; a push is only counted in the
// log. It does not wait for room, because the goroutine must read on, but with a
// protocol that answers in order.
func (x *exchange) refuse(code int32, cause error) {
	if x.in.Mtype() != message.TypeCall {
		x.conn.shared.pushLog.note(x, "push refused", errAttr(cause))
		return
	}
	if x.deadline != nil && !x.deadline.claim() {
		return // the caller was told that it took too long
	}
	if !x.in.InTurn() {
		x.conn.owe(debt{what: debtRefusal, code: code, seq: x.in.Seq(), cause: cause})
		return
	}
	x.refused = true
	x.answer(new(Hooks), nil, newStatus(code, cause), true)
}

// refusedByDrain refuses a call that comes while the connection drains, and
// reports whether it did: with an answer if the other side is known to understand
// it, else by holding it ([conn.hold]). The caller asks after it has counted the handler: so
// either this sees that the connection drains, or whoever drains it sees the
// handler. Pushes are handled as long as there is a connection: nobody would be
// told.
func (x *exchange) refusedByDrain() bool {
	if x.in.Mtype() != message.TypeCall || x.conn.local.state() == localServing {
		return false
	}
	understands := x.conn.proof.given() || x.in.Meta().Peek(MetaTimeout) != nil // which v7 does not send
	if understands || !x.conn.hold(x.in.Seq(), x.in.InTurn()) {
		x.refuse(message.CodeShuttingDown, ErrShutdown)
	}
	return true
}

// An mtypeError is a message of a type that is not allowed where it came.
type mtypeError struct {
	mtype  byte
	method string
}

func (e *mtypeError) Error() string {
	return fmt.Sprintf("%v: %s (%d) to %q", ErrMtype, message.TypeText(e.mtype), e.mtype, e.method)
}

func (e *mtypeError) Unwrap() error { return ErrMtype }
