package session

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/calltable"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// An upstream is the session of a connection, as the connection sees it. Its
// methods are called without any lock of the connection.
type upstream interface {
	ID() string
	ContextAge() time.Duration
	// connDown reports that reading from c has failed with cause. It closes c.
	connDown(c *conn, cause error)
	// connLeaving reports that the other side of c is shutting down: no more calls
	// may be sent over it.
	connLeaving(c *conn)
	// connEnded reports that the other side of c has closed the session, and why.
	connEnded(c *conn, why *ClosedError)
	// connClosed reports that c is closed.
	connClosed(c *conn)
}

// A conn is one connection of a session; a redial makes another one. Its methods
// may be called concurrently unless they say otherwise. There may be very many of
// them, so what few of them need is allocated on first use.
type conn struct {
	shared *Shared
	up     upstream
	sess   *Engine // the session that handlers and hooks see
	sock   *socket.Socket
	opened time.Duration // on clock

	pending   lazy[calltable.Table[*CallCmd]]
	handoff   handoff
	reader    idleReader
	budget    budget
	arguments lazy[decodeRoom] // of the decoded arguments whose handlers have not returned
	deadlines lazy[deadlines]
	proof     lazy[proof]
	debts     lazy[debts]

	goaway goaway
	places places
	closed atomic.Bool

	ctx      connContext                 // see context
	streams  atomic.Pointer[streams]     // nil until the first use; see streamTable
	closedBy atomic.Pointer[ClosedError] // why the other side has closed the session, if it has said so

	swept lazy[swept]
}

func newConnection(s *Engine, nc net.Conn) *conn {
	return &conn{
		shared: s.shared, up: s, sess: s,
		sock: socket.New(nc, s.protoFunc(), s.shared.Socket), opened: clock(),
	}
}

// context returns the context that ends with the connection.
func (c *conn) context() context.Context { return &c.ctx }

// close ends the connection and everything that waits on it: calls get a status
// with the cause, and the contexts of handlers end. Only the first call has an
// effect.
func (c *conn) close(cause error) error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	c.up.connClosed(c)
	c.streams.Load().end(cause)
	err := c.sock.Close()
	c.shared.totals.add(c.sock.Stats())
	c.endCalls(cause)
	c.deadlines.get().close(errConnEnded)
	c.ctx.end(errConnEnded)
	return err
}

// endCalls ends all calls of this side. No more can be sent.
func (c *conn) endCalls(cause error) {
	left := c.pending.get().Close()
	if len(left) == 0 {
		return
	}
	st := statusClosed(cause)
	for _, cmd := range left {
		cmd.finish(st)
	}
}

func (c *conn) isClosed() bool { return c.closed.Load() }

// replaceable reports whether the session dials another connection when c ends.
func (c *conn) replaceable() bool { return c.sess.conns.redialable() }

// refusal returns the status of a call or a stream that c did not take because it takes
// no more. Nothing was sent.
func (c *conn) refusal() *message.Status {
	if c.goaway.remote.state().leaves() && c.sess.State() == Open {
		return Refusal(newStatus(message.CodeShuttingDown, errGoesAway))
	}
	return statusClosed(c.sess.Err())
}

// spent reports whether st, with which nothing was sent, says that c takes no more. The
// other side may answer with the same codes.
func (c *conn) spent(st *message.Status) bool {
	if st.Code() != message.CodeConnClosed && !goesAway(st) {
		return false
	}
	return c.isClosed() || c.sock.Err() != nil || c.goaway.remote.state().leaves()
}

// busy reports whether a handler works for the connection, or a stream is open.
func (c *conn) busy() bool {
	return c.places.handlers.Load() > 0 || c.handoff.inUserCode() || c.streams.Load().busy()
}

// start begins to read messages. age is when, on clock, the session ends; 0 is
// never.
func (c *conn) start(age time.Duration) {
	c.reader.setAge(c.sock, age)
	c.reader.parked = true // most sessions of an event loop are silent for long
	go read(c, 0)
}

// readOn implements [watched].
func (c *conn) readOn() { go read(c, warmUp) }

// resume makes another goroutine read: what the reader waited for is there, or is to be
// waited for on a fresh stack.
func (c *conn) resume() {
	c.reader.resumed()
	go read(c, 0)
}

// wakeReader implements [watched].
func (c *conn) wakeReader() { c.reader.wake(c.sock) }

// countBlocked implements [watched].
func (c *conn) countBlocked() {
	c.places.blocked.Add(1)
	c.places.hold(&c.shared.places)
}

// uncountBlocked implements [watched], and ends what countBlocked counted.
func (c *conn) uncountBlocked() {
	c.places.blocked.Add(-1)
	s := slot{c: c}
	s.free()
}

// countWorking implements [watched].
func (c *conn) countWorking() { c.places.work(&c.shared.places) }

// watch puts the connection on the watchdog's list.
func (c *conn) watch() { c.shared.watchdog.add(&c.handoff, c) }

// mayRunInline reports whether the reading goroutine may run a handler.
func (c *conn) mayRunInline() bool {
	sh := c.shared
	return c.places.mayRunInline(sh.MaxSessionHandlers, &sh.places, sh.MaxHandlers)
}

// awaitRoom lets the reading goroutine wait until there is room in the budget. It
// reports false if the message must be refused, or nothing can be sent any more.
func (c *conn) awaitRoom() bool {
	limit := int64(c.shared.InflightLimit)
	if limit <= 0 {
		return true
	}
	if c.places.handlers.Load()%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
	return c.budget.await(limit, connLoad{c})
}

// write sends m. With yield, messages of other goroutines may share its write.
func (c *conn) write(m *message.Message, yield bool) *message.Status {
	flush := socket.FlushInline
	if yield {
		flush = socket.FlushYield
	}
	return c.status(m, c.sock.Send(m, socket.ByPolicy, flush))
}

func isFull(err error) bool { return errors.Is(err, socket.ErrQueueFull) }

// log writes a line about the session on this connection, which need not be its current
// one.
func (c *conn) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if c.shared.print.Enabled(level) {
		c.shared.Logger.LogAttrs(context.Background(), level, msg, append(aboutSession(nil, c.up.ID(), c.sock.Conn().RemoteAddr()), attrs...)...)
	}
}

// status turns the error of a write into a status; a nil error is success.
func (c *conn) status(m *message.Message, err error) *message.Status {
	if err == nil {
		return nil
	}
	return c.failed(m, err) // a function of its own, because the target of errors.As is allocated
}

func (c *conn) failed(m *message.Message, err error) *message.Status {
	var pack *socket.PackError
	panicked, ok := message.AsPanic(err)
	switch {
	case ok:
		return c.shared.internalError(c.sess.Printer, panicked)
	case errors.As(err, &pack), m.Err() != nil:
		return newStatus(message.CodeWriteFailed, err).HideCause()
	case errors.Is(err, socket.ErrQueueFull):
		return newStatus(message.CodeExhausted, err)
	case m.Context().Err() != nil && errors.Is(err, m.Context().Err()):
		return statusContext(m.Context())
	}
	return statusClosed(err)
}
