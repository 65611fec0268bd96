package session

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
)

// A role is what an exchange is used for.
type role byte

const (
	roleNone     role = iota // unused, or before its message was read
	roleInbound              // a CALL or PUSH of the other side, and its reply
	roleReply                // the reply to a call of this side
	roleOutgoing             // a CALL or PUSH of this side
)

// An exchange is one message in and at most one out: the value behind every
// context interface. It is pooled, and owned by one goroutine at a time: the
// goroutine that reads, then the worker or caller that gets it, which puts it
// back.
type exchange struct {
	logging.Printer
	conn    *conn
	in, out message.Message
	role    role
	phase   phase // of an inbound message
	inOrder bool  // its handler is ordered

	ctx      context.Context // set by a hook; nil: see Context
	status   *message.Status // of the handling so far
	swap     *Swap           // nil until the first use
	deadline *deadline       // of a message that can end before its handler; else nil
	start    time.Duration   // on clock, when the handling began
	slot     slot            // its place among the handlers
	turn     turn            // of the goroutine that reads, if it handles the message
	argHeld  int64           // bytes that it holds of conn.arguments
	stream   *Stream         // whose handling this is; nil: none
	refused  bool            // the reply says that the call is not executed
}

var (
	_ ReadCtx        = (*exchange)(nil)
	_ WriteCtx       = (*exchange)(nil)
	_ CallCtx        = (*exchange)(nil)
	_ UnknownCallCtx = (*exchange)(nil)
	_ UnknownPushCtx = (*exchange)(nil)
)

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func getExchange(c *conn, r role) *exchange {
	x := exchanges.Get().(*exchange)
	x.conn, x.role, x.Printer = c, r, logging.Printer{L: c.shared.Logger, From: x}
	return x
}

func putExchange(x *exchange) {
	x.reset()
	x.conn, x.Printer = nil, logging.Printer{}
	exchanges.Put(x)
}

// reset makes x ready for another message of the same connection.
func (x *exchange) reset() {
	switch x.role {
	case roleNone: // the next message overwrites one that was read in part
	case roleOutgoing:
		x.out.Reset()
	case roleInbound, roleReply:
		x.in.Reset()
		x.out.Reset()
	}
	x.role, x.phase, x.inOrder, x.refused = roleNone, phaseRead, false, false
	x.status, x.swap, x.deadline, x.start, x.slot, x.stream, x.ctx = nil, nil, nil, 0, slot{}, nil, nil
}

// SetContext implements [ReadCtx].
func (x *exchange) SetContext(ctx context.Context) { x.ctx = ctx }

// Context ends with the deadline of the message if it has one, else with its call
// or connection.
func (x *exchange) Context() context.Context {
	switch {
	case x.ctx != nil:
		return x.ctx
	case x.stream != nil:
		return x.stream.ctx
	case x.deadline != nil:
		return x.deadline.ctx
	case x.role == roleOutgoing, x.role == roleReply:
		return x.out.Context()
	}
	return x.conn.context()
}

func (x *exchange) Swap() *Swap {
	if x.swap == nil {
		x.swap = x.conn.sess.copySwap()
	}
	return x.swap
}

func (x *exchange) Session() Session { return x.conn.sess }
func (x *exchange) Peer() Peer       { return x.conn.shared.Owner }
func (x *exchange) IP() string       { return host(x.conn.sock.Conn().RemoteAddr().String()) }

func (x *exchange) RealIP() string {
	if ip := x.in.Meta().Peek(message.MetaRealIP); len(ip) > 0 {
		return host(string(ip))
	}
	return x.IP()
}

// host returns an address without its port.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

func (x *exchange) Input() *message.Message  { return &x.in }
func (x *exchange) Output() *message.Message { return &x.out }
func (x *exchange) Status() *message.Status  { return x.status }
func (x *exchange) StatusOK() bool           { return x.status.OK() }

func (x *exchange) Seq() int32                          { return x.in.Seq() }
func (x *exchange) ServiceMethod() string               { return x.in.ServiceMethod() }
func (x *exchange) ResetServiceMethod(method string)    { x.in.SetServiceMethod(method) }
func (x *exchange) PeekMeta(key string) []byte          { return x.in.Meta().Peek(key) }
func (x *exchange) GetMeta(key string) string           { return string(x.in.Meta().Peek(key)) }
func (x *exchange) VisitMeta(f func(key, value []byte)) { x.in.Meta().VisitAll(f) }
func (x *exchange) GetBodyCodec() byte                  { return x.in.BodyCodec() }

