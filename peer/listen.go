package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
)

// ListenAndServe accepts sessions on the address of the configuration, or on
// those of its list of listeners, until the peer is closed; then it returns
// [ErrClosed]. It logs the error of a listener, which ends all of them.
func (p *Peer) ListenAndServe(protoFunc ...proto.Func) error {
	err := p.listenAndServe(protoFunc)
	if !errors.Is(err, ErrClosed) {
		p.cfg.Logger.Error("listen failed", "err", err) // many programs ignore the result
	}
	return err
}

func (p *Peer) listenAndServe(protoFunc []proto.Func) error {
	if len(p.cfg.Listeners) == 0 {
		lis, err := p.Listen()
		if err != nil {
			return err
		}
		return p.Serve(lis, protoFunc...)
	}
	listeners := make([]net.Listener, 0, len(p.cfg.Listeners))
	for _, l := range p.cfg.Listeners {
		network := l.Network
		if network == "" {
			network = p.cfg.Network
		}
		lis, err := p.ListenOn(network, l.Address)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close() // nothing was accepted
			}
			return err
		}
		listeners = append(listeners, lis)
	}
	ends := make(chan error, len(listeners))
	for i, lis := range listeners {
		pf := p.protos[i]
		if pf == nil {
			pf = p.protoFunc(protoFunc)
		}
		go func() { ends <- p.Serve(lis, pf) }()
	}
	err := <-ends
	for _, lis := range listeners {
		_ = lis.Close() // Serve returns the error
	}
	for range len(listeners) - 1 {
		if e := <-ends; errors.Is(err, ErrClosed) && !errors.Is(e, ErrClosed) && !errors.Is(e, net.ErrClosed) {
			err = e
		}
	}
	return err
}

// Listen returns a listener on the address of the configuration, for
// [Peer.Serve]. It belongs to the peer, which closes it at its own end if it is not served.
func (p *Peer) Listen() (net.Listener, error) {
	addr := p.cfg.ListenAddr()
	return p.ListenOn(p.cfg.Network, addr.String())
}

// ListenOn is [Peer.Listen] on another address.
func (p *Peer) ListenOn(network, addr string) (net.Listener, error) {
	t := p.transports[network]
	if t == nil {
		return nil, fmt.Errorf("peer: listen: network %q is unknown to this peer", network)
	}
	if p.isStopping() {
		return nil, ErrClosed
	}
	lis, err := t.Listen(context.Background(), network, addr, p.options())
	if err != nil {
		return nil, fmt.Errorf("peer: listen: %w", err)
	}
	if !p.keep(lis) {
		_ = lis.Close() // it is not used
		return nil, ErrClosed
	}
	return lis, nil
}

// keep remembers a listener until it is served, so that it ends with the peer. It reports
// false if the peer is closed.
func (p *Peer) keep(lis net.Listener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase == closed {
		return false
	}
	p.unserved = append(p.unserved, lis)
	return true
}

// Serve accepts sessions from lis until the peer is closed, and closes lis.
func (p *Peer) Serve(lis net.Listener, protoFunc ...proto.Func) error {
	p.mu.Lock()
	if p.phase != serving {
		p.mu.Unlock()
		_ = lis.Close() // it is not used
		return ErrClosed
	}
	p.unserved = without(p.unserved, lis)
	p.listeners = append(p.listeners, lis)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.listeners = without(p.listeners, lis)
		p.mu.Unlock()
		_ = lis.Close() // a second time, if the peer was closed
	}()
	for _, h := range plugin.Of[PostListenPlugin](p.plugins.GetAll()) {
		if err := postListen(h, lis.Addr()); err != nil {
			return fmt.Errorf("peer: plugin %q: after listen on %v: %w", h.Name(), lis.Addr(), err)
		}
	}
	p.cfg.Logger.Info("listening", "network", lis.Addr().Network(), "addr", lis.Addr().String())
	wait := backoff.Backoff{First: 5 * time.Millisecond, Max: time.Second}
	for {
		conn, err := lis.Accept()
		switch {
		case err == nil:
			p.edge.accepts.Add(1)
			wait.Reset()
			p.opening.Add(1)
			go p.accept(conn, p.protoFunc(protoFunc))
			continue
		case p.isStopping():
			return ErrClosed
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("peer: accept: %w", err)
		}
		p.edge.acceptErrors.Add(1)
		// The process may be out of descriptors, for example. Connections may end, so
		// try again.
		pause := max(wait.Next(), time.Millisecond)
		if missed, ok := p.acceptLines.Allow(time.Now()); ok {
			p.cfg.Logger.Warn("accept failed", "err", err, "again_in", pause, "left_out", missed)
		}
		if !backoff.Sleep(p.ctx, pause) {
			return ErrClosed
		}
	}
}

// without returns the listeners less the first one that is lis.
func without(listeners []net.Listener, lis net.Listener) []net.Listener {
	if i := slices.Index(listeners, lis); i >= 0 {
		return slices.Delete(listeners, i, i+1)
	}
	return listeners
}

