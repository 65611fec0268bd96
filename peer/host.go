package peer

import (
	"context"
	"net"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Host returns the peer as a protocol sees it that serves connections itself,
// such as HTTP for clients other than erpc's.
func (p *Peer) Host() proto.Host { return host{p} }

type host struct{ *Peer }

// Open implements [proto.Host]. The session counts for MaxSessions.
func (h host) Open(conn net.Conn, f proto.Func) *message.Status {
	_, st := h.ServeConn(conn, f)
	return st
}

// Lookup implements [proto.Host]. It does not find the handler of unknown
// streams: a request does not say whether it is for a call or a stream, so that
// handler would get all requests meant for the handler of unknown calls.
func (h host) Lookup(method string) (call, stream proto.Target) {
	if handler, ok := h.routes.Dispatch(true, method); ok {
		call = proto.Target{Found: true, Safe: handler.Safe(), Unknown: handler.IsUnknown()}
	}
	if handler, ok := h.routes.DispatchStream(method); ok && !handler.IsUnknown() {
		stream = proto.Target{Found: true, Safe: handler.Safe()}
	}
	return call, stream
}

// Hold implements [proto.Host].
func (h host) Hold() (release func()) {
	h.answering.Add(1)
	return func() { h.answering.Add(-1) }
}

// Bounds implements [proto.Host].
func (h host) Bounds() proto.Bounds {
	c := &h.cfg
	return proto.Bounds{
		Message: c.ReadLimit, Inflight: max(c.InflightLimit, 0), Idle: max(c.IdleTimeout, 0),
		First: max(c.HandshakeTimeout, 0), Write: max(c.WriteTimeout, 0), Logger: c.Logger,
	}
}

// takePlace counts an accepted connection and reports whether there was a place
// for it.
func (p *Peer) takePlace() bool {
	if n := p.accepting.Add(1); p.cfg.MaxSessions > 0 && int(n) > p.cfg.MaxSessions {
		p.accepting.Add(-1)
		return false
	}
	return true
}

// sort lets the protocol of a listener inspect a connection, if the protocol
// implements that. It returns the connection and the protocol to make a session
// of, or a nil connection if the protocol has served it to its end. Such a
// connection gives its place back as soon as it is recognized.
func (p *Peer) sort(conn net.Conn, pf proto.Func) (net.Conn, proto.Func) {
	a, ok := pf().(proto.Acceptor)
	if !ok {
		return conn, pf
	}
	stop := context.AfterFunc(p.closing, func() { _ = conn.Close() }) // ends the handshake
	refused := p.handshake(conn)
	stop()
	var got proto.Accepted
	var err error
	if refused == nil {
		got, err = a.Accept(p.closing, conn, p.Host())
		if err == nil && got.Serve == nil {
			return got.Conn, got.Func
		}
	}
	p.accepting.Add(-1)
	p.opening.Add(-1)
	switch remote := conn.RemoteAddr().String(); {
	case refused != nil:
		_ = conn.Close() // it is not used
		p.Refused(remote, message.NewStatusByCodeText(message.CodeWrongConn, refused, false))
	case err != nil:
		_ = conn.Close() // it is not used
		p.cfg.Logger.Debug("connection ended before its first message", "remote", remote, "err", err)
	default:
		got.Serve()
	}
	return nil, nil
}
