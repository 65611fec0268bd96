package erpc

import (
	"os"
	"time"

	"github.com/goerpc/erpc/internal/process/defaults"
	"github.com/goerpc/erpc/internal/process/graceful"
	"github.com/goerpc/erpc/router"
)

// The functions of this file are process-wide, as erpc v7 has them. The setters
// set what peers made afterwards begin with; a field of [PeerConfig] wins over
// each. What SetSocket… ask for is passed over by networks that have no such
// thing, while of a field of the configuration it is an error.

var (
	process defaults.Set
	peers   = graceful.Group{Logger: logger.L}
)

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

// GraceSignal waits for SIGINT and SIGTERM, which shut all peers down as
// [Shutdown] does, and SIGUSR2, which restarts the program as [Reboot] does. It
// returns when that is done, or when another goroutine has called one of these;
// then main should return. It never exits the process: a second signal does,
// and [GraceExit]. A restart that fails is logged, and GraceSignal waits on.
func GraceSignal() { _ = peers.Signal() } // it has logged its error

// GraceExit is [GraceSignal] and then, as v7's GraceSignal does, the end of the
// process: with the exit code 0, or 1 if the shutdown was not clean. It is for
// programs whose main does not return, and never returns itself. Deferred
// functions do not run.
func GraceExit() {
	code := 0
	if err := peers.Signal(); err != nil {
		code = 1
	}
	_ = FlushLogger() // there is nowhere left to report it
	os.Exit(code)
}

// SetShutdown sets how long a shutdown may take, 15 s if that is not above 0,
// and what is called before and after it: firstSweep while the peers still
// serve, beforeExiting when they have ended. Both may be nil; neither is bounded
// by the timeout.
func SetShutdown(timeout time.Duration, firstSweep, beforeExiting func() error) {
	peers.Set(timeout, firstSweep, beforeExiting)
}

// Shutdown shuts all peers of the process down, as [peer.Peer.Shutdown] does,
// and returns when that is done or the timeout has passed. What went wrong is
// logged. It does not exit the process.
func Shutdown(timeout ...time.Duration) { _ = peers.Shutdown(timeout...) }

// ErrRebootFailed says that no new process took over and this one serves on.
var ErrRebootFailed = graceful.ErrRebootFailed

// Reboot starts the program anew, with the arguments and the listeners of this
// process, and when that serves shuts this one's peers down as [Shutdown] does.
// Both take at most the timeout, else 10 s and that of [SetShutdown]. No
// connection is refused meanwhile, and no call of a client fails that redials.
// Reboot does not exit the process: main should return, unless the error is
// [ErrRebootFailed].
//
// The new process has taken over once it serves every listener that was handed
// down: it must listen on the same networks and addresses, in the configuration
// rather than on the wire, so that port 0 fits too. Listeners of tcp, unix and
// unixpacket made by [peer.Peer.Listen] or ListenAndServe can be handed down,
// with TLS or without, also below a mux of socket/mux. Others are named in the log and in the error, and the new
// process has to listen on them by itself, once this one has ended. Only unix
// systems can do this; elsewhere Reboot fails.
func Reboot(timeout ...time.Duration) error { return peers.Reboot(timeout...) }
