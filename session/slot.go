package session

import (
	"errors"
	"sync/atomic"

	"github.com/goerpc/erpc/message"
)

var errTooManyHandlers = errors.New("session: too many handlers in flight; the message was not executed")

// places are those of the handlers of one connection. A message holds one until its
// reply is written, and is at work until its handler has returned. The sums over all
// connections of an owner are in allPlaces, which each method changes too. The zero
// value is ready. They may be used concurrently.
type places struct {
	handlers atomic.Int32 // held: messages being handled, except on the goroutine that reads; their reply may be being written
	working  atomic.Int32 // at work: the part of handlers whose handler has not returned
	blocked  atomic.Int32 // the part of handlers that block a goroutine which read before
}

// allPlaces are the sums of places over all connections of an owner.
type allPlaces struct {
	handlers atomic.Int64
	working  atomic.Int64
}

// take counts a message as held and at work. It checks no bound.
func (p *places) take(all *allPlaces) {
	p.hold(all)
	p.work(all)
}

// hold counts a message as held until release; work counts it as at work until
// workDone.
func (p *places) hold(all *allPlaces) {
	p.handlers.Add(1)
	all.handlers.Add(1)
}

func (p *places) work(all *allPlaces) {
	p.working.Add(1)
	all.working.Add(1)
}

func (p *places) release(all *allPlaces) {
	p.handlers.Add(-1)
	all.handlers.Add(-1)
}

func (p *places) workDone(all *allPlaces) {
	p.working.Add(-1)
	all.working.Add(-1)
}

// minReplying is how many replies may be being written in any case, however few
// handlers may be at work.
const minReplying = 64

// maxHeld bounds the messages that are being handled, from the slot until the
// reply is written, if at most limit handlers may be at work.
func maxHeld(limit int) int64 { return int64(limit) + int64(max(limit, minReplying)) }

// within reports whether a message that was just counted may be handled. limit and
// allLimit bound the handlers at work for the connection and for its owner; 0 is no
// limit.
func (p *places) within(limit int, all *allPlaces, allLimit int) bool {
	return withinLimit(limit, int64(p.working.Load()), int64(p.handlers.Load())) &&
		withinLimit(allLimit, all.working.Load(), all.handlers.Load())
}

func withinLimit(limit int, working, held int64) bool {
	return limit <= 0 || working <= int64(limit) && held <= maxHeld(limit)
}

// maxStuck is how many former readers may be stuck in user code while the goroutine
// that reads runs handlers inline. A quick handler is rarely stuck: it was
// preempted. If every message went to a worker until then, each reply would leave in
// a write of its own. Handlers that run inline have no weight in the budget, so they
// must be few.
const maxStuck = 1

// mayRunInline reports whether the reading goroutine may run a handler: not while
// more than maxStuck former readers are stuck in handlers, nor when a limit is
// reached. The limits are those of within.
func (p *places) mayRunInline(limit int, all *allPlaces, allLimit int) bool {
	return p.blocked.Load() <= maxStuck &&
		(allLimit <= 0 || int(all.working.Load()) < allLimit) &&
		(limit <= 0 || int(p.working.Load()) < limit)
}

// A slot is the share of one message in the limits on handlers of its peer, its
// session and its method, and in the bytes in flight. It is given back in two
// steps. The place at work is given back when the handler has returned, before the
// reply is written: so a caller that has its reply may call again, and a caller
// that does not read its reply does not keep others from the handlers. The rest is
// given back when the reply is written, and has its own bound, see maxHeld. The
// zero value holds nothing, and free on it does nothing.
type slot struct {
	c       *conn
	working bool     // the handler has not returned
	h       *Handler // whose own limit counts the message; nil: none does
	backlog *backlog // that runs the message; nil: none
	weight  int64    // bytes in flight

	turn *turn // in which the goroutine that reads runs the handler, in place of all of the above; else nil
}

// occupy takes a slot of c without checking a bound.
func (s *slot) occupy(c *conn) {
	c.places.take(&c.shared.places)
	*s = slot{c: c, working: true}
}

// acquire takes the slot of m, which arrived over c for the handler h, which may be
// nil. It reports false if a bound is reached.
func (s *slot) acquire(c *conn, m *message.Message, h *Handler) bool {
	sh := c.shared
	s.occupy(c)
	if !c.places.within(sh.MaxSessionHandlers, &sh.places, sh.MaxHandlers) {
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
	s.weight = weigh(m)
	c.budget.add(s.weight)
	return true
}

// handlerDone gives back the place at work: the handler has returned.
func (s *slot) handlerDone() {
	if s.turn != nil {
		s.turn.handlerDone()
		return
	}
	if s.working {
		s.working = false
		s.c.places.workDone(&s.c.shared.places)
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

// free gives back what the slot still holds.
func (s *slot) free() {
	c := s.c
	if c == nil {
		return
	}
	s.handlerDone()
	c.budget.add(-s.weight)
	*s = slot{}
	c.places.release(&c.shared.places)
	c.budget.handlerEnded()
	c.closeIfDone()
}
