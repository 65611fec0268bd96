package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// A StreamCtx is what a hook of the messages of a stream sees.
type StreamCtx interface {
	// Swap is the store of the stream, which its hooks of opening have seen, and
	// Context that of the stream.
	PreCtx
	ServiceMethod() string
	// Opener reports whether this side opened the stream.
	Opener() bool
	// Index returns the place of the message among those of its direction, from 0.
	Index() uint64
	// Message returns the message: one to be sent with its body, which is not
	// encoded yet, or one that was received with its bytes, which are not decoded
	// yet. Its metadata travel with it.
	Message() *message.Message
}

// A StreamEndCtx is what a hook of the end of a stream sees.
type StreamEndCtx interface {
	// Swap is the store of the stream, which its hooks of opening have seen, and
	// Context that of the stream, which has ended.
	PreCtx
	ServiceMethod() string
	// Opener reports whether this side opened the stream.
	Opener() bool
	// Status returns how the stream ended.
	Status() *message.Status
	// Counts returns how many messages were sent, and how many have arrived.
	Counts() (sent, received uint64)
}

// A streamEndCtx lasts as long as its exchange.
type streamEndCtx struct {
	*exchange
	method         string
	opener         bool
	sent, received uint64
}

func (c *streamEndCtx) ServiceMethod() string           { return c.method }
func (c *streamEndCtx) Opener() bool                    { return c.opener }
func (c *streamEndCtx) Counts() (sent, received uint64) { return c.sent, c.received }

// A streamCtx is pooled with its exchange.
type streamCtx struct {
	*exchange
	s     *Stream
	m     *message.Message
	index uint64
}

func (c *streamCtx) Context() context.Context  { return c.s.ctx }
func (c *streamCtx) ServiceMethod() string     { return c.s.method }
func (c *streamCtx) Opener() bool              { return c.s.opener() }
func (c *streamCtx) Index() uint64             { return c.index }
func (c *streamCtx) Message() *message.Message { return c.m }

// keepSwap makes the store of the exchange that opened the stream that of the
// stream, if there are hooks which could ask for it.
func (s *Stream) keepSwap(x *exchange, hooks *Hooks) {
	s.hooks = hooks
	if hooks.preSendMessage != nil || hooks.preRecvMessage != nil || hooks.postReadReplyHeader != nil || hooks.postEndStream != nil {
		s.swap = x.Swap()
	}
}

// finishHooked ends the stream where it was opened, with the end in x, which is
// its reply: the hooks for headers of replies see it first. There is no body, so
// those for bodies have nothing to see. It owns x.
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

// hookEnd runs the hooks of the end of the stream where it was opened.
func (s *Stream) hookEnd(st *message.Status) {
	x := getExchange(s.conn, roleOutgoing)
	defer putExchange(x)
	x.swap, x.stream, x.status = s.swap, s, st
	x.hookStreamEnd(s.hooks, s.end())
}

// end is the stream for the hooks of its end.
func (s *Stream) end() streamEndCtx {
	return streamEndCtx{method: s.method, opener: s.opener(), sent: s.sent.Load(), received: s.inbox.Arrived()}
}

// notOpened runs the hooks of the end of a stream that x was to open. It returns
// why it did not.
func (x *exchange) notOpened(hooks *Hooks, st *message.Status) *message.Status {
	x.status = st
	x.hookStreamEnd(hooks, streamEndCtx{method: x.out.ServiceMethod(), opener: true})
	return st
}

// hookStreamEnd runs the hooks of the end of a stream. A panic is logged.
func (x *exchange) hookStreamEnd(hooks *Hooks, end streamEndCtx) {
	for _, h := range hooks.postEndStream {
		end.exchange = x
		_ = x.hooked(func() *message.Status { // nothing is left to stop
			h.PostEndStream(&end)
			return nil
		})
	}
}

// hookSend runs the hooks in front of the encoding of the message in x.
func (s *Stream) hookSend(x *exchange) *message.Status {
	x.swap = s.swap
	return x.hooked(func() *message.Status {
		ctx := &streamCtx{exchange: x, s: s, m: &x.out, index: s.sent.Load()}
		return run(s.hooks.preSendMessage, PreSendMessagePlugin.PreSendMessage, StreamCtx(ctx))
	})
}

// hookRecv runs the hooks in front of the decoding of a message into v, and
// decodes it.
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
