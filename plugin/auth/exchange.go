package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// MaxMessage is the longest body of a message of an exchange, in bytes. It is
// looked at before the body is decoded, because nobody knows the sender yet.
const MaxMessage = 64 << 10

var (
	errTooLarge = fmt.Errorf("auth: a message of the exchange is longer than %d bytes", MaxMessage)
	errFilters  = errors.New("auth: a message of the exchange has transfer filters")
)

// An exchange is the messages of one connection before it is a session. One
// goroutine uses it.
type exchange struct {
	erpc.PreSession
	ctx      context.Context
	settings []erpc.MessageSetting
	asked    asked
	call     erpc.Message // of byCall
}

// asked is what the other side expects an answer to.
type asked int

const (
	byAuthCall asked = iota // an AUTH_CALL, or silence
	byCall                  // a CALL
	nothing                 // so that it is told of a refusal only
)

// Context implements [Session].
func (x *exchange) Context() context.Context { return x.ctx }

// send sends a message within the time of the exchange.
func (x *exchange) send(mtype byte, body any) *erpc.Status {
	return x.PreSend(mtype, "", body, nil, append(slices.Clone(x.settings), erpc.WithContext(x.ctx))...)
}

// answer says that the session is accepted.
func (x *exchange) answer(ret any) *erpc.Status {
	switch x.asked {
	case nothing:
		return nil
	case byCall:
		return x.PreReply(x.call, nil, nil, erpc.WithContext(x.ctx))
	}
	return x.send(erpc.TypeAuthReply, ret)
}

// refuse says that it is not. The session ends anyway, so it does not matter
// whether that arrives; the context is left out because its end may be the
// reason.
func (x *exchange) refuse(st *erpc.Status) {
	if x.asked == byCall {
		_ = x.PreReply(x.call, nil, st)
		return
	}
	_ = x.PreSend(erpc.TypeAuthReply, "", nil, st, x.settings...)
}

// receive decodes the next message, which must be of that type, into body.
func (x *exchange) receive(mtype byte, body any) *erpc.Status {
	m := x.next()
	if st := x.expect(m, mtype); !st.OK() {
		return st
	}
	return decode(m, body)
}

// next returns the next message, its body undecoded.
func (x *exchange) next() erpc.Message {
	return x.PreReceive(func(erpc.Header) any { return new([]byte) }, x.ctx)
}

// expect returns what is wrong with a message, before its body is looked at.
func (x *exchange) expect(m erpc.Message, mtype byte) *erpc.Status {
	if got := m.Mtype(); got != erpc.TypeUndefined && got != mtype {
		return unauthorized(fmt.Sprintf("auth message(1st) expect: %s, but received: %s", erpc.TypeText(mtype), erpc.TypeText(got)))
	}
	return m.Status()
}

// decode decodes a message of [exchange.next], within bounds.
func decode(m erpc.Message, body any) *erpc.Status {
	if st := m.Status(); !st.OK() {
		return st
	}
	var raw []byte
	if b, ok := m.Body().(*[]byte); ok {
		raw = *b
	}
	switch {
	case len(raw) > MaxMessage:
		return erpc.NewStatusByCodeText(erpc.CodeTooLarge, errTooLarge, false)
	case m.XferPipe().Len() > 0:
		return unauthorized(errFilters)
	}
	m.SetNewBody(nil)
	m.SetBody(body)
	if err := m.UnmarshalBody(raw); err != nil {
		code := erpc.CodeBadMessage
		if _, ok := errors.AsType[*codec.NotAcceptedError](err); ok {
			code = erpc.CodeUnsupportedCodec
		}
		return erpc.NewStatusByCodeText(code, err, false)
	}
	return nil
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
	refusals, losses                lograte.Limiter
}

func (t *tally) counts() Counts {
	return Counts{t.passed.Load(), t.refused.Load(), t.timedOut.Load(), t.lost.Load(), t.waiting.Load()}
}

// run runs an exchange in the time it has, counts it and leaves a line in the
// log. A panic counts as a refusal, and goes on to whatever recovers it.
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
	st = do(&exchange{PreSession: sess, ctx: ctx, settings: settings})
	return st
}

// done counts an exchange and logs its end: each one that passed, and of the
// others, of which strangers can have as many as they like, one a second.
func (t *tally) done(sess erpc.PreSession, took time.Duration, st *erpc.Status) {
	if st.OK() {
		attrs := []slog.Attr{slog.Duration("took", took)}
		if id := IdentityOf(sess); id != nil {
			attrs = append(attrs, slog.String("identity", id.Name))
		}
		sess.Log(slog.LevelInfo, "auth: passed", attrs...)
		t.passed.Add(1)
		return
	}
	switch {
	case st.Code() == erpc.CodeHandleTimeout:
		t.timedOut.Add(1)
	case erpc.IsConnError(st):
		t.losses.Do(func(skipped uint64) {
			sess.Log(slog.LevelInfo, "auth: connection lost", slog.Duration("took", took), slog.Any("status", st), slog.Uint64("others", skipped))
		})
		t.lost.Add(1)
		return
	default:
		t.refused.Add(1)
	}
	t.refusals.Do(func(skipped uint64) {
		sess.Log(slog.LevelWarn, "auth: refused", slog.Duration("took", took), slog.Any("status", st), slog.Uint64("others", skipped))
	})
}
