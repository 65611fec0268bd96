package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// OpenStream opens a stream to the handler of streams at method. It waits until
// the session has a connection whose other side is known to support streams; the
// first time on a connection that takes a round trip. It does not wait for the
// handler: a refusal ends the stream. The stream ends with ctx.
//
// Metadata, body codec and transfer filters of the settings are those of the
// stream: the metadata is sent when it is opened, codec and filters apply to each
// message.
func (s *Engine) OpenStream(ctx context.Context, method string, settings ...message.Setting) (*Stream, *message.Status) {
	if ctx.Err() != nil {
		return nil, statusContext(ctx)
	}
	x := getExchange(s.conns.current(), roleOutgoing)
	defer putExchange(x)
	x.out.SetMtype(message.TypeStreamOpen)
	x.out.SetServiceMethod(method)
	x.out.Apply(settings)
	x.out.SetContext(ctx)
	if err := x.out.Err(); err != nil {
		return nil, newStatus(message.CodeWriteFailed, err)
	}
	if x.out.BodyCodec() == 0 {
		x.out.SetBodyCodec(s.shared.BodyCodec)
	}
	hooks := s.shared.Hooks.Load()
	if hooks.preWriteCall != nil {
		st := x.hooked(func() *message.Status {
			return run(hooks.preWriteCall, PreWriteCallPlugin.PreWriteCall, WriteCtx(x))
		})
		if !st.OK() {
			return nil, x.notOpened(hooks, st)
		}
	}
	c, st := s.usable(ctx, nil, false)
	if !st.OK() {
		return nil, x.notOpened(hooks, st)
	}
	x.conn = c
	st = c.needStreams(ctx)
	if !st.OK() {
		return nil, x.notOpened(hooks, st)
	}
	stream, st := c.openStream(x, hooks)
	if st.OK() && hooks.postWriteCall != nil {
		_ = x.hooked(func() *message.Status { // it is written; there is nothing left to stop
			return run(hooks.postWriteCall, PostWriteCallPlugin.PostWriteCall, WriteCtx(x))
		})
	}
	return stream, st
}

// openStream enters a stream and sends the message in x, which opens it.
func (c *conn) openStream(x *exchange, hooks *Hooks) (*Stream, *message.Status) {
	ctx := x.out.Context()
	s, err := newStream(c, x.out.ServiceMethod(), x.out.BodyCodec(), x.out.XferPipe().IDs())
	if err != nil {
		return nil, x.notOpened(hooks, newStatus(message.CodeExhausted, err))
	}
	x.out.Meta().CopyTo(&s.meta)
	s.begin = c.sess.clock()
	s.keepSwap(x, hooks)
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if !c.streamTable().open(s) {
		s.inbox.Abort(errConnClosed)
		s.cancel(errConnClosed)
		return nil, x.notOpened(hooks, statusClosed(c.sess.Err()))
	}
	x.out.SetSeq(-s.key)
	markTimeout(&x.out, ctx)
	if st := c.write(&x.out, true); !st.OK() {
		s.finish(st, false)
		return nil, st
	}
	s.watch(ctx, func() { s.abort(statusContext(ctx)) })
	return s, nil
}