// postListen calls the hook and turns a panic into an error, as for every hook.
func postListen(h PostListenPlugin, addr net.Addr) (err error) {
	defer guard.Catch(&err, "plugin", h.Name())
	return h.PostListen(addr)
}

func (p *Peer) protoFunc(given []proto.Func) proto.Func {
	if len(given) > 0 && given[0] != nil {
		return given[0]
	}
	return p.cfg.ProtoFunc
}

// accept turns a connection from a listener into a session.
func (p *Peer) accept(conn net.Conn, pf proto.Func) {
	if !p.takePlace() {
		p.opening.Add(-1)
		_ = conn.Close() // nothing was said on it
		p.Refused(conn.RemoteAddr().String(), tooManySessions())
		return
	}
	conn, pf = p.sort(conn, pf)
	if conn == nil {
		return
	}
	exited := true
	defer func() {
		if exited { // a hook has ended the goroutine (runtime.Goexit)
			p.opening.Add(-1)
			p.accepting.Add(-1)
			_ = conn.Close() // session.Accept has closed it
		}
	}()
	c, st := p.serveConn(conn, pf)
	exited = false
	p.opening.Add(-1)
	if !st.OK() {
		p.accepting.Add(-1)
		p.Refused(conn.RemoteAddr().String(), st)
		return
	}
	if p.cfg.MaxSessions <= 0 || !p.table.count(c) {
		p.accepting.Add(-1)
	}
}

var errTooManySessions = errors.New("peer: too many sessions (max_sessions)")

func tooManySessions() *message.Status {
	return message.NewStatusByCodeText(message.CodeExhausted, errTooManySessions, false)
}

// Refused counts and logs a connection from remote that was refused. The peer
// calls it for connections that it refuses itself; code in front of the peer,
// such as a WebSocket handler, calls it for others. It logs at most one line
// per second, because clients decide how many connections they make.
func (p *Peer) Refused(remote string, st *message.Status) {
	p.edge.refused.Add(1)
	missed, ok := p.refusals.Allow(time.Now())
	if !ok {
		return
	}
	level := slog.LevelInfo
	if st.Code() == message.CodeExhausted {
		level = slog.LevelWarn
	}
	p.cfg.Logger.Log(context.Background(), level, "connection refused", "remote", remote, "status", st, "also_refused", missed)
}

// ServeConn turns an accepted connection into a session, which counts towards
// MaxSessions and does not redial.
func (p *Peer) ServeConn(conn net.Conn, protoFunc ...proto.Func) (session.Session, *message.Status) {
	if !p.takePlace() {
		_ = conn.Close() // nothing was said on it
		st := tooManySessions()
		p.Refused(conn.RemoteAddr().String(), st)
		return nil, st
	}
	c, st := p.serveConn(conn, p.protoFunc(protoFunc))
	if !st.OK() {
		p.accepting.Add(-1)
		p.Refused(conn.RemoteAddr().String(), st)
		return nil, st
	}
	if p.cfg.MaxSessions <= 0 || !p.table.count(c) {
		p.accepting.Add(-1)
	}
	return c, nil
}

func (p *Peer) serveConn(conn net.Conn, pf proto.Func) (*session.Engine, *message.Status) {
	if p.isClosed() {
		_ = conn.Close() // nothing was said on it
		return nil, statusClosed()
	}
	defer context.AfterFunc(p.closing, func() { _ = conn.Close() })() // ends handshake and hooks
	if err := p.handshake(conn); err != nil {
		_ = conn.Close() // it is of no use
		return nil, message.NewStatusByCodeText(message.CodeWrongConn, err, false)
	}
	addr := conn.RemoteAddr()
	if isUnix(addr.Network()) {
		addr = conn.LocalAddr() // the client chooses the remote address
	}
	id := p.table.reserve(addr)
	defer p.table.release(id)
	c, st := session.Accept(p.shared, conn, pf, id)
	if !st.OK() {
		return nil, st
	}
	return p.opened(c)
}

// handshake completes the handshake of a connection, if the listener has not.
func (p *Peer) handshake(conn net.Conn) error {
	h, ok := conn.(socket.Handshaker)
	if !ok {
		return nil
	}
	ctx := context.Background()
	if p.cfg.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.HandshakeTimeout)
		defer cancel()
	}
	if err := h.HandshakeContext(ctx); err != nil {
		err = tellPlain(err)
		return fmt.Errorf("peer: handshake with %v: %w", conn.RemoteAddr(), err)
	}
	return nil
}

// opened returns c, or closes it and returns a status if the peer was closed
// while c was opened.
func (p *Peer) opened(c *session.Engine) (*session.Engine, *message.Status) {
	if p.isClosed() {
		c.End(ErrClosed)
		return nil, statusClosed()
	}
	p.startSweep()
	return c, nil
}
