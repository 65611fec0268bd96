package erpc

import (
	"context"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/session"
)

// The kinds of message.
const (
	TypeUndefined = message.TypeUndefined
	TypeCall      = message.TypeCall
	TypeReply     = message.TypeReply
	TypePush      = message.TypePush
	TypeAuthCall  = message.TypeAuthCall
	TypeAuthReply = message.TypeAuthReply

	// TypeStreamOpen is the type of a message that opens a stream. Hooks for calls
	// see it where they would see TypeCall.
	TypeStreamOpen = message.TypeStreamOpen
)

// Status codes of the framework. Applications should use codes above 1000.
const (
	CodeUnknownError        = message.CodeUnknownError
	CodeOK                  = message.CodeOK
	CodeInvalidOp           = message.CodeInvalidOp
	CodeWrongConn           = message.CodeWrongConn
	CodeConnClosed          = message.CodeConnClosed
	CodeWriteFailed         = message.CodeWriteFailed
	CodeDialFailed          = message.CodeDialFailed
	CodeBadMessage          = message.CodeBadMessage
	CodeUnauthorized        = message.CodeUnauthorized
	CodeNotFound            = message.CodeNotFound
	CodeMtypeNotAllowed     = message.CodeMtypeNotAllowed
	CodeHandleTimeout       = message.CodeHandleTimeout
	CodeTooLarge            = message.CodeTooLarge
	CodeUnsupportedCodec    = message.CodeUnsupportedCodec
	CodeExhausted           = message.CodeExhausted
	CodeCanceled            = message.CodeCanceled
	CodeInternalServerError = message.CodeInternalServerError
	CodeBadGateway          = message.CodeBadGateway
	CodeShuttingDown        = message.CodeShuttingDown
)

// Keys of metadata that the framework itself reads.
const (
	MetaRealIP          = message.MetaRealIP
	MetaAcceptBodyCodec = message.MetaAcceptBodyCodec
)

// TypeText returns the name of a message type.
func TypeText(mtype byte) string { return message.TypeText(mtype) }

// CodeText returns the text of a framework code.
func CodeText(code int32) string { return message.CodeText(code) }

// IsConnError reports whether the connection caused the failure.
func IsConnError(st *Status) bool { return message.IsConnError(st) }

// NewStatus returns a status; the text of the optional cause is sent with it.
func NewStatus(code int32, msg string, cause ...any) *Status {
	return message.NewStatus(code, msg, cause...)
}

// NewStatusWithStack is [NewStatus] with the caller's stack, which %+v prints.
func NewStatusWithStack(code int32, msg string, cause ...any) *Status {
	return message.NewStatusWithStack(code, msg, cause...)
}

// NewStatusByCodeText returns a status whose message is the text of its code.
func NewStatusByCodeText(code int32, cause any, tagStack bool) *Status {
	return message.NewStatusByCodeText(code, cause, tagStack)
}

// StatusFromError returns the status that err carries. See
// [message.FromError].
func StatusFromError(err error) *Status { return message.FromError(err) }

// NewMessage returns a message with the settings applied.
func NewMessage(settings ...MessageSetting) Message { return message.New(settings...) }

// NewFakeCallCmd returns a completed call, for types that stand in for a
// session.
func NewFakeCallCmd(serviceMethod string, arg, result any, st *Status) CallCmd {
	return session.NewCallCmd(serviceMethod, arg, result, st)
}

// NewUnsentCallCmd is [NewFakeCallCmd] for a call that was certainly not sent;
// its Sent method returns false.
func NewUnsentCallCmd(serviceMethod string, arg, result any, st *Status) CallCmd {
	return session.NewUnsentCall(serviceMethod, arg, result, st)
}

// A PendingCall is an asynchronous call that has no session yet. Pools use it.
// See [session.PendingCall].
type PendingCall = session.PendingCall

// NewPendingCall returns a pending call. See [session.NewPendingCall].
func NewPendingCall(serviceMethod string, arg, result any, done chan<- CallCmd, settings ...MessageSetting) *PendingCall {
	return session.NewPendingCall(serviceMethod, arg, result, done, settings...)
}

// WithMessage copies everything that is set in src to the message. See
// [message.WithMessage].
func WithMessage(src Message) MessageSetting { return message.WithMessage(src) }

// WithNothing changes nothing.
func WithNothing() MessageSetting { return message.WithNothing() }

// WithContext bounds the exchange by ctx. See [message.WithContext].
func WithContext(ctx context.Context) MessageSetting { return message.WithContext(ctx) }

// WithServiceMethod sets the service method.
func WithServiceMethod(method string) MessageSetting { return message.WithServiceMethod(method) }

// WithStatus sets the status that the message carries.
func WithStatus(st *Status) MessageSetting { return message.WithStatus(st) }

// WithAddMeta adds an entry of metadata; a key may have several.
func WithAddMeta(key, value string) MessageSetting { return message.WithAddMeta(key, value) }

// WithSetMeta sets an entry of metadata.
func WithSetMeta(key, value string) MessageSetting { return message.WithSetMeta(key, value) }

// WithDelMeta deletes the entries of metadata with that key.
func WithDelMeta(key string) MessageSetting { return message.WithDelMeta(key) }

// WithRealIP adds the address of the original caller.
func WithRealIP(ip string) MessageSetting { return message.WithRealIP(ip) }

// WithBodyCodec sets the codec of the body.
func WithBodyCodec(id byte) MessageSetting { return message.WithBodyCodec(id) }

// WithAcceptBodyCodec asks for a reply in that codec.
func WithAcceptBodyCodec(id byte) MessageSetting { return message.WithAcceptBodyCodec(id) }

// WithBody sets the value of the body.
func WithBody(body any) MessageSetting { return message.WithBody(body) }

// WithNewBody sets the function that makes the value to decode into.
func WithNewBody(f NewBodyFunc) MessageSetting { return message.WithNewBody(f) }

// WithXferPipe appends transfer filters, outermost first.
func WithXferPipe(ids ...byte) MessageSetting { return message.WithXferPipe(ids...) }

// WithTimeout bounds a call in time. See [session.WithTimeout].
func WithTimeout(d time.Duration) MessageSetting { return session.WithTimeout(d) }

// WithCancel lets the Cancel of a call reach its handler. See
// [session.WithCancel].
func WithCancel() MessageSetting { return session.WithCancel() }
