// Package graceful shuts down and restarts the peers of a process together.
package graceful

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/erpc-go/erpc/peer"
)

// DefaultTimeout is how long a shutdown may take if nobody says otherwise.
const DefaultTimeout = 15 * time.Second

// A Group is the peers of a process. The zero value is empty. All methods may
// be called concurrently.
type Group struct {
	mu      sync.Mutex // guards the following
	peers   map[*peer.Peer]struct{}
	timeout time.Duration
	first   func() error
	last    func() error
}

// Add adds a peer, until it is closed.
func (g *Group) Add(p *peer.Peer) {
	g.mu.Lock()
	if g.peers == nil {
		g.peers = map[*peer.Peer]struct{}{}
	}
	g.peers[p] = struct{}{}
	g.mu.Unlock()
	p.OnClose(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.peers, p)
	})
}

// Set sets how long a shutdown may take, 0 for [DefaultTimeout], and what is
// called before and after it; both may be nil.
func (g *Group) Set(timeout time.Duration, first, last func() error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timeout, g.first, g.last = timeout, first, last
}

// Shutdown shuts every peer down and returns when that is done, or the timeout
// has passed. Errors are logged.
func (g *Group) Shutdown(timeout ...time.Duration) {
	g.mu.Lock()
	limit := g.timeout
	if len(timeout) > 0 {
		limit = timeout[0]
	}
	if limit <= 0 {
		limit = DefaultTimeout
	}
	first, last := g.first, g.last
	peers := make([]*peer.Peer, 0, len(g.peers))
	for p := range g.peers {
		peers = append(peers, p)
	}
	g.mu.Unlock()

	errs := []error{call(first)}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ends := make(chan error)
	for _, p := range peers {
		go func() { ends <- p.Shutdown(ctx) }()
	}
	for range peers {
		errs = append(errs, <-ends)
	}
	errs = append(errs, call(last))
	if err := errors.Join(errs...); err != nil {
		slog.Default().Warn("erpc: shutdown was not clean", "err", err)
	}
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}
