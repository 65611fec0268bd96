package websocket

import (
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// newErrorLog returns the log of an HTTP server, which writes to that of its peer. The
// lines are caused by strangers, such as TLS handshakes that fail: one a second is
// written, with the number of those since the one before.
func newErrorLog(to *slog.Logger) *log.Logger {
	if to == nil {
		to = slog.Default()
	}
	return log.New(&errorLog{to: to}, "", 0)
}

type errorLog struct {
	to *slog.Logger

	mu    sync.Mutex // guards the following
	count int        // lines since the last one that was written
	last  time.Time
}

// Bounds of what is written.
const (
	logEvery = time.Second
	maxLine  = 256 // bytes; a stranger may choose them
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
