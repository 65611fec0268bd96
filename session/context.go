package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// A PreCtx is common to every phase of an exchange. A context is valid only
// until the handler or hook that it was passed to returns.
type PreCtx interface {
	Logger
	Place
	// Swap returns the store of this exchange. It begins as a copy of the
	// session's.
	Swap() *Swap
	// Context ends with the caller's deadline or cancellation, the context
	// age, or the connection.
	Context() context.Context
}

// Place says where an exchange happens.
type Place interface {
	Peer() Peer
	Session() Session
	// IP returns the host of the connection's remote address, without the port:
	// what a limit per client counts. The whole address is that of
	// Session().RemoteAddr().
	IP() string
	// RealIP returns the host of the original caller if a proxy sent its address,
	// else IP. Any client can send one: a server that is not behind a proxy uses
	// IP.
	RealIP() string
}

// An InputCtx is a context with a message that was received.
type InputCtx interface {
	PreCtx
	InputMeta
	Seq() int32
	ServiceMethod() string
	// ResetServiceMethod changes which handler is looked up; header hooks use
	// it.
	ResetServiceMethod(string)
}

// InputMeta is the metadata that was received.
type InputMeta interface {
	// PeekMeta returns the first value of key, nil if there is none. The bytes
	// are valid as long as the context.
	PeekMeta(key string) []byte
	// GetMeta returns the first value of key, "" if there is none. It may be
	// kept.
	GetMeta(key string) string
	VisitMeta(f func(key, value []byte))
	CopyMeta() *message.Meta
}

// Outcome is the state of the exchange so far.
type Outcome interface {
	Status() *message.Status
	StatusOK() bool
}

// A ReadCtx is what a read hook sees.
type ReadCtx interface {
	InputCtx
	Outcome
	// SetContext replaces the context of a CALL or PUSH, for what follows and
	// for the handler. ctx must be made from Context, so that it ends as that
	// does.
	SetContext(ctx context.Context)
	Input() *message.Message
}

// A WriteCtx is what a write hook sees.
type WriteCtx interface {
	PreCtx
	Outcome
	Output() *message.Message
}

// A PushCtx is embedded by, or passed to, a handler of pushes.
type PushCtx interface {
	InputCtx
	GetBodyCodec() byte
}

// Answer is what a handler of calls may say of the reply.
type Answer interface {
	// SetBodyCodec sets the codec of the reply; the default is what the
	// caller accepts, or that of the call.
	SetBodyCodec(id byte)
	AddMeta(key, value string)
	SetMeta(key, value string)
	// AddXferPipe appends filters to those of the call.
	AddXferPipe(ids ...byte)
}

// A CallCtx is embedded by, or passed to, a handler of calls.
type CallCtx interface {
	PushCtx
	Answer
	Input() *message.Message
	Output() *message.Message
	// ReplyBodyCodec settles and returns the codec of the reply.
	ReplyBodyCodec() byte
}

// RawInput is a body whose type the handler has to find out.
type RawInput interface {
	// InputBodyBytes returns the undecoded body, valid as long as the context.
	InputBodyBytes() []byte
	// Bind decodes the body into v and returns the ID of its codec.
	Bind(v any) (bodyCodec byte, err error)
}

// An UnknownPushCtx is passed to the handler of pushes that have no other.
type UnknownPushCtx interface {
	PushCtx
	RawInput
}

// An UnknownCallCtx is passed to the handler of calls that have no other.
type UnknownCallCtx interface {
	PushCtx
	Answer
	RawInput
}

type ctxKey struct{}

// A HandlerContext is the context of a typed handler: that of its exchange, with
// the exchange in it. It outlives the exchange; what [CallCtxFrom] finds in it
// does not. The zero value must be bound before it is used.
type HandlerContext struct {
	context.Context
	x PushCtx
}

// Bind makes h the context of the exchange behind ctx.
func (h *HandlerContext) Bind(ctx PushCtx) { h.Context, h.x = ctx.Context(), ctx }

// Value implements [context.Context].
func (h *HandlerContext) Value(key any) any {
	if key == (ctxKey{}) {
		return h.x
	}
	return h.Context.Value(key)
}

// CallCtxFrom returns the CallCtx of a typed handler of calls, nil in any other
// context. It must not be used after the handler has returned.
func CallCtxFrom(ctx context.Context) CallCtx {
	c, _ := ctx.Value(ctxKey{}).(CallCtx)
	return c
}

// PushCtxFrom is [CallCtxFrom] for handlers of pushes.
func PushCtxFrom(ctx context.Context) PushCtx {
	c, _ := ctx.Value(ctxKey{}).(PushCtx)
	return c
}
