package mux

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// A note logs events that strangers can cause as often as they like: at most one
// line a second, with the number of events since the last line.
type note struct {
	log  *slog.Logger                   // nil: nothing is logged
	tell func(remote string, why error) // of each; nil: nobody
	text string

	mu    sync.Mutex // guards the following
	count int        // since the last line
	last  time.Time
}

// every is the minimum time between two lines.
const every = time.Second

// add counts one event, whose cause is err, and logs it if it is time.
func (n *note) add(from net.Addr, err error) {
	if n.tell != nil {
		n.tell(from.String(), err)
	}
	if n.log == nil {
		return
	}
	n.mu.Lock()
	n.count++
	count := n.count
	now := time.Now()
	due := n.last.IsZero() || now.Sub(n.last) >= every
	if due {
		n.last, n.count = now, 0
	}
	n.mu.Unlock()
	if !due {
		return
	}
	n.log.Warn(n.text, "count", count, "remote", from.String(), "err", brief(err))
}

// maxCause is how many bytes of an error are logged: a stranger may choose them.
const maxCause = 256

func brief(err error) string {
	text := err.Error()
	if len(text) > maxCause {
		text = text[:maxCause] + "..."
	}
	return text
}
