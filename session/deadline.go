package session

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// MetaTimeout is the key of the metadata that carries the caller's deadline:
// how many milliseconds are left, in decimal, or 0 for a call that has none but
// can be cancelled. erpc v7 ignores it; for a receiver of ours it is also the
// sign that the caller understands control messages (control.go).
const MetaTimeout = "X-Erpc-Timeout"

var (
	errCanceled = errors.New("session: the caller cancelled the call")
	errTookAge  = errors.New("session: the context age has passed")
)

// A deadline is a call or push being handled that has an end of its own: the
// caller's deadline, its cancellation, or the context age. Only those that need
// it have one.
type deadline struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	conn     *conn
	seq      int32
	answered atomic.Bool
	stop     func() bool // of the age
	ids      []byte      // filters of the call
	tracked  bool        // it is in the connection's table
}

// setDeadline gives x a flight if it needs one.
func (x *exchange) setDeadline() {
	age := x.conn.sess.ContextAge()
	left, marked := x.callerTimeout()
	if age <= 0 && !marked {
		return
	}
	c := x.conn
	d := &deadline{conn: c, seq: x.in.Seq()}
	ctx := c.context()
	if marked && left > 0 {
		ctx, d.cancel = withTimeout(ctx, left, context.DeadlineExceeded)
	} else {
		ctx, d.cancel = context.WithCancelCause(ctx)
	}
	d.ctx = ctx
	if x.in.Mtype() == message.TypeCall {
		if age > 0 {
			d.ids = x.in.XferPipe().IDs()
		}
		if marked {
			c.track(d)
		}
	}
	if age > 0 {
		d.ctx, d.stop = d.age(age, x.in.Mtype() == message.TypeCall)
	}
	x.deadline = d
}

// withTimeout is context.WithTimeoutCause with one cancel function for both.
func withTimeout(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelCauseFunc) {
	base, cancel := context.WithCancelCause(parent)
	ctx, stop := context.WithTimeoutCause(base, d, cause)
	return ctx, func(err error) {
		cancel(err)
		stop()
	}
}

// age bounds the flight, and answers for the handler when it takes longer.
func (d *deadline) age(limit time.Duration, call bool) (context.Context, func() bool) {
	ctx, cancel := context.WithTimeoutCause(d.ctx, limit, errTookAge)
	stop := context.AfterFunc(ctx, func() {
		cancel()
		if call && context.Cause(ctx) == errTookAge && d.claim() {
			d.answerTooLate()
		}
	})
	return ctx, func() bool {
		stopped := stop()
		cancel()
		return stopped
	}
}

// claim reports whether the caller is the one that answers.
func (d *deadline) claim() bool { return d.answered.CompareAndSwap(false, true) }

// answerTooLate tells the caller that the handler took too long.
func (d *deadline) answerTooLate() {
	x := getExchange(d.conn)
	defer putExchange(x)
	x.out.SetMtype(message.TypeReply)
	x.out.SetSeq(d.seq)
	message.WithXferPipe(d.ids...)(&x.out)
	x.fail(newStatus(message.CodeHandleTimeout, context.DeadlineExceeded))
	if st := x.send(false); !st.OK() {
		x.Debugf("session %s: timeout of call %d not sent: %v", d.conn.sess.ID(), d.seq, st)
	}
}

// end releases what the flight holds.
func (d *deadline) end() {
	if d.stop != nil {
		d.stop()
	}
	if d.tracked {
		d.conn.untrack(d)
	}
	d.cancel(context.Canceled)
}

// callerTimeout returns what is left of the caller's time; marked reports
// whether it sent anything about that.
func (x *exchange) callerTimeout() (left time.Duration, marked bool) {
	v := x.in.Meta().Peek(MetaTimeout)
	if v == nil {
		return 0, false
	}
	ms, err := strconv.ParseUint(string(v), 10, 40)
	if err != nil {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// mark writes what is left of ctx into the metadata of a call.
func mark(m *message.Message, ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	var ms int64
	if deadline, ok := ctx.Deadline(); ok {
		ms = max(1, int64((time.Until(deadline)+time.Millisecond-1)/time.Millisecond))
	}
	m.Meta().Set(MetaTimeout, strconv.FormatInt(ms, 10))
}

// introduce makes the first call on a connection that a redial may replace say
// that this side understands control messages: so it will be told when the
// other side is going away, and fail no call on that.
func (s *Engine) introduce(x *exchange) {
	if s.dial == nil || x.conn.marked.Load() {
		return
	}
	x.conn.marked.Store(true)
	if x.out.Meta().Peek(MetaTimeout) == nil {
		x.out.Meta().Set(MetaTimeout, "0")
	}
}

// track enters f, so that a cancel message finds it, and tells the other side
// that such messages are understood.
func (c *conn) track(d *deadline) {
	d.tracked = true
	c.mu.Lock()
	if c.deadlines == nil {
		c.deadlines = make(map[int32]*deadline)
	}
	c.deadlines[d.seq] = d
	c.mu.Unlock()
	if !c.peerIsErpc.Swap(true) {
		c.sendControl(controlHello, 0)
	}
}

func (c *conn) untrack(d *deadline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadlines[d.seq] == d {
		delete(c.deadlines, d.seq)
	}
}

func (c *conn) cancelInbound(seq int32) {
	c.mu.Lock()
	d := c.deadlines[seq]
	c.mu.Unlock()
	if d != nil {
		d.cancel(errCanceled)
	}
}
