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

// A flight is a call or push being handled that has an end of its own: the
// caller's deadline, its cancellation, or the context age. Only those that need
// it have one.
type flight struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	link     *link
	seq      int32
	answered atomic.Bool
	stop     func() bool // of the age
	ids      []byte      // filters of the call
	known    bool        // it is in the link's table
}

// begin gives x a flight if it needs one.
func (x *exchange) begin() {
	age := x.link.conn.ContextAge()
	left, marked := x.callerTimeout()
	if age <= 0 && !marked {
		return
	}
	l := x.link
	f := &flight{link: l, seq: x.in.Seq()}
	ctx := l.context()
	if marked && left > 0 {
		ctx, f.cancel = withTimeout(ctx, left, context.DeadlineExceeded)
	} else {
		ctx, f.cancel = context.WithCancelCause(ctx)
	}
	f.ctx = ctx
	if x.in.Mtype() == message.TypeCall {
		if age > 0 {
			f.ids = x.in.XferPipe().IDs()
		}
		if marked {
			l.fly(f)
		}
	}
	if age > 0 {
		f.ctx, f.stop = f.age(age, x.in.Mtype() == message.TypeCall)
	}
	x.flight = f
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
func (f *flight) age(d time.Duration, call bool) (context.Context, func() bool) {
	ctx, cancel := context.WithTimeoutCause(f.ctx, d, errTookAge)
	stop := context.AfterFunc(ctx, func() {
		cancel()
		if call && context.Cause(ctx) == errTookAge && f.claim() {
			f.tooLate()
		}
	})
	return ctx, func() bool {
		stopped := stop()
		cancel()
		return stopped
	}
}

// claim reports whether the caller is the one that answers.
func (f *flight) claim() bool { return f.answered.CompareAndSwap(false, true) }

// tooLate tells the caller that the handler took too long.
func (f *flight) tooLate() {
	x := getExchange(f.link)
	defer putExchange(x)
	x.out.SetMtype(message.TypeReply)
	x.out.SetSeq(f.seq)
	message.WithXferPipe(f.ids...)(&x.out)
	x.fail(newStatus(message.CodeHandleTimeout, context.DeadlineExceeded))
	if st := x.send(false); !st.OK() {
		x.Debugf("session %s: timeout of call %d not sent: %v", f.link.conn.ID(), f.seq, st)
	}
}

// end releases what the flight holds.
func (f *flight) end() {
	if f.stop != nil {
		f.stop()
	}
	if f.known {
		f.link.land(f)
	}
	f.cancel(context.Canceled)
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
func (c *Conn) introduce(x *exchange) {
	if c.dial == nil || x.link.marked.Load() {
		return
	}
	x.link.marked.Store(true)
	if x.out.Meta().Peek(MetaTimeout) == nil {
		x.out.Meta().Set(MetaTimeout, "0")
	}
}

// fly enters f, so that a cancel message finds it, and tells the other side
// that such messages are understood.
func (l *link) fly(f *flight) {
	f.known = true
	l.mu.Lock()
	if l.flights == nil {
		l.flights = make(map[int32]*flight)
	}
	l.flights[f.seq] = f
	l.mu.Unlock()
	if !l.ours.Swap(true) {
		l.sendControl(controlHello, 0)
	}
}

func (l *link) land(f *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flights[f.seq] == f {
		delete(l.flights, f.seq)
	}
}

func (l *link) cancelFlight(seq int32) {
	l.mu.Lock()
	f := l.flights[seq]
	l.mu.Unlock()
	if f != nil {
		f.cancel(errCanceled)
	}
}
