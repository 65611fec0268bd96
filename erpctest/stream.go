package erpctest

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/session"
)

// maxQueued is how many messages an end of a stream holds before the sender waits.
const maxQueued = 16

// StreamPair returns the two ends of a stream without a session: that of a handler,
// which receives In and sends Out, and that of the side which opened it. end ends
// the stream as a handler does that returns err. Messages pass through the JSON
// codec; a sender waits when 16 of them were not received. Session returns nil at
// both ends. The stream ends with the test at the latest.
func StreamPair[In, Out any](t testing.TB) (handler *erpc.Stream[In, Out], opener *erpc.Stream[Out, In], end func(err error)) {
	h, o := newEnds(t.Context())
	t.Cleanup(func() { h.life.end(io.EOF) })
	return session.NewTypedStream[In, Out](h), session.NewTypedStream[Out, In](o), h.returned
}

// RunStream runs a handler of streams, a function as [erpc.HandleStream] takes it,
// and returns the other end of its stream. The stream ends when the handler
// returns, as it does over a connection: the other end receives what was sent
// before, then io.EOF or the status of the error. At the end of the test the
// context of the handler ends, and the test fails if it does not return.
func RunStream[In, Out any](t testing.TB, fn func(ctx context.Context, s *erpc.Stream[In, Out]) error) *erpc.Stream[Out, In] {
	ctx, cancel := context.WithCancel(context.Background())
	h, o := newEnds(ctx)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		h.returned(fn(h.life.ctx, session.NewTypedStream[In, Out](h)))
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, "end of the handler of a stream", returned)
	})
	return session.NewTypedStream[Out, In](o)
}

// A streamLife is what both ends of a stream share.
type streamLife struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	once   sync.Once
	err    error // how it ended; io.EOF: well. To be read after done
}

// end ends the stream. Only the first call does anything.
func (l *streamLife) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
		l.cancel(err)
	})
}

// A streamEnd is one end of a stream in memory: a [session.RawStream].
type streamEnd struct {
	life     *streamLife
	in, out  chan []byte
	inClosed <-chan struct{} // no more messages come
	closed   chan struct{}   // none are sent
	once     sync.Once       // closes closed
	opener   bool
}

// returned ends the stream as a handler that returns err.
func (s *streamEnd) returned(err error) {
	if err == nil || errors.Is(err, io.EOF) {
		s.life.end(io.EOF)
		return
	}
	s.life.end(erpc.StatusFromError(err).Err())
}

var _ session.RawStream = (*streamEnd)(nil)

func newEnds(parent context.Context) (handler, opener *streamEnd) {
	l := &streamLife{done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(parent)
	a, b := make(chan []byte, maxQueued), make(chan []byte, maxQueued)
	handler = &streamEnd{life: l, in: a, out: b, closed: make(chan struct{})}
	opener = &streamEnd{life: l, in: b, out: a, closed: make(chan struct{}), opener: true}
	handler.inClosed, opener.inClosed = opener.closed, handler.closed
	return handler, opener
}

// ended is the error of an operation on a stream that has ended, or whose context
// has.
func (s *streamEnd) ended() error {
	select {
	case <-s.life.done:
		return s.life.err
	default:
		return erpc.NewStatusByCodeText(erpc.CodeCanceled, context.Cause(s.life.ctx), false).Err()
	}
}

// SendContext implements [session.RawStream].
func (s *streamEnd) SendContext(ctx context.Context, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	select {
	case <-s.life.ctx.Done():
		return s.ended()
	case <-s.closed:
		return io.EOF
	default:
	}
	select {
	case s.out <- body:
		return nil
	case <-s.closed:
		return io.EOF
	case <-s.life.ctx.Done():
		return s.ended()
	case <-ctx.Done():
		return gaveUp(ctx)
	}
}

// RecvContext implements [session.RawStream]. What was sent before an end comes
// before it.
func (s *streamEnd) RecvContext(ctx context.Context, v any) error {
	select {
	case body := <-s.in:
		return decode(body, v)
	default:
	}
	select {
	case body := <-s.in:
		return decode(body, v)
	case <-s.inClosed:
		return s.lastOr(v, io.EOF)
	case <-s.life.ctx.Done():
		return s.lastOr(v, s.ended())
	case <-ctx.Done():
		return gaveUp(ctx)
	}
}

// lastOr receives what arrived while the end was noticed, else returns err.
func (s *streamEnd) lastOr(v any, err error) error {
	select {
	case body := <-s.in:
		return decode(body, v)
	default:
		return err
	}
}

func gaveUp(ctx context.Context) error {
	code := erpc.CodeCanceled
	if ctx.Err() == context.DeadlineExceeded {
		code = erpc.CodeHandleTimeout
	}
	return erpc.NewStatusByCodeText(code, context.Cause(ctx), false).Err()
}

// CloseSend implements [session.RawStream]. It refuses a handler, as a session does.
func (s *streamEnd) CloseSend() error {
	if !s.opener {
		return errors.New("erpctest: a handler ends its stream by returning")
	}
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Close implements [session.RawStream]. A handler's stream ends when it returns.
func (s *streamEnd) Close() error {
	if s.opener {
		s.life.end(erpc.NewStatusByCodeText(erpc.CodeCanceled, nil, false).Err())
	}
	return nil
}

// Context implements [session.StreamInfo].
func (s *streamEnd) Context() context.Context { return s.life.ctx }

// Meta implements [session.StreamInfo]. It is empty.
func (s *streamEnd) Meta() *erpc.Meta { return new(erpc.Meta) }

// Draining implements [session.StreamInfo]. It is never closed.
func (s *streamEnd) Draining() <-chan struct{} { return nil }

// Session implements [session.StreamInfo].
func (s *streamEnd) Session() session.Session { return nil }
