package erpc

import (
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/internal/process/graceful"
)

// The names in this file belong to the process: its default logger, and the
// shutdown and restart of all its peers.

// The default logger of the process. Peers without a logger and the functions
// below use it.
var (
	sink   = logging.NewSink(os.Stderr)
	logger = logging.Printer{L: sink.Logger()}
)

// Levels for [log/slog] between its own. Debug, info, warning and error are
// those of slog.
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

// SetLoggerOutputter sends what the default logger writes to h. [FlushLogger]
// calls flush, which may be nil.
func SetLoggerOutputter(h slog.Handler, flush func() error) (flusher func() error) {
	sink.SetOutput(h, flush)
	return FlushLogger
}

// FlushLogger writes out what the default logger has buffered.
func FlushLogger() error { return sink.Flush() }

// GetLogger returns the default logger with the methods of v7.
func GetLogger() Logger { return logger }

// peers holds all peers of the process, which shut down and restart together.
var peers = graceful.Group{Logger: logger.L}

// GraceSignal waits for SIGINT and SIGTERM, which shut all peers down as
// [Shutdown] does, and SIGUSR2, which restarts the program as [Reboot] does. It
// returns when that is done, or when another goroutine has called one of these;
// then main should return. GraceSignal itself never exits the process; a second
// signal and [GraceExit] do. If a restart fails, GraceSignal logs the error and
// keeps waiting.
func GraceSignal() { _ = peers.Signal() } // it has logged its error

// GraceExit calls [GraceSignal] and then exits the process, as v7's GraceSignal
// does, with code 0, or 1 if the shutdown was not clean. It never returns, and
// is for programs whose main does not return. Deferred functions do not run.
func GraceExit() {
	code := 0
	if err := peers.Signal(); err != nil {
		code = 1
	}
	_ = FlushLogger() // there is nowhere left to report it
	os.Exit(code)
}

// SetShutdown sets how long a shutdown may take (15 s if timeout is not above
// 0) and two functions, which may be nil: firstSweep runs before the shutdown,
// while the peers still serve, and beforeExiting runs after it. The timeout
// does not bound them.
func SetShutdown(timeout time.Duration, firstSweep, beforeExiting func() error) {
	peers.Set(timeout, firstSweep, beforeExiting)
}

// Shutdown shuts all peers of the process down, as [peer.Peer.Shutdown] does,
// and returns when that is done or the timeout has passed. It logs errors. It
// does not exit the process.
func Shutdown(timeout ...time.Duration) { _ = peers.Shutdown(timeout...) }

// ListenInherited is [net.Listen] on an address of TCP or of a Unix socket, for a server
// that is not a peer, such as one of net/http: [Reboot] hands its listener down with those
// of the peers. In the new process it returns the listener that was handed down for the
// same network and address. That process takes over when it accepts from this listener,
// too. What ends the server in the old process is for [SetShutdown], or for main behind
// [GraceSignal]:
//
//	lis, err := erpc.ListenInherited("tcp", ":8080")
//	…
//	go web.Serve(lis)
//	erpc.GraceSignal()
//	lis.Close()                     // from now on the new process alone accepts
//	web.SetKeepAlivesEnabled(false) // connections end after their next answer
//	time.Sleep(time.Second)         // for requests that are on their way
//	err = web.Shutdown(ctx)
//
// The Shutdown of net/http drops a request that it reads after Shutdown has begun, also
// the first one of a connection.
func ListenInherited(network, addr string) (net.Listener, error) { return peers.Listen(network, addr) }

// ErrRebootFailed means that no new process took over; this one keeps serving.
var ErrRebootFailed = graceful.ErrRebootFailed

// Reboot starts the program again, with the arguments and the listeners of this
// process. Once the new process serves, Reboot shuts the peers of this one down
// as [Shutdown] does. The timeout bounds each of the two steps; without it they
// take at most 10 s and the timeout of [SetShutdown]. No connection is refused
// meanwhile, and clients that redial lose no call. Reboot does not exit the
// process: main should return, unless the error is [ErrRebootFailed].
//
// The new process has taken over once it serves every listener that was handed
// down. It must listen on the same networks and addresses; the configured
// addresses are compared, not the bound ones, so port 0 matches too. Listeners
// of tcp, unix and unixpacket made by [peer.Peer.Listen], ListenAndServe or
// [ListenInherited] can be handed down, with or without TLS, also below a mux of socket/mux. Reboot
// names other listeners in the log and in its error; the new process has to
// open them itself, once this one has ended. Reboot works on unix systems only
// and fails elsewhere.
func Reboot(timeout ...time.Duration) error { return peers.Reboot(timeout...) }
