package erpc

import (
	"context"
	"time"

	"github.com/goerpc/erpc/internal/process/defaults"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/router"
)

// The names in this file let programs written for erpc v7 compile and work. New
// programs need none of them: they set fields of [PeerConfig] and log with
// log/slog.

// CtrlStructPtr is a pointer to a struct with handler methods.
//
// Deprecated: use any.
type CtrlStructPtr = any

// A CtrlPoolFunc makes a [CtrlStructPtr].
//
// Deprecated: use func() any.
type CtrlPoolFunc = func() CtrlStructPtr

// process holds the defaults of peers that are made later. A field of their own
// configuration takes precedence. A network that does not support what a
// SetSocket… function asks for ignores it; the same value in a field of the
// configuration is an error.
var process defaults.Set

// DefaultProtoFunc returns the default protocol of peers.
func DefaultProtoFunc() ProtoFunc { return process.Proto() }

// SetDefaultProtoFunc sets the default protocol of peers.
//
// Deprecated: set [PeerConfig].ProtoFunc or its Protocol.
func SetDefaultProtoFunc(f ProtoFunc) { process.SetProto(f) }

// DefaultBodyCodec returns the default codec of bodies.
func DefaultBodyCodec() Codec { return process.Body() }

// SetDefaultBodyCodec sets the default codec of bodies by its ID.
//
// Deprecated: set [PeerConfig].DefaultBodyCodec.
func SetDefaultBodyCodec(id byte) error { return process.SetBody(id) }

// HTTPServiceMethodMapper maps names to paths. See
// [router.HTTPServiceMethodMapper].
func HTTPServiceMethodMapper(prefix, name string) string {
	return router.HTTPServiceMethodMapper(prefix, name)
}

// RPCServiceMethodMapper maps names to dotted names. See
// [router.RPCServiceMethodMapper].
func RPCServiceMethodMapper(prefix, name string) string {
	return router.RPCServiceMethodMapper(prefix, name)
}

// SetServiceMethodMapper sets how service methods are derived from Go names.
//
// Deprecated: set [PeerConfig].Mapper.
func SetServiceMethodMapper(m ServiceMethodMapper) { process.SetMapper(m) }

// GetReadLimit returns the largest message that is read, in bytes.
func GetReadLimit() uint32 { return uint32(process.ReadLimit()) }

// SetReadLimit sets the largest message that is read, in bytes; 0 is the
// default of 64 MiB.
//
// Deprecated: set [PeerConfig].ReadLimit.
func SetReadLimit(maxMessageSize uint32) { process.SetReadLimit(int(maxMessageSize)) }

// SetMessageSizeLimit is [SetReadLimit] under its older name.
//
// Deprecated: set [PeerConfig].ReadLimit.
func SetMessageSizeLimit(maxMessageSize uint32) { SetReadLimit(maxMessageSize) }

// SetSocketKeepAlive turns TCP keepalive on or off.
//
// Deprecated: set [PeerConfig].SocketKeepAlive.
func SetSocketKeepAlive(on bool) { process.SetKeepAlive(on) }

// SetSocketKeepAlivePeriod sets the period of TCP keepalive.
//
// Deprecated: set [PeerConfig].SocketKeepAlivePeriod.
func SetSocketKeepAlivePeriod(d time.Duration) { process.SetKeepAlivePeriod(d) }

// SetSocketNoDelay turns TCP_NODELAY on or off.
//
// Deprecated: set [PeerConfig].SocketNoDelay.
func SetSocketNoDelay(on bool) { process.SetNoDelay(on) }

// SetSocketReadBuffer sets the kernel's receive buffer, in bytes.
//
// Deprecated: set [PeerConfig].SocketReadBuffer.
func SetSocketReadBuffer(bytes int) { process.SetReadBuffer(bytes) }

// SetSocketWriteBuffer sets the kernel's send buffer, in bytes.
//
// Deprecated: set [PeerConfig].SocketWriteBuffer.
func SetSocketWriteBuffer(bytes int) { process.SetWriteBuffer(bytes) }

// SetGopool sets how many handlers of one peer may run at the same time. The
// second argument of v7, how long an idle goroutine is kept, has no effect.
//
// Deprecated: set [PeerConfig].MaxHandlers.
func SetGopool(maxGoroutinesAmount int, _ time.Duration) {
	process.SetMaxHandlers(maxGoroutinesAmount)
}

// Go runs fn on a new goroutine. v7 bounds these goroutines; here only handlers
// are bounded, so Go always returns true.
//
// Deprecated: use a go statement.
func Go(fn func()) bool {
	go fn()
	return true
}

// AnywayGo is [Go] without the result.
//
// Deprecated: use a go statement.
func AnywayGo(fn func()) { go fn() }

// TryGo is [Go] without the result. When too many goroutines run, v7 runs fn on
// the caller's goroutine; this function never does.
//
// Deprecated: use a go statement.
func TryGo(fn func()) { go fn() }

// MustGo is [Go], but it fails if ctx was given and has ended.
//
// Deprecated: use a go statement.
func MustGo(fn func(), ctx ...context.Context) error {
	if len(ctx) > 0 && ctx[0] != nil {
		if err := context.Cause(ctx[0]); err != nil {
			return err
		}
	}
	go fn()
	return nil
}

// GetMessage is [NewMessage]. Messages do not come from a pool.
//
// Deprecated: use [NewMessage].
func GetMessage(settings ...MessageSetting) Message { return message.New(settings...) }

