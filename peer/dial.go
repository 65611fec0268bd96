package peer

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/session"
)

// Dial opens a session with the peer at addr. If that fails and the
// configuration allows redials, Dial tries again, unless the status says that
// another attempt would fail too: see [Config.RedialOn].
func (p *Peer) Dial(addr string, protoFunc ...proto.Func) (session.Session, *message.Status) {
	return p.DialContext(context.Background(), addr, protoFunc...)
}

// DialContext is [Peer.Dial], bounded by ctx. The end of ctx does not end an
// open session.
func (p *Peer) DialContext(ctx context.Context, addr string, protoFunc ...proto.Func) (session.Session, *message.Status) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	pf := p.protoFunc(protoFunc)
	dial := func(ctx context.Context) (net.Conn, *message.Status) { return p.dialOnce(ctx, addr) }
	again := p.cfg.RedialOn
	if again == nil {
		again = RedialOn
	}
	wait := backoff.Backoff{First: p.cfg.RedialInterval, Max: p.shared.RedialLongest}
	wait.Next() // the first attempt does not wait
	for {
		c, st := p.open(ctx, pf, dial)
		if st.OK() {
			return c, nil
		}
		if ctx.Err() != nil || p.cfg.RedialTimes >= 0 && wait.Attempts() > int(p.cfg.RedialTimes) || !again(st) {
			return nil, st
		}
		n, pause := wait.Attempts(), wait.Next()
		if n&(n-1) == 0 { // log the first, and then each time the number has doubled
			p.cfg.Logger.Warn("dial failed; trying again", "remote", addr, "attempt", n, "status", st, "again_in", pause)
		}
		if !backoff.Sleep(ctx, pause) {
			return nil, st
		}
	}
}

// RedialOn is the default of [Config.RedialOn] for Dial. It returns false if
// the other side said that the caller is not authorized, or if the transport
// can't do what the configuration asks for.
func RedialOn(st *message.Status) bool {
	return st.Code() != message.CodeUnauthorized && !errors.Is(st.Cause(), errors.ErrUnsupported)
}

// open dials once and opens the session.
func (p *Peer) open(ctx context.Context, pf proto.Func, dial session.Dial) (*session.Engine, *message.Status) {
	conn, st := dial(ctx)
	if !st.OK() {
		return nil, st
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends hooks that wait for the other side
	id := p.table.reserve(conn.LocalAddr())
	defer p.table.release(id)
	c, st := session.Dialed(p.shared, conn, pf, id, dial)
	if !st.OK() {
		return nil, st
	}
	return p.opened(c)
}

// preDial calls the hook and turns a panic into a status, because nothing above
// a redial would recover it.
func (p *Peer) preDial(h PreDialPlugin, addr string) (st *message.Status) {
	defer func() {
		if v := recover(); v != nil {
			err := guard.New(v, "plugin", h.Name())
			st = message.NewStatusByCodeText(message.CodeInternalServerError, err, false).HideCause()
		}
	}()
	return h.PreDial(p.cfg.LocalAddr(), addr)
}

// dialOnce makes one attempt and returns a connection that is ready for use.
func (p *Peer) dialOnce(ctx context.Context, addr string) (net.Conn, *message.Status) {
	if p.isStopping() {
		return nil, statusClosed()
	}
	for _, h := range plugin.Of[PreDialPlugin](p.plugins.GetAll()) {
		if st := p.preDial(h, addr); !st.OK() {
			return nil, st
		}
	}
	if p.cfg.DialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.DialTimeout)
		defer cancel()
	}
	conn, err := p.transports[p.cfg.Network].Dial(ctx, p.cfg.Network, addr, p.options())
	p.edge.dials.Add(1)
	if err != nil {
		p.edge.dialErrors.Add(1)
		return nil, message.NewStatusByCodeText(message.CodeDialFailed, fmt.Errorf("peer: dial: %w", err), false).HideCause()
	}
	return conn, nil
}
