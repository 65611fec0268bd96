package websocket

import (
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// newErrorLog returns the error log of an HTTP server. It writes to the peer's
// logger, at most one line per second with the number of lines since the one
// before, because clients can cause any number of them, for example with failed
// TLS handshakes.
func newErrorLog(to *slog.Logger) *log.Logger {
	if to == nil {
		to = slog.Default()
	}
	return log.New(&errorLog{to: to}, "", 0)
}

type errorLog struct {
	to *slog.Logger

	mu    sync.Mutex // guards the following
	count int        // lines since the last one that was logged
	last  time.Time
}

// Bounds of what is logged.
const (
	logEvery = time.Second
	maxLine  = 256 // bytes; clients may choose the text
)

// Write implements [io.Writer]. It never fails.
func (l *errorLog) Write(line []byte) (int, error) {
	now := time.Now()
	l.mu.Lock()
	l.count++
	count := l.count
	due := l.last.IsZero() || now.Sub(l.last) >= logEvery
	if due {
		l.count, l.last = 0, now
	}
	l.mu.Unlock()
	if due {
		text := strings.TrimSpace(string(line[:min(len(line), maxLine)]))
		l.to.Warn("websocket: the HTTP server reports an error", "err", text, "count", count)
	}
	return len(line), nil
}
