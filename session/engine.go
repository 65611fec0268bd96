package session

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// An Engine is the engine behind a [Session]. All methods may be called
// concurrently unless they say otherwise.
type Engine struct {
	logging.Printer
	shared    *Shared
	protoFunc proto.Func
	id        atomic.Pointer[string]
	swap      lazy[Swap]
	ages      ages

	conns connections
	later lazy[waitlist] // asynchronous calls that wait for a redial
	order lazy[sequence] // messages that are handled one after another

	dialed bool          // set before its connect hooks run
	mu     sync.Mutex    // guards the following
	ended  bool          // it has ended, and notify, if there is one, is closed
	notify chan struct{} // closed at the end; nil until the first use
}

// ages are the time limits of a session, in nanoseconds.
type ages struct {
	session, context atomic.Int64
	end              atomic.Int64 // of the session, on clock; 0: never
}

var (
	_ Session    = (*Engine)(nil)
	_ Base       = (*Engine)(nil)
	_ PreSession = (*preSession)(nil)
	_ upstream   = (*Engine)(nil)
)

// Accept makes a session from an accepted connection: it runs the connect hooks
// and opens the session. If the status is not OK, the connection was refused and
// closed.
func Accept(sh *Shared, nc net.Conn, pf proto.Func, id string) (*Engine, *message.Status) {
	s := newEngine(sh, nc, pf, id, nil)
	return s.open(func(h *Hooks, p PreSession) *message.Status {
		return connect(h, h.postAccept, s, true, func(hook PostAcceptPlugin) *message.Status { return hook.PostAccept(p) })
	})
}

// Dialed is [Accept] for a dialed connection. When it breaks, dial makes another
// one, if dial is not nil and the configuration allows it.
func Dialed(sh *Shared, nc net.Conn, pf proto.Func, id string, dial Dial) (*Engine, *message.Status) {
	if sh.RedialTimes == 0 {
		dial = nil
	}
	s := newEngine(sh, nc, pf, id, dial)
	s.dialed = true
	return s.open(func(h *Hooks, p PreSession) *message.Status { return s.postDial(h, p, false) })
}

// IsDialed reports whether this side dialed.
func (s *Engine) IsDialed() bool { return s.dialed }

func (s *Engine) postDial(h *Hooks, p PreSession, isRedial bool) *message.Status {
	return connect(h, h.postDial, s, !isRedial, func(hook PostDialPlugin) *message.Status { return hook.PostDial(p, isRedial) })
}

func newEngine(sh *Shared, nc net.Conn, pf proto.Func, id string, dial Dial) *Engine {
	s := &Engine{shared: sh, protoFunc: pf}
	s.Printer = logging.Printer{L: sh.Logger, From: s}
	s.id.Store(&id)
	s.ages.session.Store(int64(sh.SessionAge))
	s.ages.context.Store(int64(sh.ContextAge))
	if dial != nil {
		s.conns.redials = newRedials(dial, sh.RedialFirst, sh.RedialLongest)
	}
	s.conns.now.Store(newConnection(s, nc))
	return s
}

// open runs the first connect hooks and opens the session.
func (s *Engine) open(hooks func(*Hooks, PreSession) *message.Status) (*Engine, *message.Status) {
	c := s.conns.current()
	h := s.shared.Hooks.Load()
	p := newPreSession(s, c)
	exited := true
	defer func() {
		if exited { // a hook has ended the goroutine
			_ = s.finish(errHookExited)
			_ = p.finish().close(errHookExited) // nothing was sent on it
		}
	}()
	st := hooks(h, p)
	exited = false
	c = p.finish()
	if st.OK() {
		st = p.tooLate(h)
	}
	if st.OK() && !s.conns.open(c) { // a hook closed it
		h.disconnect(s, nil)
		st = statusClosed(nil)
	}
	if !st.OK() {
		c.sayRefused(st)
		_ = s.finish(st.Err())
		_ = c.close(st.Err()) // a hook may have replaced the connection after the end
		return nil, st
	}
	s.startAge()
	s.shared.Owner.Bind(s, s.ID())
	if s.State() == Closed { // ended before it was bound: Gone found nothing
		s.shared.Owner.Gone(s)
		_ = c.close(nil)
		return nil, statusClosed(s.Err())
	}
	c.start(s.ageEnd())
	h.opened(s, false)
	return s, nil
}

// finish ends the session for good. Only the first call has an effect.
func (s *Engine) finish(cause error) error { return s.finishWith(cause, ownReason(cause)) }

