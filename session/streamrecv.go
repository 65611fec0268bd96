package session

import (
	"context"
	"errors"
	"io"

	"github.com/goerpc/erpc/internal/bufpool"
	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
)

// A streamMessage is a message that arrived and was not received by the program
// yet.
type streamMessage struct {
	codec   byte
	meta    *message.Meta // nil: none
	body    []byte
	storage []byte // the pooled buffer that holds body; nil: body has its own memory
}

// release gives the memory of the message back. Its body must not be used any
// more.
func (m *streamMessage) release() {
	bufpool.Put(m.storage)
	m.body, m.storage = nil, nil
}

// minKept is the length, in bytes, from which the body of a message stays in the
// storage that it was read into. A shorter one is copied.
const minKept = 16 << 10

// newStreamMessage returns the message in x, and takes ownership of its body.
func newStreamMessage(x *exchange) streamMessage {
	m := streamMessage{codec: x.in.BodyCodec()}
	if x.in.Meta().Len() > 0 {
		m.meta = new(message.Meta)
		x.in.Meta().CopyTo(m.meta)
	}
	raw := x.in.Raw()
	switch {
	case len(raw) >= minKept:
		m.body, m.storage = raw[:len(raw):len(raw)], x.in.GiveStorage()
	case len(raw) > 0:
		m.body = append([]byte(nil), raw...)
	}
	return m
}

// dataArrived queues a message. It runs on the reading goroutine.
func (s *Stream) dataArrived(x *exchange) {
	n := len(x.in.Raw())
	if n > s.conn.shared.StreamMessageLimit {
		s.finish(newStatus(message.CodeTooLarge, errStreamTooLarge), true)
		return
	}
	err := s.inbox.Put(newStreamMessage(x), stream.Charge(n), x.in.Mtype() == message.TypeStreamFull)
	switch {
	case err == nil, errors.Is(err, stream.ErrEnded):
	case errors.Is(err, stream.ErrMemory):
		s.finish(newStatus(message.CodeExhausted, err), true)
	default:
		s.finish(newStatus(message.CodeBadMessage, err), true)
	}
}

// Recv waits for the next message and decodes it into v. A *[]byte gets the bytes
// as they are, in memory that the caller owns. When the other side sends no more,
// Recv returns io.EOF; when the stream ended in another way, the status.
func (s *Stream) Recv(v any) error { return s.RecvContext(context.Background(), v) }

// RecvContext is Recv that also ends with ctx, without damage to the stream.
func (s *Stream) RecvContext(ctx context.Context, v any) error {
	m, err := s.take(ctx)
	if err != nil {
		return err
	}
	if b, ok := v.(*[]byte); ok && b != nil {
		*b = nil // the caller owns the bytes of the last message
		if s.hooks.preRecvMessage == nil {
			*b = m.body
			return nil
		}
	}
	return s.decode(&m, v)
}

// RecvInto is RecvContext that copies the bytes of a message into the capacity of
// a *[]byte, and grows it if it is too small. A program that is done with a
// message before it receives the next one so needs no memory for each.
func (s *Stream) RecvInto(ctx context.Context, v any) error {
	m, err := s.take(ctx)
	if err != nil {
		return err
	}
	b, ok := v.(*[]byte)
	if !ok || b == nil {
		return s.decode(&m, v)
	}
	if s.hooks.preRecvMessage != nil {
		return s.decode(&m, b)
	}
	*b = append((*b)[:0], m.body...)
	m.release()
	return nil
}

// take waits for the next message and grants the other side credit for it.
func (s *Stream) take(ctx context.Context) (streamMessage, error) {
	m, credit, due, err := s.inbox.Take(ctx)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			err = statusContext(ctx).Err()
		}
		return streamMessage{}, err
	}
	if due {
		s.sendCredit(credit)
	}
	s.got.Add(1)
	return m, nil
}

// decode runs the hooks and decodes m into v. It gives the memory of m back unless
// v refers to it.
func (s *Stream) decode(m *streamMessage, v any) error {
	if s.hooks.preRecvMessage != nil {
		st := s.hookRecv(*m, v)
		if !st.OK() {
			s.finish(st, true)
			return st.Err()
		}
		return nil
	}
	var in message.Message
	in.SetBodyCodec(m.codec)
	s.conn.shared.limitDecoding(&in)
	in.SetBody(v)
	if err := in.UnmarshalBody(m.body); err != nil {
		return s.conn.shared.decodeFailed(s.printer(), err).Err()
	}
	m.release() // codecs keep nothing of their input
	return nil
}

// endArrived handles the end that the other side has sent. kept reports whether it
// keeps x.
func (s *Stream) endArrived(x *exchange) (kept bool) {
	if s.life.State() != stream.RecvClosed { // else it came with the end of the messages, and the program may be about to read it
		s.mu.Lock()
		x.in.Meta().CopyTo(&s.trailer)
		s.mu.Unlock()
	}
	st := x.in.Status()
	if st.OK() && !s.opener() { // the opener sends no more messages
		if s.life.Move(stream.RecvClosed) {
			s.inbox.Close(io.EOF)
		}
		return false
	}
	if s.opener() && s.hooks.postReadReplyHeader != nil {
		go s.finishHooked(x) // nothing follows the end, so no one waits for the hooks
		return true
	}
	if !s.finish(st, false) {
		s.endUnwanted()
	}
	return false
}

// creditArrived handles a credit, which lets the sender go on.
func (s *Stream) creditArrived(method string) {
	credit, err := parseCredit(method)
	if err == nil {
		err = s.window.Credit(credit.Count, credit.Window)
	}
	if err != nil {
		s.finish(newStatus(message.CodeBadMessage, err), true)
	}
}

// finishHooked ends the stream, on the side that opened it, with the end in x,
// which is its reply. The hooks for headers of replies run first; those for bodies
// don't run, because there is no body. It owns x.
func (s *Stream) finishHooked(x *exchange) {
	st := newStatus(message.CodeInternalServerError, errHookExited)
	defer func() {
		s.finish(st, false)
		putExchange(x)
	}()
	x.role, x.swap, x.stream = roleReply, s.swap, s
	x.in.SetServiceMethod(s.method)
	x.status = x.in.Status()
	failed := x.hooked(func() *message.Status {
		return run(s.hooks.postReadReplyHeader, PostReadReplyHeaderPlugin.PostReadReplyHeader, ReadCtx(x))
	})
	st = x.in.Status()
	if !failed.OK() {
		st = failed
	}
}

// hookRecv runs the hooks of receiving m, and decodes m into v.
func (s *Stream) hookRecv(m streamMessage, v any) *message.Status {
	x := getExchange(s.conn, roleOutgoing)
	defer putExchange(x)
	x.swap = s.swap
	x.in.SetMtype(message.TypeStreamData)
	x.in.SetServiceMethod(s.method)
	x.in.SetBodyCodec(m.codec)
	s.conn.shared.limitDecoding(&x.in)
	if m.meta != nil {
		m.meta.CopyTo(x.in.Meta())
	}
	x.in.SetBody(v)
	x.in.SetRaw(m.body)
	st := x.hooked(func() *message.Status {
		ctx := &streamCtx{exchange: x, s: s, m: &x.in, index: s.got.Load() - 1}
		return run(s.hooks.preRecvMessage, PreRecvMessagePlugin.PreRecvMessage, StreamCtx(ctx))
	})
	if !st.OK() {
		return st
	}
	if err := x.in.UnmarshalBody(x.in.Raw()); err != nil {
		return s.conn.shared.decodeFailed(s.printer(), err)
	}
	return nil
}
