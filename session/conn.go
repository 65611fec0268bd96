package session

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// A Conn is the engine behind a [Session]. All methods may be called
// concurrently unless they say otherwise.
type Conn struct {
	logging.Printer
	cfg       *Config
	protoFunc proto.Func
	life      life
	id        atomic.Pointer[string]
	link      atomic.Pointer[link] // the current connection
	swap      atomic.Pointer[Swap] // nil until somebody asks
	ages      [2]atomic.Int64      // session, context; nanoseconds

	mu      sync.Mutex // guards the following
	notify  chan struct{}
	changed chan struct{} // closed at the next change of state or link; nil: nobody waits for that
	stop    context.CancelFunc
	cause   error
	over    bool    // it has ended, and notify, if there is one, is closed
	former  []*link // replaced, with calls in flight

	dial Dial // nil: no redial; set before the session is opened
}

var (
	_ Session    = (*Conn)(nil)
	_ Base       = (*Conn)(nil)
	_ PreSession = (*preSession)(nil)
)

// Accept makes a session of an accepted connection: it runs the connect hooks
// and opens it. A status that is not OK means that the connection was refused
// and closed.
func Accept(cfg *Config, conn net.Conn, pf proto.Func, id string) (*Conn, *message.Status) {
	c := newConn(cfg, conn, pf, id)
	return c.begin(func(h *Hooks, p PreSession) *message.Status {
		return connect(h, h.postAccept, c, func(hook PostAcceptPlugin) *message.Status { return hook.PostAccept(p) })
	})
}

// Dialed is [Accept] for a dialed connection. When it breaks, dial makes
// another, if that is not nil and the configuration allows it.
func Dialed(cfg *Config, conn net.Conn, pf proto.Func, id string, dial Dial) (*Conn, *message.Status) {
	c := newConn(cfg, conn, pf, id)
	if cfg.RedialTimes != 0 {
		c.dial = dial
	}
	return c.begin(func(h *Hooks, p PreSession) *message.Status { return c.postDial(h, p, false) })
}

func (c *Conn) postDial(h *Hooks, p PreSession, isRedial bool) *message.Status {
	return connect(h, h.postDial, c, func(hook PostDialPlugin) *message.Status { return hook.PostDial(p, isRedial) })
}

func newConn(cfg *Config, conn net.Conn, pf proto.Func, id string) *Conn {
	c := &Conn{cfg: cfg, protoFunc: pf, Printer: cfg.print}
	c.id.Store(&id)
	c.ages[0].Store(int64(cfg.SessionAge))
	c.ages[1].Store(int64(cfg.ContextAge))
	c.link.Store(newLink(c, conn))
	return c
}

// begin runs the first connect hooks and opens the session.
func (c *Conn) begin(hooks func(*Hooks, PreSession) *message.Status) (*Conn, *message.Status) {
	l := c.link.Load()
	h := c.cfg.Hooks.Load()
	p := newPreSession(c, l)
	st := hooks(h, p)
	l = p.finish()
	if st.OK() && !c.life.move(Preparing, Open) { // a hook closed it
		h.disconnect(c, nil)
		st = statusClosed(nil)
	}
	if !st.OK() {
		_ = c.finish(st.Err())
		_ = l.close(st.Err()) // a hook may have put it in place after the end
		return nil, st
	}
	c.link.Store(l)
	c.cfg.Owner.Bind(c, c.ID())
	if c.life.state() == Closed { // before it was bound, so that Gone found nothing
		c.cfg.Owner.Gone(c)
		_ = l.close(nil)
		return nil, statusClosed(c.Err())
	}
	l.start()
	return c, nil
}