// finishWith is finish that tells the other side why, unless that is nil.
func (s *Engine) finishWith(cause error, why *ClosedError) error {
	was, did := s.conns.life.end()
	if !did {
		return nil
	}
	s.logEnd(was, cause)
	s.shared.Owner.Gone(s) // first: code that learns of the end must not find it in the table
	left, connected := s.conns.end(was, cause)
	if why != nil && was == Open {
		left[0].streams.Load().end(cause) // first: whoever hears of the end of the session ends its streams, too
		left[0].sayEnd(why)               // the other side may close the connection as soon as it reads that
	}
	s.notifyEnd()
	err := left[0].close(cause)
	for _, c := range left[1:] {
		_ = c.close(cause) // it was about to be closed anyway
	}
	if connected { // else the connect hooks did not run, or the disconnect hooks have
		s.shared.Hooks.Load().disconnect(s, nil)
	}
	return err
}

// notifyEnd closes the channel of CloseNotify.
func (s *Engine) notifyEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notify != nil && !s.ended {
		close(s.notify)
	}
	s.ended = true
}

// reopened undoes what lose did, if it was called.
func (s *Engine) reopened() {
	s.mu.Lock()
	lost := s.ended && s.State() == Open
	if lost {
		s.notify, s.ended = nil, false
	}
	s.mu.Unlock()
	if lost {
		s.shared.Owner.Bind(s, s.ID())
	}
}

// Close implements [Session].
func (s *Engine) Close() error { return s.finish(nil) }

// CloseWith implements [Session].
func (s *Engine) CloseWith(st *message.Status, reconnect bool) error {
	if st.OK() {
		st = newStatus(message.CodeConnClosed, errConnClosed)
	}
	return s.finishWith(st.Err(), &ClosedError{st, reconnect})
}

// End is Close with a reason, which is the cause of pending calls and of
// [Engine.Err].
func (s *Engine) End(cause error) { _ = s.finish(cause) }

// Err returns why the session has ended, or is lost; nil if it was closed on this
// side or has not ended.
func (s *Engine) Err() error { return s.conns.err() }

// Drain makes the session serve no new calls and tells the other side if that is
// erpc. It is called repeatedly. idle reports that no handler works for the
// session. quiet reports that its replies are written, too, and nothing more is
// expected from the other side.
func (s *Engine) Drain() (idle, quiet bool) { return s.conns.current().drain() }

// State returns the state of the session.
func (s *Engine) State() State { return s.conns.life.state() }

// ID implements [Info].
func (s *Engine) ID() string { return *s.id.Load() }

// SetID implements [Session].
func (s *Engine) SetID(id string) {
	if id == s.ID() {
		return
	}
	if s.conns.life.state() == Preparing { // it is bound when it opens
		s.id.Store(&id)
		return
	}
	s.shared.Owner.Bind(s, id)
}

// Rename changes the id and nothing else; owners call it when they have bound
// the session.
func (s *Engine) Rename(id string) {
	if was := s.id.Load(); was == nil || *was != id {
		s.id.Store(&id)
	}
}

// LocalAddr implements [Info].
func (s *Engine) LocalAddr() net.Addr { return s.conns.current().sock.Conn().LocalAddr() }

// RemoteAddr implements [Info].
func (s *Engine) RemoteAddr() net.Addr { return s.conns.current().sock.Conn().RemoteAddr() }

// Peer implements [Info].
func (s *Engine) Peer() Peer { return s.shared.Owner }

// Swap implements [Info].
func (s *Engine) Swap() *Swap { return s.swap.get() }

// copySwap returns a new store with what is in the session's.
func (s *Engine) copySwap() *Swap {
	swap := new(Swap)
	if own := s.swap.peek(); own != nil {
		swap.m = own.snapshot()
	}
	return swap
}

// Connected implements [Session].
func (s *Engine) Connected() bool { return s.State() == Open && s.writable() }

// writable reports whether the current connection takes messages. One that the other
// side has closed stays open until what came before is read.
func (s *Engine) writable() bool {
	c := s.conns.current()
	return c == nil || c.sock.Err() == nil
}

// Changed implements [Session].
func (s *Engine) Changed() <-chan struct{} {
	_, changed := s.conns.look()
	s.conns.current().sock.NotifyFailed(s.conns.signal)
	return changed
}

