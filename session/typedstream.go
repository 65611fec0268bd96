package session

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/goerpc/erpc/message"
)

// A RawStream is what a [TypedStream] is built on: a [Stream], or a fake in a
// test.
type RawStream interface {
	SendContext(ctx context.Context, v any) error
	RecvContext(ctx context.Context, v any) error
	CloseSend() error
	Close() error
	StreamInfo
}

// StreamInfo describes a stream.
type StreamInfo interface {
	Context() context.Context
	Meta() *message.Meta
	Draining() <-chan struct{}
	Session() Session
}

// A TypedStream is one end of a stream that receives In and sends Out; see
// [Stream]. The type []byte stands for raw messages, without a codec.
type TypedStream[In, Out any] struct{ raw RawStream }

// NewTypedStream returns the typed form of a stream.
func NewTypedStream[In, Out any](raw RawStream) *TypedStream[In, Out] {
	return &TypedStream[In, Out]{raw}
}

// Raw returns the stream below s.
func (s *TypedStream[In, Out]) Raw() RawStream { return s.raw }

// Send sends a message; see [Stream.Send].
func (s *TypedStream[In, Out]) Send(m *Out) error { return s.raw.SendContext(s.raw.Context(), m) }

// SendContext is Send that also ends with ctx, without damage to the stream.
func (s *TypedStream[In, Out]) SendContext(ctx context.Context, m *Out) error {
	return s.raw.SendContext(ctx, m)
}

// Recv waits for the next message. It returns io.EOF when the other side sends no
// more, and the status if the stream ended in another way.
func (s *TypedStream[In, Out]) Recv() (*In, error) { return s.RecvContext(context.Background()) }

// RecvContext is Recv that also ends with ctx, without damage to the stream.
func (s *TypedStream[In, Out]) RecvContext(ctx context.Context) (*In, error) {
	m := new(In)
	if err := s.raw.RecvContext(ctx, m); err != nil {
		return nil, err
	}
	return m, nil
}

// RecvInto is Recv into a message of the caller, which may reuse it for the next
// one: bytes are copied into the capacity of *m, and any other message is cleared
// first.
func (s *TypedStream[In, Out]) RecvInto(m *In) error {
	raw, ok := s.raw.(interface {
		RecvInto(ctx context.Context, v any) error
	})
	if _, isBytes := any(m).(*[]byte); isBytes && ok {
		return raw.RecvInto(context.Background(), m)
	}
	var zero In
	*m = zero
	return s.raw.RecvContext(context.Background(), m)
}

// All yields the messages until the other side sends no more. If the stream fails,
// the last pair has the error. Leaving the loop early closes the stream, as
// [Stream.Close] does.
func (s *TypedStream[In, Out]) All() iter.Seq2[*In, error] {
	return func(yield func(*In, error) bool) {
		for {
			m, err := s.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(m, err) || err != nil {
				_ = s.raw.Close() // it never fails
				return
			}
		}
	}
}

// CloseSend tells the other side that this side sends no more messages. It is for
// the side that opened the stream; a handler returns instead.
func (s *TypedStream[In, Out]) CloseSend() error { return s.raw.CloseSend() }

// CloseAndRecv calls CloseSend, receives the one message that answers, and closes
// the stream.
func (s *TypedStream[In, Out]) CloseAndRecv() (*In, error) {
	defer s.raw.Close() // it never fails
	err := s.raw.CloseSend()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	m, err := s.Recv()
	if errors.Is(err, io.EOF) {
		return nil, newStatus(message.CodeBadMessage, "the stream ended without an answer").Err()
	}
	return m, err
}

// Close ends the stream, if it has not ended; see [Stream.Close].
func (s *TypedStream[In, Out]) Close() error { return s.raw.Close() }

// Context ends with the stream; see [Stream.Context].
func (s *TypedStream[In, Out]) Context() context.Context { return s.raw.Context() }

// Meta returns the metadata that the other side sent; see [Stream.Meta].
func (s *TypedStream[In, Out]) Meta() *message.Meta { return s.raw.Meta() }

// Draining is closed when either side begins to shut down, or the other side has
// called [TypedStream.Drain].
func (s *TypedStream[In, Out]) Draining() <-chan struct{} { return s.raw.Draining() }

// Drain asks the other side's program to end the stream soon; see [Stream.Drain]. It
// does nothing if the raw stream lacks that method.
func (s *TypedStream[In, Out]) Drain() {
	if raw, ok := s.raw.(interface{ Drain() }); ok {
		raw.Drain()
	}
}

// Session returns the session of the stream, nil in a test without one.
func (s *TypedStream[In, Out]) Session() Session { return s.raw.Session() }

// A StreamOpener can open streams to the remote peer, as a session can.
type StreamOpener interface {
	OpenStream(ctx context.Context, serviceMethod string, settings ...message.Setting) (*Stream, *message.Status)
}

// OpenStream opens a stream that sends Out and receives In. It ends with ctx. The
// caller must make sure that it ends: with Close, by cancelling ctx, or by
// receiving until an error. A failed status comes back as a
// [*message.StatusError].
func OpenStream[Out, In any](ctx context.Context, o StreamOpener, serviceMethod string, settings ...message.Setting) (*TypedStream[In, Out], error) {
	s, st := o.OpenStream(ctx, serviceMethod, settings...)
	if !st.OK() {
		return nil, st.Err()
	}
	return NewTypedStream[In, Out](s), nil
}
