package session

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// A link is one connection of a session: a redial makes another. Its methods
// may be called concurrently unless they say otherwise. There may be very many, so
// it has its fields in an order that wastes no bytes, and what few links need is
// apart.
type link struct {
	conn    *Conn
	sock    *socket.Socket
	pending pending
	turn    turn
	repose  repose

	handlers atomic.Int32 // at work, other than in the leader's place
	draining atomic.Bool  // new calls are refused
	retiring atomic.Bool  // the other side goes away, so no more calls are sent; see leave.go
	saidBye  atomic.Bool  // no more calls come from this side, and the other knows
	gotBye   atomic.Bool  // the other side has said so
	marked   atomic.Bool  // a call with MetaTimeout was sent
	ours     atomic.Bool  // the other side is erpc, and understands control messages

	mu      sync.Mutex // guards the following
	closed  bool
	cancel  context.CancelCauseFunc // of ctx
	ageEnd  time.Duration           // of the session, on clock; 0: never
	flights map[int32]*flight
	unsaid  []int32  // calls that were cancelled before the other side said hello
	ordered *ordered // nil: none is being handled
	quiet   *lull    // nil: it is not draining

	inflight atomic.Int64          // bytes of messages being handled; see inflight.go
	stalled  atomic.Pointer[stall] // nil: the leader has never waited for room

	ctx      atomic.Pointer[context.Context] // see context; the mutex guards its making
	sawReads uint64                          // of the idle sweep, one goroutine: messages read at its last look
	stuck    *stuck                          // of the stuck sweep, one goroutine; nil: no call waited
}

func newLink(c *Conn, conn net.Conn) *link {
	return &link{conn: c, sock: socket.New(conn, c.protoFunc(), c.cfg.Socket)}
}

// context returns the context that ends with the connection. It is made when
// somebody asks, because idle sessions have no use for it.
func (l *link) context() context.Context {
	if ctx := l.ctx.Load(); ctx != nil {
		return *ctx
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Load() == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		if l.closed {
			cancel(errConnClosed)
		}
		l.cancel = cancel
		l.ctx.Store(&ctx)
	}
	return *l.ctx.Load()
}

// close ends the connection and everything that waits on it: calls get a
// status with the cause, handlers see their context end. Only the first call
// does anything.
func (l *link) close(cause error) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	cancel := l.cancel
	l.mu.Unlock()
	l.conn.forget(l)
	err := l.sock.Close()
	l.conn.cfg.totals.add(l.sock.Stats())
	if left := l.pending.close(); len(left) > 0 {
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

func (l *link) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// busy reports whether a handler works for the link.
func (l *link) busy() bool {
	return l.handlers.Load() > 0 || l.turn.n.Load()&1 == 1
}

// write sends m; with yield others may join its write.
func (l *link) write(m *message.Message, yield bool) *message.Status {
	return l.status(m, l.sock.Write(m, yield))
}