// Flush implements [Session].
func (s *Engine) Flush(ctx context.Context) error {
	for i, c := range s.conns.all() { // messages queued before a goaway leave over a former connection
		if i > 0 && c.sock.Err() != nil {
			continue // it is only read
		}
		err := c.sock.Flush(ctx)
		if err == nil {
			err = c.sock.AwaitAcked(ctx)
		}
		if err != nil {
			return fmt.Errorf("session: flush: %w", err)
		}
	}
	return nil
}

// StartFlush begins to write what is queued, and does not wait for it.
func (s *Engine) StartFlush() {
	for _, c := range s.conns.all() {
		c.sock.StartFlush()
	}
}

// Health implements [Session].
func (s *Engine) Health() bool {
	switch s.conns.life.state() {
	case Redialing:
		return true
	case Open:
		return s.conns.redialable() || s.writable()
	}
	return false
}

// CloseNotify implements [Session].
func (s *Engine) CloseNotify() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notify == nil {
		s.notify = make(chan struct{})
		if s.ended {
			close(s.notify)
		}
	}
	return s.notify
}

// SessionAge implements [Ages].
func (s *Engine) SessionAge() time.Duration { return time.Duration(s.ages.session.Load()) }

// ContextAge implements [Ages].
func (s *Engine) ContextAge() time.Duration { return time.Duration(s.ages.context.Load()) }

// SetContextAge implements [Ages].
func (s *Engine) SetContextAge(d time.Duration) { s.ages.context.Store(int64(d)) }

// SetSessionAge implements [Ages]. The age of an open session starts again.
func (s *Engine) SetSessionAge(d time.Duration) {
	s.ages.session.Store(int64(d))
	s.startAge()
	if s.State() == Open {
		c := s.conns.current()
		c.reader.setAge(c.sock, s.ageEnd())
	}
}

// startAge starts the age of the session now.
func (s *Engine) startAge() {
	end := time.Duration(0)
	if age := s.SessionAge(); age > 0 {
		end = clock() + age
	}
	s.ages.end.Store(int64(end))
}

// ageEnd returns the time, on clock, at which the session reaches its age, 0 for
// never. A redial does not change it.
func (s *Engine) ageEnd() time.Duration { return time.Duration(s.ages.end.Load()) }

// Stats are the counters of a connection.
type Stats struct {
	socket.Stats
	Handlers int   // at work
	Pending  int   // calls that wait for their reply
	Streams  int   // open, whichever side opened them
	InFlight int64 // bytes that count for Config.InflightLimit
}

// Stats implements [Session].
func (s *Engine) Stats() Stats {
	c := s.conns.current()
	st := Stats{Stats: c.sock.Stats(), Handlers: int(c.places.handlers.Load()), Pending: c.pending.peek().Len() + s.later.peek().len()}
	_, unread := c.sock.Waiting()
	st.InFlight = c.budget.bytes.Load() + unread
	if t := c.streams.Load(); t != nil {
		st.Streams, _ = t.len()
	}
	return st
}

// Idle reports whether the connection was idle since the last call of Idle: no
// message and no large part of one was received, no handler is at work, and no
// reply is being written, which the write timeout bounds. Only one goroutine at a
// time may call it.
func (s *Engine) Idle() bool {
	c := s.conns.current()
	silent := c.swept.get().idle.look(c.sock.Stats())
	return silent && c.sock.Flushed() && !c.busy() && s.State() == Open
}

// EndStuck ends the connection and the calls that wait on it if calls have waited
// for limit while nothing was received. The session redials if it may. Only one
// goroutine at a time may call it.
func (s *Engine) EndStuck(limit time.Duration) {
	if s.State() != Open {
		return
	}
	c, now := s.conns.current(), clock()
	calls := c.pending.peek().Len()
	if calls == 0 && c.swept.peek() == nil {
		return
	}
	w := c.swept.get()
	w.stuck = w.stuck.look(calls, c.sock.Stats().BytesIn, now)
	if w.stuck.reached(limit, now) {
		if missed, ok := s.shared.errorLog.ends.Allow(time.Now()); ok {
			s.Log(slog.LevelWarn, "connection is stuck", slog.Int("pending", calls), slog.Duration("limit", limit), slog.Int("left_out", missed))
		}
		s.connDown(c, ErrStuck)
	}
}

// LogContext implements the origin of log lines.
func (s *Engine) LogContext() context.Context { return context.Background() }

// LogAttrs implements the origin of log lines.
func (s *Engine) LogAttrs(to []slog.Attr) []slog.Attr {
	return aboutSession(to, s.ID(), s.RemoteAddr())
}
