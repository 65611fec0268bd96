package erpc

import (
	"context"
	"time"

	"github.com/goerpc/erpc/internal/process/defaults"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/router"
)

// What stands in this file is there so that programs written against erpc v7
// compile and work. New programs need none of it: they set fields of
// [PeerConfig], and log with log/slog.

// CtrlStructPtr is a pointer to a struct with handler methods.
type CtrlStructPtr = any

// A CtrlPoolFunc makes such a struct.
type CtrlPoolFunc = func() CtrlStructPtr

// process is what peers made afterwards begin with. A field of their own
// configuration wins. What SetSocket… ask for is passed over by networks that
// have no such thing, while of a field of the configuration it is an error.
var process defaults.Set

// DefaultProtoFunc returns the protocol of peers that name none.
func DefaultProtoFunc() ProtoFunc { return process.Proto() }

// SetDefaultProtoFunc sets that protocol.
func SetDefaultProtoFunc(f ProtoFunc) { process.SetProto(f) }

// DefaultBodyCodec returns the codec of bodies that name none.
func DefaultBodyCodec() Codec { return process.Body() }

// SetDefaultBodyCodec sets that codec by its ID.
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

// SetServiceMethodMapper sets how service methods are made of names.
func SetServiceMethodMapper(m ServiceMethodMapper) { process.SetMapper(m) }

// GetReadLimit returns the largest message that is read, in bytes.
func GetReadLimit() uint32 { return uint32(process.ReadLimit()) }

// SetReadLimit sets the largest message that is read, in bytes; 0 is the
// default of 64 MiB.
func SetReadLimit(maxMessageSize uint32) { process.SetReadLimit(int(maxMessageSize)) }

// SetMessageSizeLimit is [SetReadLimit] under its older name.
func SetMessageSizeLimit(maxMessageSize uint32) { SetReadLimit(maxMessageSize) }

// SetSocketKeepAlive switches TCP keepalive.
func SetSocketKeepAlive(on bool) { process.SetKeepAlive(on) }

// SetSocketKeepAlivePeriod sets the period of TCP keepalive.
func SetSocketKeepAlivePeriod(d time.Duration) { process.SetKeepAlivePeriod(d) }

// SetSocketNoDelay switches TCP's no-delay.
func SetSocketNoDelay(on bool) { process.SetNoDelay(on) }

// SetSocketReadBuffer sets the kernel's receive buffer, in bytes.
func SetSocketReadBuffer(bytes int) { process.SetReadBuffer(bytes) }

// SetSocketWriteBuffer sets the kernel's send buffer, in bytes.
func SetSocketWriteBuffer(bytes int) { process.SetWriteBuffer(bytes) }

// SetGopool sets how many handlers of one peer may work at the same time.
// Goroutines are kept no longer than they are of use, so the second argument
// of v7 says nothing any more.
func SetGopool(maxGoroutinesAmount int, _ time.Duration) {
	process.SetMaxHandlers(maxGoroutinesAmount)
}

// Go runs fn on a goroutine of its own. v7 bounds these; here only handlers are
// bounded, so it always returns true.
func Go(fn func()) bool {
	go fn()
	return true
}

// AnywayGo is [Go] without the result.
func AnywayGo(fn func()) { go fn() }

// TryGo is [Go] without the result. v7 runs fn at once, on the caller's goroutine,
// when there are too many.
func TryGo(fn func()) { go fn() }

// MustGo is [Go] that fails if a context was given and has ended.
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
func GetMessage(settings ...MessageSetting) Message { return message.New(settings...) }

// PutMessage does nothing: no message has to be given back.
func PutMessage(Message) {}

// GetAcceptBodyCodec returns the codec that the metadata of a call asks for. See
// [message.AcceptBodyCodec].
func GetAcceptBodyCodec(meta *Meta) (id byte, ok bool) { return message.AcceptBodyCodec(meta) }

// NewStatusFromQuery returns the status that is written as query text, nil if it
// is OK or no status. See [message.ParseStatus].
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

// A FakeAddr is an address that nobody has resolved. See [peer.Addr].
type FakeAddr = peer.Addr

// NewFakeAddr returns an address of its parts. See [peer.NewAddr].
func NewFakeAddr(network, host, port string) *FakeAddr { return peer.NewAddr(network, host, port) }

// NewFakeAddr2 returns the address written as addr. See [peer.ParseAddr].
func NewFakeAddr2(network, addr string) (*FakeAddr, error) { return peer.ParseAddr(network, addr) }

// Printf logs at the level PRINT.
func Printf(format string, args ...any) { logger.Printf(format, args...) }

// Tracef logs at the level TRACE.
func Tracef(format string, args ...any) { logger.Tracef(format, args...) }

// Debugf logs at the level DEBUG.
func Debugf(format string, args ...any) { logger.Debugf(format, args...) }

// Infof logs at the level INFO.
func Infof(format string, args ...any) { logger.Infof(format, args...) }

// Noticef logs at the level NOTICE.
func Noticef(format string, args ...any) { logger.Noticef(format, args...) }

// Warnf logs at the level WARNING.
func Warnf(format string, args ...any) { logger.Warnf(format, args...) }

// Errorf logs at the level ERROR.
func Errorf(format string, args ...any) { logger.Errorf(format, args...) }

// Criticalf logs at the level CRITICAL.
func Criticalf(format string, args ...any) { logger.Criticalf(format, args...) }

// Panicf logs at the level CRITICAL and panics.
func Panicf(format string, args ...any) { logger.Panicf(format, args...) }

// Fatalf logs at the level CRITICAL and panics. Unlike that of v7 it does not
// exit the process, so deferred functions run.
func Fatalf(format string, args ...any) { logger.Fatalf(format, args...) }

// CodeNoError is [CodeOK].
const CodeNoError = message.CodeOK

// ErrListenClosed is [ErrClosed].
var ErrListenClosed = peer.ErrClosed

// CheckStatus panics with a status whose cause is err, unless that is nil. It calls
// whenError first. [CatchStatus] recovers it. New programs return errors.
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
func ThrowStatus(code int32, msg string, cause ...any) {
	panic(message.NewStatusWithStack(code, msg, cause...))
}

// PanicStatus panics with st, for [CatchStatus] to recover.
func PanicStatus(st *Status) { panic(st) }

// CatchStatus recovers a panic and sets *st: to the status that was thrown, or to
// [CodeUnknownError] with the value of another panic as its cause. Without a panic
// it leaves *st alone. realStatus is set to whether *st is a status that was meant.
// It must be deferred itself:
//
//	defer erpc.CatchStatus(&st)
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
