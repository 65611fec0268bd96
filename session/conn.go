package session

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/calltable"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// An upstream is what a connection asks, and tells, the session that it belongs
// to. It is called without any lock of the connection.
type upstream interface {
	ID() string
	ContextAge() time.Duration
	// connDown tells that nothing more can be read from c, and why. It closes c.
	connDown(c *conn, cause error)
	// connLeaving tells that the other side of c goes away: no more calls may be
	// sent over it.
	connLeaving(c *conn)
	// connEnded tells that the other side of c has closed the session, and why.
	connEnded(c *conn, why *ClosedError)
	// connClosed tells that c is closed.
	connClosed(c *conn)
}

// A conn is one connection of a session; a redial makes another one. Its methods
// may be called concurrently unless they say otherwise. There may be very many
// of them, so what few need is made when they need it.
type conn struct {
	shared *Shared
	up     upstream
	sess   *Engine // the session that handlers and hooks see
	sock   *socket.Socket
	opened time.Duration // on clock

	pending   calltable.Table[*CallCmd]
	handoff   handoff
	reader    idleReader
	budget    budget
	arguments decodeRoom // of the decoded arguments whose handlers have not returned
	deadlines deadlines
	proof     proof
	debts     debts

	handlers    atomic.Int32 // messages being handled, other than on the goroutine that reads: at work, or their reply is being written
	working     atomic.Int32 // those of handlers whose handler has not returned
	starved     atomic.Int32 // senders on streams that wait for credit
	blocked     atomic.Int32 // those of handlers that the goroutine left which reads now
	local       machine[localState]
	remote      machine[remoteState]
	replaceable bool // the session dials another connection when this one ends

	ctx      atomic.Pointer[context.Context] // see context; the mutex guards its making
	streams  atomic.Pointer[streams]         // nil until somebody asks for streams; see streamTable
	closedBy atomic.Pointer[ClosedError]     // why the other side has closed the session, if it has said so

	mu     sync.Mutex // guards the following
	closed bool
	cancel context.CancelCauseFunc // of ctx
	quiet  *quiescence             // nil: it is not draining

	sawReads uint64 // of the idle sweep, one goroutine: messages read at its last look
	sawBytes uint64 // the same, of bytes
	stuck    *stuck // of the stuck sweep, one goroutine; nil: no call waited
}

func newConnection(s *Engine, nc net.Conn) *conn {
	return &conn{
		shared: s.shared, up: s, sess: s, replaceable: s.dial != nil,
		sock: socket.New(nc, s.protoFunc(), s.shared.Socket), opened: clock(),
	}
}

// context returns the context that ends with the connection. It is made when
// somebody asks, because idle sessions have no use for it.
func (c *conn) context() context.Context {
	if ctx := c.ctx.Load(); ctx != nil {
		return *ctx
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Load() == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		if c.closed {
			cancel(errConnEnded)
		}
		c.cancel = cancel
		c.ctx.Store(&ctx)
	}
	return *c.ctx.Load()
}

// close ends the connection and everything that waits on it: calls get a
// status with the cause, handlers see their context end. Only the first call
// does anything.
func (c *conn) close(cause error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	cancel := c.cancel
	c.mu.Unlock()
	c.up.connClosed(c)
	c.closeStreams(cause)
	err := c.sock.Close()
	c.shared.totals.add(c.sock.Stats())
	c.endCalls(cause)
	c.deadlines.close(errConnEnded)
	if cancel != nil {
		cancel(errConnEnded)
	}
	return err
}

// endCalls ends all calls of this side, and lets no more be sent.
func (c *conn) endCalls(cause error) {
	left := c.pending.Close()
	if len(left) == 0 {
		return
	}
	st := statusClosed(cause)
	for _, cmd := range left {
		cmd.finish(st)
	}
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// busy reports whether a handler works for the connection, or a stream is open.
func (c *conn) busy() bool {
	return c.handlers.Load() > 0 || c.handoff.inUserCode() || c.hasStreams()
}

// start begins to read messages. age is when, on clock, the session ends; 0 is
// never.
func (c *conn) start(age time.Duration) {
	c.reader.setAge(c.sock, age)
	c.reader.parked = true // most sessions of an event loop have nothing to say for long
	go read(c, 0)
}

// readOn implements [watched].
func (c *conn) readOn() { go read(c, warmUp) }

// wakeReader implements [watched].
func (c *conn) wakeReader() { c.reader.wake(c.sock) }

// watch puts the connection on the watchdog's list.
func (c *conn) watch() { c.shared.watchdog.add(&c.handoff, c) }

// write sends m; with yield others may join its write.
func (c *conn) write(m *message.Message, yield bool) *message.Status {
	flush := socket.FlushInline
	if yield {
		flush = socket.FlushYield
	}
	return c.status(m, c.sock.Send(m, socket.ByPolicy, flush))
}

func isFull(err error) bool { return errors.Is(err, socket.ErrQueueFull) }

// sendUrgent queues a small message that must not be lost: it uses the reserve
// of the queue and waits only beyond that. It is for goroutines of users; others
// owe what they send, see [conn.owe].
func (c *conn) sendUrgent(m *message.Message) error {
	err := c.sock.Send(m, socket.Reserved, socket.FlushLater)
	if isFull(err) {
		return c.sock.Send(m, socket.ByPolicy, socket.FlushLater)
	}
	return err
}

// sendEnd is sendUrgent for the end of a stream. If the end can't be packed,
// because its status is too long or it has a filter that is not registered, for
// example, one that says so takes its place: the other side waits for an end.
func (c *conn) sendEnd(m *message.Message) error {
	err := c.sendUrgent(m)
	if !unpackable(m, err) {
		return err
	}
	c.replaceEnd(m, err)
	return c.sendUrgent(m)
}

// unpackable reports whether m was not sent, with err, because it can't be packed.
func unpackable(m *message.Message, err error) bool {
	var pack *socket.PackError
	return err != nil && (m.Err() != nil || errors.As(err, &pack))
}

// replaceEnd makes m, the end of a stream that can't be packed because of err, one
// that says so.
func (c *conn) replaceEnd(m *message.Message, err error) {
	mtype, seq := m.Mtype(), m.Seq()
	m.Reset()
	m.SetMtype(mtype)
	m.SetSeq(seq)
	m.SetStatus(c.shared.told(c.sess.Printer, newStatus(message.CodeInternalServerError, err).HideCause()))
}
