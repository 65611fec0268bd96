package heartbeat

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// Pong is the plugin that answers heartbeats.
type Pong = *Ponger

// A Ponger answers heartbeats and closes connections from which they no longer
// come. It may serve several peers.
type Ponger struct {
	rate   time.Duration // assumed until a heartbeat tells; 0: don't watch until then
	misses time.Duration
	lost   lograte.Limiter // lines about connections on which nothing was heard
}

// NewPong returns a plugin that answers heartbeats.
func NewPong() Pong { return NewPonger(PongConfig{}) }

// NewPonger is [NewPong] with a configuration.
func NewPonger(cfg PongConfig) Pong {
	p := &Ponger{rate: DefaultPongRate, misses: DefaultMisses}
	if cfg.Rate < 0 {
		p.rate = 0
	} else if cfg.Rate > 0 {
		p.rate = clamp(cfg.Rate)
	}
	if cfg.Misses > 0 {
		p.misses = time.Duration(max(cfg.Misses, 2)) // v7 may skip one beat while it receives messages
	}
	return p
}

var (
	_ erpc.PostNewPeerPlugin    = (*Ponger)(nil)
	_ erpc.PostDialPlugin       = (*Ponger)(nil)
	_ erpc.PostAcceptPlugin     = (*Ponger)(nil)
	_ erpc.PostDisconnectPlugin = (*Ponger)(nil)
)

// Name returns the name of the plugin.
func (*Ponger) Name() string { return "heart-pong" }

// PostNewPeer registers the handlers of heartbeats.
func (p *Ponger) PostNewPeer(peer erpc.EarlyPeer) error {
	erpc.HandleCall(peer, ServiceMethod, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, p.beat(erpc.CallCtxFrom(ctx))
	})
	erpc.HandlePush(peer, ServiceMethod, func(ctx context.Context, _ *struct{}) error {
		return p.beat(erpc.PushCtxFrom(ctx))
	})
	return nil
}

type pongKey struct{ p *Ponger }

// PostDial starts to watch a connection.
func (p *Ponger) PostDial(sess erpc.PreSession, _ bool) *erpc.Status { return p.watch(sess, true) }

// PostAccept starts to watch a connection.
func (p *Ponger) PostAccept(sess erpc.PreSession) *erpc.Status { return p.watch(sess, false) }

func (p *Ponger) watch(sess erpc.PreSession, dialed bool) *erpc.Status {
	stop(sess, pongKey{p}) // the watch of the connection before a redial
	w := newWatch(sess, dialed, &p.lost, p.look)
	sess.Swap().Store(pongKey{p}, w)
	if p.rate > 0 && !w.inOrder { // otherwise the other side can't be called
		w.begin(p.rate, p.rate/2)
	}
	return nil
}

// PostDisconnect stops watching the connection.
func (p *Ponger) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	stop(sess, pongKey{p})
	return nil
}

// beat handles a heartbeat. A heartbeat without a rate is only answered.
func (p *Ponger) beat(ctx erpc.PushCtx) error {
	v, ok := ctx.Session().Swap().Load(pongKey{p})
	if !ok {
		return nil // the plugin was added after the session had opened
	}
	w := v.(*watch)
	rate, err := parseRate(ctx.PeekMeta(wire.MetaHeartbeat), ctx.PeekMeta(wire.MetaBeat))
	switch {
	case err != nil && !w.knows():
		return erpc.NewStatus(erpc.CodeBadMessage, "invalid heartbeat rate", err).Err()
	case err == nil && rate > 0:
		w.tell(rate)
	}
	return nil
}

// parseRate returns 0 if there is no rate.
func parseRate(seconds, millis []byte) (time.Duration, error) {
	text, unit := seconds, time.Second
	if len(millis) > 0 {
		text, unit = millis, time.Millisecond
	}
	if len(text) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("heartbeat: rate %.20q: %w", text, err)
	}
	if n == 0 {
		return 0, nil
	}
	return clamp(time.Duration(n) * unit), nil
}

// look calls the other side when the last but one of the allowed beats was
// missed, and reports the connection dead after the last. Both happen half a
// beat late, because a beat that arrives in time is seen at one check or at the
// next.
func (p *Ponger) look(w *watch, sess erpc.Session, s *signs) (dead bool) {
	w.mu.Lock()
	rate := w.rate
	w.mu.Unlock()
	if s.unheard == 0 || s.waits || w.inOrder && sess.Stats().Handlers > 0 {
		return false
	}
	s.silence += rate / 2
	limit := p.misses*rate + s.grace()
	if s.silence > limit {
		return true
	}
	if s.silence > limit-rate && !w.inOrder && !s.unanswered() {
		s.asked = sess.AsyncCall(ServiceMethod, nil, nil, nil)
	}
	return false
}
