package session

import (
	"log/slog"
	"sync"
	"time"

	"github.com/goerpc/erpc/internal/logging"
)

// pushLogEvery is the least time between two log lines about pushes that were not
// handled.
const pushLogEvery = time.Second

// A pushLog logs pushes that were refused or failed. Any client can cause these,
// so there is at most one line a second, with a count. The zero value is ready.
type pushLog struct {
	mu     sync.Mutex // guards the following
	quiet  bool       // a line was written less than pushLogEvery ago
	missed int        // since then
}

// note logs or counts a push, in x, that was not handled.
func (l *pushLog) note(x *exchange, what string, why slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		l.missed++
		return
	}
	l.quiet = true
	log := x.conn.shared.print // without an origin: x is reused later
	time.AfterFunc(pushLogEvery, func() { l.resume(log) })
	x.Log(slog.LevelWarn, what, why)
}

func (l *pushLog) resume(log logging.Printer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	missed := l.missed
	l.quiet, l.missed = missed > 0, 0
	if missed > 0 {
		log.Log(slog.LevelWarn, "more pushes were refused or failed", slog.Int("pushes", missed), slog.Duration("within", pushLogEvery))
		time.AfterFunc(pushLogEvery, func() { l.resume(log) })
	}
}
