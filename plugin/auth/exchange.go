package auth

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// An exchange is the messages of one connection before it is a session. One
// goroutine uses it.
type exchange struct {
	erpc.PreSession
	ctx      context.Context
	settings []erpc.MessageSetting
}

// Context implements [Session].
func (x *exchange) Context() context.Context { return x.ctx }

// send sends a message within the time of the exchange.
func (x *exchange) send(mtype byte, body any) *erpc.Status {
	return x.PreSend(mtype, "", body, nil, append(slices.Clone(x.settings), erpc.WithContext(x.ctx))...)
}

// receive decodes the next message, which must be of that type, into body.
func (x *exchange) receive(mtype byte, body any) *erpc.Status {
	m := x.PreReceive(func(h erpc.Header) any {
		if h.Mtype() != mtype {
			return nil
		}
		return body
	}, x.ctx)
	if got := m.Mtype(); got != erpc.TypeUndefined && got != mtype {
		return unauthorized(fmt.Sprintf("auth message(1st) expect: %s, but received: %s", erpc.TypeText(mtype), erpc.TypeText(got)))
	}
	return m.Status()
}

// Counts is how many exchanges ended how. They are those of a plugin, whatever
// peers it serves.
type Counts struct {
	Passed   uint64
	Refused  uint64 // by the checker, or for what the other side sent
	TimedOut uint64
	Lost     uint64 // the connection broke
	Waiting  int64  // at the moment
}

// A tally keeps [Counts]. It may be used concurrently.
type tally struct {
	passed, refused, timedOut, lost atomic.Uint64
	waiting                         atomic.Int64
}

func (t *tally) counts() Counts {
	return Counts{t.passed.Load(), t.refused.Load(), t.timedOut.Load(), t.lost.Load(), t.waiting.Load()}
}

// run runs an exchange in the time it has, counts it and leaves a line in the
// log. A panic counts as a refusal, and goes on to who catches it.
func (t *tally) run(sess erpc.PreSession, timeout time.Duration, settings []erpc.MessageSetting, do func(*exchange) *erpc.Status) (st *erpc.Status) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	start := time.Now()
	t.waiting.Add(1)
	st = erpc.NewStatusByCodeText(erpc.CodeInternalServerError, "panic", false) // unless do returns
	defer func() {
		t.waiting.Add(-1)
		t.done(sess, time.Since(start), st)
	}()
	st = do(&exchange{sess, ctx, settings})
	return st
}

func (t *tally) done(sess erpc.PreSession, took time.Duration, st *erpc.Status) {
	const refused = "auth: session %s with %v refused after %v: %v"
	switch {
	case st.OK():
		sess.Infof("auth: session %s with %v passed after %v", sess.ID(), sess.RemoteAddr(), took)
		t.passed.Add(1)
	case st.Code() == erpc.CodeHandleTimeout:
		sess.Warnf(refused, sess.ID(), sess.RemoteAddr(), took, st)
		t.timedOut.Add(1)
	case erpc.IsConnError(st):
		sess.Infof("auth: connection %v lost after %v: %v", sess.RemoteAddr(), took, st)
		t.lost.Add(1)
	default:
		sess.Warnf(refused, sess.ID(), sess.RemoteAddr(), took, st)
		t.refused.Add(1)
	}
}
