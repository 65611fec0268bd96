package proxy

import (
	"context"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// A client is what the proxy keeps for one session, in its store.
type client struct {
	turns    chan struct{} // holds one value for each message under way; nil: no limit
	failures lograte.Limiter
}

type clientKey struct{ *proxy }

func (p *proxy) client(s erpc.CtxSession) *client {
	key := clientKey{p}
	v, ok := s.Swap().Load(key)
	if !ok {
		c := new(client)
		if p.cfg.MaxInFlight > 0 {
			c.turns = make(chan struct{}, p.cfg.MaxInFlight)
		}
		v, _ = s.Swap().LoadOrStore(key, c)
	}
	return v.(*client)
}

// enter waits for the turn of a message, at most until ctx ends or, if that is
// not 0, for as long as limit. Those that wait get their turn in the order in
// which they came, as channels have it. It reports whether the message may go on,
// and then leave must be called.
func (c *client) enter(ctx context.Context, limit time.Duration) bool {
	if c.turns == nil {
		return true
	}
	select {
	case c.turns <- struct{}{}:
		return true
	default:
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	select {
	case c.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *client) leave() {
	if c.turns != nil {
		<-c.turns
	}
}
