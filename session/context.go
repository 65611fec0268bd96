package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// A PreCtx has the methods that every phase of an exchange has. A context is valid
// only until the handler or hook that got it returns.
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
	// IP returns the host of the connection's remote address, without the port.
	// Limits per client count by it. Session().RemoteAddr() returns the whole
	// address.
	IP() string
	// RealIP returns the host of the original caller if a proxy sent its address,
	// else IP. Any client can send such an address, so a server that is not behind
	// a proxy should use IP.
	RealIP() string
}

// An InputCtx is a context with a message that was received.
type InputCtx interface {
	PreCtx
	InputMeta
	Seq() int32
	ServiceMethod() string
	// ResetServiceMethod changes the method whose handler is looked up. It is for
	// header hooks.
	ResetServiceMethod(string)
}

// InputMeta is the metadata that was received.
type InputMeta interface {
	// PeekMeta returns the first value of key, nil if there is none. The bytes are
	// valid until the context ends.
	PeekMeta(key string) []byte
	// GetMeta returns the first value of key, "" if there is none. The caller may
	// keep it.
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
	// SetContext replaces the context of a CALL or PUSH, for later hooks and the
	// handler. ctx must be derived from Context, so that it ends with it.
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

// Answer is what a handler of calls may set on its reply.
type Answer interface {
	// SetBodyCodec sets the codec of the reply. The default is the codec that the
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
	// ReplyBodyCodec decides on the codec of the reply, and returns it.
	ReplyBodyCodec() byte
}

// RawInput is a body whose type the handler must determine.
type RawInput interface {
	// InputBodyBytes returns the undecoded body, valid until the context ends.
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

// A HandlerContext is the context of a typed handler: the context of its exchange,
// with the exchange as a value. It outlives the exchange; the CallCtx that
// [CallCtxFrom] finds in it does not. The zero value must be bound before use.
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
