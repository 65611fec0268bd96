package websocket

import (
	"log"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/websocket"
)

// newErrorLog returns the error log of an HTTP server. It writes to the peer's
// logger, at most one line per second with the number of lines since the one
// before, because clients can cause any number of them. Failed TLS handshakes are
// connections that the peer has refused.
func newErrorLog(p erpc.Peer) *log.Logger { return log.New(&errorLog{peer: p}, "", 0) }

type errorLog struct {
	peer erpc.Peer

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
	if remote, why, ok := websocket.HandshakeError(string(line)); ok {
		l.peer.Refused(remote, erpc.NewStatusByCodeText(erpc.CodeWrongConn, why, false))
		return len(line), nil
	}
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
		l.peer.Config().Logger.Warn("websocket: the HTTP server reports an error", "err", text, "count", count)
	}
	return len(line), nil
}
