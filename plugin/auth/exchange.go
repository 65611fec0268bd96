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
// checked before the body is decoded, because the sender is not authenticated
// yet.
const MaxMessage = 64 << 10

var (
	errTooLarge = fmt.Errorf("auth: a message of the exchange is longer than %d bytes", MaxMessage)
	errFilters  = errors.New("auth: a message of the exchange has transfer filters")
)

// An exchange exchanges the messages of one connection before it is a session.
// It is used by one goroutine.
type exchange struct {
	erpc.PreSession
	ctx      context.Context
	settings []erpc.MessageSetting
	asked    asked
	call     erpc.Message // of byCall
}

// asked is the kind of message that the other side expects an answer to.
type asked int

const (
	byAuthCall asked = iota // an AUTH_CALL, or silence
	byCall                  // a CALL
	nothing                 // no answer; the other side only learns of a refusal
)

// Context implements [Session].
func (x *exchange) Context() context.Context { return x.ctx }

// send sends a message within the time of the exchange.
func (x *exchange) send(mtype byte, body any) *erpc.Status {
	return x.PreSend(mtype, "", body, nil, append(slices.Clone(x.settings), erpc.WithContext(x.ctx))...)
}

// answer tells the other side that the session is accepted.
func (x *exchange) answer(ret any) *erpc.Status {
	switch x.asked {
	case nothing:
		return nil
	case byCall:
		return x.PreReply(x.call, nil, nil, erpc.WithContext(x.ctx))
	}
	return x.send(erpc.TypeAuthReply, ret)
}

// refuse tells the other side that the session is refused. The session ends
// anyway, so errors are ignored. It does not use the exchange's context,
// because that may be over.
func (x *exchange) refuse(st *erpc.Status) {
	if x.asked == byCall {
		_ = x.PreReply(x.call, nil, st)
		return
	}
	_ = x.PreSend(erpc.TypeAuthReply, "", nil, st, x.settings...)
}

// receive decodes the next message, which must have type mtype, into body.
func (x *exchange) receive(mtype byte, body any) *erpc.Status {
	m := x.next()
	if st := x.expect(m, mtype); !st.OK() {
		return st
	}
	return decode(m, body)
}

// next returns the next message without decoding its body.
func (x *exchange) next() erpc.Message {
	return x.PreReceive(func(erpc.Header) any { return new([]byte) }, x.ctx)
}

// expect checks a message before its body is decoded.
func (x *exchange) expect(m erpc.Message, mtype byte) *erpc.Status {
	if got := m.Mtype(); got != erpc.TypeUndefined && got != mtype {
		return unauthorized(fmt.Sprintf("auth message(1st) expect: %s, but received: %s", erpc.TypeText(mtype), erpc.TypeText(got)))
	}
	return m.Status()
}

// decode decodes the body of a message of [exchange.next], if it is within
// bounds.
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

// Counts holds how many exchanges of a plugin ended in which way, over all
// peers that it serves.
type Counts struct {
	Passed   uint64
	Refused  uint64 // by the checker, or because the other side sent a bad message
	TimedOut uint64
	Lost     uint64 // the connection broke
	Waiting  int64  // now in progress
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

// run runs an exchange within its timeout, counts it and logs its end. It
// counts a panic as a refusal and does not recover it.
func (t *tally) run(sess erpc.PreSession, timeout time.Duration, settings []erpc.MessageSetting, do func(*exchange) *erpc.Status) (st *erpc.Status) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	start := time.Now()
	t.waiting.Add(1)
	st = erpc.NewStatusByCodeText(erpc.CodeInternalServerError, "panic", false) // kept if do panics
	defer func() {
		t.waiting.Add(-1)
		t.done(sess, time.Since(start), st)
	}()
	st = do(&exchange{PreSession: sess, ctx: ctx, settings: settings})
	return st
}

// done counts an exchange and logs its end: each one that passed, and at most
// one line per second for the others, because clients can cause any number of
// them.
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
