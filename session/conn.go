package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// A conn is one connection of a session: a redial makes another. Its methods
// may be called concurrently unless they say otherwise. There may be very many, so
// it has its fields in an order that wastes no bytes, and what few connections need is
// apart.
type conn struct {
	sess    *Engine
	sock    *socket.Socket
	pending pending
	handoff handoff
	idle    idleReader

	handlers       atomic.Int32 // at work, other than in the leader's place
	draining       atomic.Bool  // new calls are refused
	goAwayReceived atomic.Bool  // the other side goes away, so no more calls are sent; see goaway.go
	saidBye        atomic.Bool  // no more calls come from this side, and the other knows
	gotBye         atomic.Bool  // the other side has said so
	marked         atomic.Bool  // a call with MetaTimeout was sent
	peerIsErpc     atomic.Bool  // the other side is erpc, and understands control messages

	mu            sync.Mutex // guards the following
	closed        bool
	cancel        context.CancelCauseFunc // of ctx
	ageEnd        time.Duration           // of the session, on clock; 0: never
	deadlines     map[int32]*deadline
	unsentCancels []int32     // calls that were cancelled before the other side said hello
	ordered       *ordered    // nil: none is being handled
	quiescence    *quiescence // nil: it is not draining

	inflight atomic.Int64             // bytes of messages being handled; see backpressure.go
	roomWait atomic.Pointer[roomWait] // nil: the leader has never waited for room

	ctx      atomic.Pointer[context.Context] // see context; the mutex guards its making
	sawReads uint64                          // of the idle sweep, one goroutine: messages read at its last look
	streams  atomic.Pointer[streams]         // nil until somebody asks for streams; see streamTable
	stuck    *stuck                          // of the stuck sweep, one goroutine; nil: no call waited
}

func newConnection(s *Engine, nc net.Conn) *conn {
	return &conn{sess: s, sock: socket.New(nc, s.protoFunc(), s.shared.Socket)}
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
			cancel(errConnClosed)
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
	c.sess.forget(c)
	c.closeStreams(cause)
	err := c.sock.Close()
	c.sess.shared.totals.add(c.sock.Stats())
	if left := c.pending.close(); len(left) > 0 {
		st := statusClosed(cause)
		for _, cmd := range left {
			cmd.finish(st)
		}
	}
	if cancel != nil {
		cancel(fmt.Errorf("%w: %w", context.Canceled, errConnClosed))
	}
	return err
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// busy reports whether a handler works for the connection, or a stream is open.
func (c *conn) busy() bool {
	return c.handlers.Load() > 0 || c.handoff.epoch.Load()&1 == 1 || c.hasStreams()
}

// write sends m; with yield others may join its write.
func (c *conn) write(m *message.Message, yield bool) *message.Status {
	flush := socket.FlushInline
	if yield {
		flush = socket.FlushYield
	}
	return c.status(m, c.sock.Send(m, socket.ByPolicy, flush))
}

// sendUrgent queues a small message that must not be lost: it uses the reserve
// of the queue and waits only beyond that.
func (c *conn) sendUrgent(m *message.Message) error {
	err := c.sock.Send(m, socket.Reserved, socket.FlushLater)
	if errors.Is(err, socket.ErrQueueFull) {
		return c.sock.Send(m, socket.ByPolicy, socket.FlushLater)
	}
	return err
}