// PutMessage does nothing: messages are not pooled.
//
// Deprecated: leave the call out.
func PutMessage(Message) {}

// GetAcceptBodyCodec returns the codec that the metadata of a call asks for. See
// [message.AcceptBodyCodec].
//
// Deprecated: use [message.AcceptBodyCodec].
func GetAcceptBodyCodec(meta *Meta) (id byte, ok bool) { return message.AcceptBodyCodec(meta) }

// NewStatusFromQuery parses a status written as query text. It returns nil if
// the text is an OK status or not a status. See [message.ParseStatus].
//
// Deprecated: use [message.ParseStatus].
func NewStatusFromQuery(query []byte, tagStack bool) *Status {
	st, err := message.ParseStatus(query)
	if err != nil || st.OK() {
		return nil
	}
	if tagStack {
		return message.NewStatusWithStack(st.Code(), st.Msg(), st.Cause())
	}
	return st
}

// A FakeAddr is an unresolved address. See [peer.Addr].
//
// Deprecated: use [peer.Addr].
type FakeAddr = peer.Addr

// NewFakeAddr returns the address with these parts. See [peer.NewAddr].
//
// Deprecated: use [peer.NewAddr].
func NewFakeAddr(network, host, port string) *FakeAddr { return peer.NewAddr(network, host, port) }

// NewFakeAddr2 returns the address written as addr. See [peer.ParseAddr].
//
// Deprecated: use [peer.ParseAddr].
func NewFakeAddr2(network, addr string) (*FakeAddr, error) { return peer.ParseAddr(network, addr) }

// Printf logs at the level PRINT.
//
// Deprecated: log with [log/slog].
func Printf(format string, args ...any) { logger.Printf(format, args...) }

// Tracef logs at the level TRACE.
//
// Deprecated: log with [log/slog].
func Tracef(format string, args ...any) { logger.Tracef(format, args...) }

// Debugf logs at the level DEBUG.
//
// Deprecated: log with [log/slog].
func Debugf(format string, args ...any) { logger.Debugf(format, args...) }

// Infof logs at the level INFO.
//
// Deprecated: log with [log/slog].
func Infof(format string, args ...any) { logger.Infof(format, args...) }

// Noticef logs at the level NOTICE.
//
// Deprecated: log with [log/slog].
func Noticef(format string, args ...any) { logger.Noticef(format, args...) }

// Warnf logs at the level WARNING.
//
// Deprecated: log with [log/slog].
func Warnf(format string, args ...any) { logger.Warnf(format, args...) }

// Errorf logs at the level ERROR.
//
// Deprecated: log with [log/slog].
func Errorf(format string, args ...any) { logger.Errorf(format, args...) }

// Criticalf logs at the level CRITICAL.
//
// Deprecated: log with [log/slog].
func Criticalf(format string, args ...any) { logger.Criticalf(format, args...) }

// Panicf logs at the level CRITICAL and panics.
//
// Deprecated: log with [log/slog].
func Panicf(format string, args ...any) { logger.Panicf(format, args...) }

// Fatalf logs at the level CRITICAL and panics. Unlike v7's, it does not exit
// the process, so deferred functions run.
//
// Deprecated: log with [log/slog].
func Fatalf(format string, args ...any) { logger.Fatalf(format, args...) }

// CodeNoError is [CodeOK].
//
// Deprecated: use [CodeOK].
const CodeNoError = message.CodeOK

// ErrListenClosed is [ErrClosed].
//
// Deprecated: use [ErrClosed].
var ErrListenClosed = peer.ErrClosed

// CheckStatus panics with a status whose cause is err, unless err is nil. It
// calls whenError first. [CatchStatus] recovers the panic. New programs return
// errors.
//
// Deprecated: return a [*Status] or an error.
func CheckStatus(err error, code int32, msg string, whenError ...func()) {
	if err == nil {
		return
	}
	if len(whenError) > 0 && whenError[0] != nil {
		whenError[0]()
	}
	panic(message.NewStatusWithStack(code, msg, err))
}

// ThrowStatus panics with a status, for [CatchStatus] to recover.
//
// Deprecated: return a [*Status] or an error.
func ThrowStatus(code int32, msg string, cause ...any) {
	panic(message.NewStatusWithStack(code, msg, cause...))
}

// PanicStatus panics with st, for [CatchStatus] to recover.
//
// Deprecated: return a [*Status] or an error.
func PanicStatus(st *Status) { panic(st) }

// CatchStatus recovers a panic and sets *st to the status that was thrown or,
// for any other panic, to [CodeUnknownError] with the panic value as its cause.
// Without a panic it leaves *st alone. *realStatus is set to true if a status
// was thrown or *st already holds a failure, and to false for any other panic
// or success. The call itself must be deferred:
//
//	defer erpc.CatchStatus(&st)
//
// Deprecated: return a [*Status] or an error.
func CatchStatus(st **Status, realStatus ...*bool) {
	v := recover()
	var caught *Status
	meant := true
	switch x := v.(type) {
	case nil:
		meant = st != nil && !(*st).OK()
	case *Status:
		caught = x
	case Status:
		caught = &x
	default:
		caught, meant = message.NewStatusWithStack(message.CodeUnknownError, "", v).HideCause(), false
	}
	if st != nil && v != nil {
		*st = caught
	}
	if len(realStatus) > 0 && realStatus[0] != nil {
		*realStatus[0] = meant
	}
}
