package erpc

import (
	"log/slog"
	"os"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/internal/process/graceful"
)

// What stands in this file belongs to the process: its default logger, and the
// shutdown and restart of all its peers.

// The default logger of the process, for peers that have none of their own and
// for the functions below.
var (
	sink   = logging.NewSink(os.Stderr)
	logger = logging.Printer{L: sink.Logger()}
)

// Levels for [log/slog] that stand between its own. Debug, info, warning and
// error are slog's.
const (
	LevelTrace    = logging.LevelTrace
	LevelNotice   = logging.LevelNotice
	LevelCritical = logging.LevelCritical
	LevelPrint    = logging.LevelPrint
	LevelOff      = logging.LevelOff
)

// SetLoggerLevel sets the level of the default logger: OFF, PRINT, CRITICAL,
// ERROR, WARN (WARNING in v7), NOTICE, INFO (the default), DEBUG or TRACE. An unknown name
// changes nothing and is logged as an error. It returns [FlushLogger].
func SetLoggerLevel(level string) (flusher func() error) {
	l, err := logging.ParseLevel(level)
	if err != nil {
		logger.Errorf("%v", err)
	} else {
		sink.SetLevel(l)
	}
	return FlushLogger
}

// SetLoggerOutputter sends what the default logger writes to h. flush, which
// may be nil, is what [FlushLogger] calls.
func SetLoggerOutputter(h slog.Handler, flush func() error) (flusher func() error) {
	sink.SetOutput(h, flush)
	return FlushLogger
}

// FlushLogger writes what the output of the default logger holds back.
func FlushLogger() error { return sink.Flush() }

// GetLogger returns the default logger with v7's functions.
func GetLogger() Logger { return logger }

// peers are those of the process, which shut down and restart together.
var peers = graceful.Group{Logger: logger.L}

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

// Reboot starts the program again, with the arguments and the listeners of this
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
// process has to listen on them itself, once this one has ended. Only unix
// systems can do this; elsewhere Reboot fails.
func Reboot(timeout ...time.Duration) error { return peers.Reboot(timeout...) }