func (x *exchange) CopyMeta() *message.Meta {
	m := new(message.Meta)
	x.in.Meta().CopyTo(m)
	return m
}

func (x *exchange) SetBodyCodec(id byte)      { x.out.SetBodyCodec(id) }
func (x *exchange) AddMeta(key, value string) { x.out.Meta().Add(key, value) }
func (x *exchange) SetMeta(key, value string) { x.out.Meta().Set(key, value) }

func (x *exchange) AddXferPipe(ids ...byte) { message.WithXferPipe(ids...)(&x.out) }

func (x *exchange) ReplyBodyCodec() byte {
	id := x.out.BodyCodec()
	if id != codec.NilCodecID {
		return id
	}
	if accepted, ok := message.AcceptBodyCodec(x.in.Meta()); ok {
		if _, err := codec.Get(accepted); err == nil {
			id = accepted
		}
	}
	if id == codec.NilCodecID {
		id = x.in.BodyCodec()
	}
	x.out.SetBodyCodec(id)
	return id
}

func (x *exchange) InputBodyBytes() []byte {
	if b, ok := x.in.Body().(*[]byte); ok {
		return *b
	}
	return x.in.Raw()
}

func (x *exchange) Bind(v any) (bodyCodec byte, err error) {
	raw := x.InputBodyBytes()
	x.in.SetBody(v)
	return x.in.BodyCodec(), x.in.UnmarshalBody(raw)
}

// hooked turns a panic of hooks into a status.
func (x *exchange) hooked(hooks func() *message.Status) (st *message.Status) {
	defer func() {
		if p := recover(); p != nil {
			st = x.conn.shared.internalError(x.Printer, guard.New(p, "a plugin of", x.in.ServiceMethod()))
		}
	}()
	return hooks()
}

// compose builds a message of this side in x: it applies the settings, and bounds
// the context by the time limits. cancel, which may be nil, releases the context.
// A failed status means that the context has ended already.
func (x *exchange) compose(mtype byte, method string, body any, settings []message.Setting) (cancel context.CancelFunc, st *message.Status) {
	x.out.SetMtype(mtype)
	x.out.SetServiceMethod(method)
	x.out.SetBody(body)
	x.out.Apply(settings)
	if x.out.BodyCodec() == 0 {
		x.out.SetBodyCodec(x.conn.shared.BodyCodec)
	}
	ctx := x.out.Context()
	if ctx.Err() != nil {
		return nil, statusContext(ctx)
	}
	limit := x.conn.up.ContextAge()
	if mtype == message.TypeCall {
		limit = callLimit(&x.out, limit, x.conn.shared.CallLimit)
	}
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
		x.out.SetContext(ctx)
	}
	return cancel, nil
}

func (x *exchange) beforePush() *message.Status {
	hooks := x.conn.shared.Hooks.Load()
	if hooks.preWritePush == nil {
		return nil
	}
	return x.hooked(func() *message.Status {
		return run(hooks.preWritePush, PreWritePushPlugin.PreWritePush, WriteCtx(x))
	})
}

// LogContext implements the origin of log lines. It is Context, but does not create a
// context that was not used yet.
func (x *exchange) LogContext() context.Context {
	if x.ctx == nil && x.stream == nil && x.deadline == nil && x.role == roleInbound {
		return context.Background()
	}
	return x.Context()
}

// LogAttrs implements the origin of log lines.
func (x *exchange) LogAttrs(to []slog.Attr) []slog.Attr {
	to = aboutSession(to, x.conn.up.ID(), x.conn.sock.Conn().RemoteAddr())
	method := x.in.ServiceMethod()
	if x.role == roleOutgoing {
		method = x.out.ServiceMethod()
	}
	if method != "" {
		to = append(to, slog.String("method", clip(method))) // any client may have chosen it
	}
	return to
}

// decodeResult decodes the body of a reply, unless the reply has a failed status.
func (x *exchange) decodeResult() *message.Status {
	if st := x.in.Status(); !st.OK() {
		return st
	}
	if err := x.in.UnmarshalBody(x.in.Raw()); err != nil {
		return x.conn.shared.decodeFailed(x.Printer, err)
	}
	return nil
}