// finish ends the session for good; only the first call does anything.
func (c *Conn) finish(cause error) error {
	was, did := c.life.end()
	if !did {
		return nil
	}
	c.cfg.Owner.Gone(c) // first, so that who hears of the end does not find it in the table
	c.mu.Lock()
	c.cause, c.over = cause, true
	if c.notify != nil {
		close(c.notify)
	}
	if c.stop != nil {
		c.stop()
	}
	c.signal()
	former := c.former
	c.former = nil
	c.mu.Unlock()
	err := c.link.Load().close(cause)
	for _, l := range former {
		_ = l.close(cause) // it was about to be closed anyway
	}
	if was != Preparing {
		c.cfg.Hooks.Load().disconnect(c, nil)
	}
	return err
}

// signal wakes who waits for a change. The mutex is held.
func (c *Conn) signal() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Close implements [Session].
func (c *Conn) Close() error { return c.finish(nil) }

// End is Close with a reason, which pending calls and [Conn.Err] give.
func (c *Conn) End(cause error) { _ = c.finish(cause) }

// Err returns why the session has ended, nil if it was closed on this side or
// has not ended.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// State returns where the session is in its life.
func (c *Conn) State() State { return c.life.state() }

// ID implements [Info].
func (c *Conn) ID() string { return *c.id.Load() }

// SetID implements [Session].
func (c *Conn) SetID(id string) {
	if id == c.ID() {
		return
	}
	if c.life.state() == Preparing { // it is bound when it opens
		c.id.Store(&id)
		return
	}
	c.cfg.Owner.Bind(c, id)
}

// Rename changes the id and nothing else; owners call it when they have bound
// the session.
func (c *Conn) Rename(id string) { c.id.Store(&id) }

// LocalAddr implements [Info].
func (c *Conn) LocalAddr() net.Addr { return c.link.Load().sock.Conn().LocalAddr() }

// RemoteAddr implements [Info].
func (c *Conn) RemoteAddr() net.Addr { return c.link.Load().sock.Conn().RemoteAddr() }

// Peer implements [Info].
func (c *Conn) Peer() Peer { return c.cfg.Owner }

// Swap implements [Info].
func (c *Conn) Swap() *Swap {
	if s := c.swap.Load(); s != nil {
		return s
	}
	c.swap.CompareAndSwap(nil, new(Swap))
	return c.swap.Load()
}

// copySwap returns a new store with what is in the session's.
func (c *Conn) copySwap() *Swap {
	s := new(Swap)
	if own := c.swap.Load(); own != nil {
		s.m = own.snapshot()
	}
	return s
}

// Health implements [Session].
func (c *Conn) Health() bool {
	s := c.life.state()
	return s == Open || s == Redialing
}

// CloseNotify implements [Session].
func (c *Conn) CloseNotify() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.notify == nil {
		c.notify = make(chan struct{})
		if c.over {
			close(c.notify)
		}
	}
	return c.notify
}

// SessionAge implements [Ages].
func (c *Conn) SessionAge() time.Duration { return time.Duration(c.ages[0].Load()) }

// ContextAge implements [Ages].
func (c *Conn) ContextAge() time.Duration { return time.Duration(c.ages[1].Load()) }

// SetContextAge implements [Ages].
func (c *Conn) SetContextAge(d time.Duration) { c.ages[1].Store(int64(d)) }

// SetSessionAge implements [Ages]. The age of an open session begins anew.
func (c *Conn) SetSessionAge(d time.Duration) {
	c.ages[0].Store(int64(d))
	if c.life.state() == Open {
		c.link.Load().setAge()
	}
}

// Stats are the counters of a connection.
type Stats struct {
	socket.Stats
	Handlers int // at work
	Pending  int // calls that wait for their reply
}

// Stats implements [Session].
func (c *Conn) Stats() Stats {
	l := c.link.Load()
	return Stats{l.sock.Stats(), int(l.handlers.Load()), l.pending.len()}
}

// Idle reports whether nothing was received since it was last called. One
// goroutine at a time may call it.
func (c *Conn) Idle() bool {
	l := c.link.Load()
	n := l.sock.Stats().MessagesIn
	idle := n == l.sawReads && !l.busy() && c.life.state() == Open
	l.sawReads = n
	return idle
}
