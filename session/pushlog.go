package session

import (
	"sync"
	"time"

	"github.com/goerpc/erpc/internal/logging"
)

// pushLogEvery is how often, at most, a peer logs that pushes were not handled.
const pushLogEvery = time.Second

// A pushLog logs pushes that were refused or failed. A stranger may send as many
// of these as it likes, so there is one line a second and a count. The zero value
// is ready.
type pushLog struct {
	mu     sync.Mutex // guards the following
	quiet  bool       // a line was written less than pushLogEvery ago
	missed int        // since then
}

// note logs the push, or counts it.
func (l *pushLog) note(log logging.Printer, session, method, what string, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		l.missed++
		return
	}
	l.quiet = true
	time.AfterFunc(pushLogEvery, func() { l.resume(log) })
	log.Warnf("session %s: push to %s %s: %v", session, method, what, why)
}

func (l *pushLog) resume(log logging.Printer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	missed := l.missed
	l.quiet, l.missed = missed > 0, 0
	if missed > 0 {
		log.Warnf("%d more pushes were refused or failed within %v", missed, pushLogEvery)
		time.AfterFunc(pushLogEvery, func() { l.resume(log) })
	}
}
