package erpc

import (
	"log/slog"
	"os"

	"github.com/goerpc/erpc/internal/logging"
)

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
// ERROR, WARNING, NOTICE, INFO (the default), DEBUG or TRACE. An unknown name
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
