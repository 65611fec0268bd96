package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// A streamOpening opens one stream from this side. The hooks around it are those
// of a call.
type streamOpening struct {
	x     *exchange // its message
	hooks *Hooks
}

// compose builds the message that opens a stream. A failed status says why it must
// not be sent.
func (o streamOpening) compose(ctx context.Context, method string, settings []message.Setting) *message.Status {
	m := &o.x.out
	m.SetMtype(message.TypeStreamOpen)
	m.SetServiceMethod(method)
	m.Apply(settings)
	m.SetContext(ctx)
	if err := m.Err(); err != nil {
		return newStatus(message.CodeWriteFailed, err)
	}
	if m.BodyCodec() == 0 {
		m.SetBodyCodec(o.x.conn.shared.BodyCodec)
	}
	if o.hooks.preWriteCall == nil {
		return nil
	}
	st := o.x.hooked(func() *message.Status {
		return run(o.hooks.preWriteCall, PreWriteCallPlugin.PreWriteCall, WriteCtx(o.x))
	})
	if !st.OK() {
		return o.failed(st)
	}
	return nil
}

// failed runs the hooks of the end of the stream, which was not opened because of
// st, and returns st.
func (o streamOpening) failed(st *message.Status) *message.Status {
	o.x.status = st
	streamEndCtx{exchange: o.x, method: o.x.out.ServiceMethod(), opener: true}.tell(o.hooks)
	return st
}

// on adds the stream to c, once its other side is known to support streams, and sends
// the message. With a failed status nothing was sent, and no hook of the end has run.
func (o streamOpening) on(c *conn) (*Stream, *message.Status) {
	x := o.x
	ctx := x.out.Context()
	if st := c.needStreams(ctx); !st.OK() {
		return nil, st
	}
	s, err := newStream(c, x.out.ServiceMethod(), x.out.BodyCodec(), x.out.XferPipe().IDs())
	if err != nil {
		return nil, newStatus(message.CodeExhausted, err)
	}
	x.out.Meta().CopyTo(&s.meta)
	s.begin = c.shared.runs.clock()
	s.keepSwap(x, o.hooks)
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if !c.streamTable().open(s) {
		s.inbox.Abort(errConnClosed)
		s.cancel(errConnClosed)
		return nil, c.refusal()
	}
	x.out.SetSeq(-s.key)
	markTimeout(&x.out, ctx)
	if st := c.write(&x.out, true); !st.OK() {
		s.finish(st, false)
		return nil, st
	}
	if !s.opening.move(openingUnsent, openingSent) { // the connection has ended meanwhile
		st := s.Status()
		c.shared.runs.streamed(s, st)
		s.startHooks(st)
	}
	s.watch(ctx, func() { s.abort(statusContext(ctx)) })
	if o.hooks.postWriteCall != nil {
		_ = x.hooked(func() *message.Status { // the message is written: a failed hook stops nothing
			return run(o.hooks.postWriteCall, PostWriteCallPlugin.PostWriteCall, WriteCtx(x))
		})
	}
	return s, nil
}

// openingState says whether the message that opens a stream was sent. Nobody is told of
// the end of a stream that was not opened.
type openingState int32

const (
	openingUnsent openingState = iota
	openingSent
	openingEnded // it has ended before its message was known to be sent
)

func (s openingState) String() string { return [...]string{"unsent", "sent", "ended"}[s] }

var openingMoves = [...][]openingState{
	openingUnsent: {openingSent, openingEnded},
	openingSent:   {},
	openingEnded:  {},
}

func (s openingState) next() []openingState { return openingMoves[s] }
