package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

var (
	errCanceled = errors.New("session: the caller cancelled the call")
	errTookAge  = errors.New("session: the context age has passed")
)

// A deadline ends the handling of a call or push: at the caller's deadline, its
// cancellation or the context age, whichever comes first. Only messages that have
// such an end get one.
type deadline struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	conn     *conn
	seq      int32
	answered atomic.Bool
	stop     func() // stops the timer of the context age; nil: none
	ids      []byte // filters of the call

	// Guarded by the mutex of the table:
	prev, next *deadline
	cancelable bool // a cancel message may come for it

	over bool // end was called; placed here it needs no padding
}

// deadlines are those of one connection, and end with it. The zero value is empty
// and ready.
//
// They are a list of their own, rather than children of one context, because a
// context that has had many children keeps memory for them.
type deadlines struct {
	mu     sync.Mutex // guards the following
	head   *deadline
	calls  map[int32]*deadline // the cancelable ones, by number; nil: none
	peak   int                 // the largest size that calls had
	cause  error               // not nil: the connection is closed
	length int
}

const maxKeptDeadlines = 64 // size up to which the map is kept when it is empty

// add enters d. On a closed connection d ends at once.
func (t *deadlines) add(d *deadline, cancelable bool) {
	t.mu.Lock()
	cause := t.cause
	if cause == nil {
		d.next = t.head
		if t.head != nil {
			t.head.prev = d
		}
		t.head = d
		t.length++
		if cancelable {
			if t.calls == nil {
				t.calls = make(map[int32]*deadline)
			}
			d.cancelable = true
			t.calls[d.seq] = d
			t.peak = max(t.peak, len(t.calls))
		}
	}
	t.mu.Unlock()
	if cause != nil {
		d.cancel(cause)
	}
}

// remove removes d. It does nothing if the connection is closed.
func (t *deadlines) remove(d *deadline) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cause != nil {
		return
	}
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		t.head = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	}
	d.prev, d.next = nil, nil
	t.length--
	if !d.cancelable {
		return
	}
	if t.calls[d.seq] == d {
		delete(t.calls, d.seq)
	}
	if len(t.calls) == 0 && t.peak > maxKeptDeadlines {
		t.calls, t.peak = nil, 0
	}
}

// cancel ends the call with that sequence number, if there is one. A nil table has
// none.
func (t *deadlines) cancel(seq int32) {
	if t == nil {
		return
	}
	t.mu.Lock()
	d := t.calls[seq]
	t.mu.Unlock()
	if d != nil {
		d.cancel(errCanceled)
	}
}

// close ends all of them, and those that are added later.
func (t *deadlines) close(cause error) {
	t.mu.Lock()
	head := t.head
	t.head, t.calls, t.length, t.cause = nil, nil, 0, cause
	t.mu.Unlock()
	for d := head; d != nil; d = d.next { // the list does not change any more
		d.cancel(cause)
	}
}

// newDeadline returns the deadline of m, a CALL or PUSH that arrived over c, or nil
// if it needs none.
func newDeadline(c *conn, m *message.Message) *deadline {
	age := c.up.ContextAge()
	left, marked := callerTimeout(m)
	if age <= 0 && !marked {
		return nil
	}
	d := &deadline{conn: c, seq: m.Seq()}
	if marked && left > 0 {
		d.ctx, d.cancel = withTimeout(context.Background(), left)
	} else {
		d.ctx, d.cancel = context.WithCancelCause(context.Background())
	}
	isCall := m.Mtype() == message.TypeCall
	c.deadlines.get().add(d, marked && isCall)
	if age > 0 {
		if isCall {
			d.ids = m.XferPipe().IDs()
		}
		d.limit(age, isCall)
	}
	return d
}

// withTimeout is context.WithTimeout with a cancel function that takes a cause.
func withTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelCauseFunc) {
	base, cancel := context.WithCancelCause(parent)
	ctx, stop := context.WithTimeoutCause(base, d, context.DeadlineExceeded)
	return ctx, func(err error) {
		cancel(err)
		stop()
	}
}

// limit bounds the handling by the context age. It answers the call if the handler
// takes longer.
func (d *deadline) limit(age time.Duration, isCall bool) {
	ctx, cancel := context.WithTimeoutCause(d.ctx, age, errTookAge)
	stop := context.AfterFunc(ctx, func() {
		cancel()
		if isCall && context.Cause(ctx) == errTookAge && d.claim() {
			d.answerTooLate()
		}
	})
	d.ctx = ctx
	d.stop = func() {
		stop()
		cancel()
	}
}

// claim reports whether the caller may answer: the first one may.
func (d *deadline) claim() bool { return d.answered.CompareAndSwap(false, true) }

// answerTooLate replies that the handler took too long.
func (d *deadline) answerTooLate() {
	x := getExchange(d.conn, roleInbound)
	defer putExchange(x)
	x.out.SetMtype(message.TypeReply)
	x.out.SetSeq(d.seq)
	message.WithXferPipe(d.ids...)(&x.out)
	x.fail(newStatus(message.CodeHandleTimeout, context.DeadlineExceeded))
	if st := x.send(false); !st.OK() {
		x.Log(slog.LevelDebug, "timeout of a call not sent", slog.Int("seq", int(d.seq)), statusAttr(st))
	}
}

// end releases what the deadline holds. A second call does nothing.
func (d *deadline) end() {
	if d.over {
		return
	}
	d.over = true
	if d.stop != nil {
		d.stop()
	}
	d.conn.deadlines.get().remove(d)
	d.cancel(context.Canceled)
}

// maxTimeout bounds a caller's timeout, both when it is sent and when it is
// received. A longer one is as good as none, and a Duration can hold it many
// times.
const maxTimeout = 30 * 365 * 24 * time.Hour

// callerTimeout returns the time that is left for the caller; marked reports
// whether the message has that metadata.
func callerTimeout(m *message.Message) (left time.Duration, marked bool) {
	v := m.Meta().Peek(MetaTimeout)
	if v == nil {
		return 0, false
	}
	ms, err := strconv.ParseUint(string(v), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && len(bytes.Trim(v, "0123456789")) == 0: // ParseInt returns it before it has read all digits
		return maxTimeout, true
	case err != nil:
		return 0, false
	}
	return time.Duration(min(ms, uint64(maxTimeout/time.Millisecond))) * time.Millisecond, true
}

// timeoutText is d in the form of the metadata.
func timeoutText(d time.Duration) string {
	ms := min(d, maxTimeout) / time.Millisecond
	if d%time.Millisecond > 0 && ms < maxTimeout/time.Millisecond {
		ms++
	}
	return strconv.FormatInt(int64(max(1, ms)), 10)
}

// markTimeout writes what is left of ctx into the metadata of a call.
func markTimeout(m *message.Message, ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	text := "0"
	if end, ok := ctx.Deadline(); ok {
		text = timeoutText(time.Until(end))
	}
	m.Meta().Set(MetaTimeout, text)
}

// errConnEnded is the cause of the contexts of handlers whose connection ended.
var errConnEnded = fmt.Errorf("%w: %w", context.Canceled, errConnClosed)
