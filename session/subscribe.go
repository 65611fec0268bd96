package session

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/goerpc/erpc/message"
)

// Subscribe opens a stream to serviceMethod, sends arg as its only message, and
// yields what the handler sends until it returns. If the stream fails, the last
// pair has the error. Leaving the loop early closes the stream.
func Subscribe[R, A any](ctx context.Context, o StreamOpener, serviceMethod string, arg *A, settings ...message.Setting) iter.Seq2[*R, error] {
	return func(yield func(*R, error) bool) {
		subscribeOnce(ctx, o, serviceMethod, arg, settings, yield)
	}
}

// How long SubscribeFrom and [Transfer.Resume] wait before they open a stream again.
const (
	resubscribeFirst   = 50 * time.Millisecond
	resubscribeLongest = 5 * time.Second
)

// SubscribeFrom is [Subscribe] that goes on over another connection when the one
// that carried the stream is lost or its other side shuts down. next returns the
// argument for each stream: it gets nil at first, then the last message that was
// yielded, from which it can derive the position to go on from. The loop ends when
// the stream ends in another way, with ctx, or when the session has ended for good.
func SubscribeFrom[R, A any](ctx context.Context, o StreamOpener, serviceMethod string, next func(last *R) *A, settings ...message.Setting) iter.Seq2[*R, error] {
	return func(yield func(*R, error) bool) {
		var last *R
		wait := resubscribeFirst
		for {
			var lost error
			opened := subscribeOnce(ctx, o, serviceMethod, next(last), settings, func(m *R, err error) bool {
				if movable(err) && ctx.Err() == nil {
					lost = err
					return false
				}
				if err == nil {
					last, wait = m, resubscribeFirst
				}
				return yield(m, err)
			})
			switch {
			case lost == nil:
				return
			case !opened && message.FromError(lost).Code() == message.CodeConnClosed && !comesBack(o): // for good
				yield(nil, lost)
				return
			}
			select {
			case <-time.After(wait):
				wait = min(2*wait, resubscribeLongest)
			case <-ctx.Done():
				yield(nil, statusContext(ctx).Err())
				return
			}
		}
	}
}

// comesBack reports whether o is a session that has a connection or dials one.
func comesBack(o StreamOpener) bool {
	s, ok := o.(interface{ Health() bool })
	return ok && s.Health()
}

// movable reports whether a stream that ended with err may be opened again
// elsewhere.
func movable(err error) bool {
	if err == nil {
		return false
	}
	code := message.FromError(err).Code()
	return code == message.CodeConnClosed || code == message.CodeShuttingDown
}

// subscribeOnce is Subscribe with yield. It reports whether the stream was opened.
func subscribeOnce[R, A any](ctx context.Context, o StreamOpener, serviceMethod string, arg *A, settings []message.Setting, yield func(*R, error) bool) (opened bool) {
	s, err := OpenStream[A, R](ctx, o, serviceMethod, settings...)
	if err != nil {
		yield(nil, err)
		return false
	}
	defer s.Close()
	err = s.Send(arg)
	if err == nil {
		_ = s.CloseSend() // it fails if the stream has ended, and All returns that behind what has arrived
	}
	if err != nil && !errors.Is(err, io.EOF) && s.Context().Err() == nil { // else a handler has ended before it has read
		yield(nil, err)
		return true
	}
	for m, err := range s.All() {
		if !yield(m, err) {
			break
		}
	}
	return true
}
