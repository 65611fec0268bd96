// Package quiclisten listens for QUIC connections and tells of those whose handshake
// fails. quic-go only returns the others, so nobody would know.
package quiclisten

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// A Listener accepts connections whose handshake is done.
type Listener struct{ *quic.Listener }

// Listen listens on t, whose ConnContext it sets. refused, which may be nil, is told of
// each connection whose handshake fails, after at most the handshake timeout of cfg. It may be
// called concurrently.
func Listen(t *quic.Transport, tlsCfg *tls.Config, cfg *quic.Config, refused func(remote string, why error)) (*Listener, error) {
	if refused != nil {
		t.ConnContext = func(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
			return watch(ctx, info.RemoteAddr, refused), nil
		}
	}
	lis, err := t.Listen(tlsCfg, cfg)
	if err != nil {
		return nil, err
	}
	return &Listener{lis}, nil
}

// Accept returns the next connection. Once the listener is closed, it returns
// [quic.ErrServerClosed].
func (l *Listener) Accept(ctx context.Context) (*quic.Conn, error) {
	for {
		conn, err := l.Listener.Accept(ctx)
		if err != nil {
			return nil, err
		}
		if h, ok := conn.Context().Value(handshakeKey{}).(*handshake); !ok || h.decide() {
			return conn, nil
		} // else it has broken meanwhile, and refused was told
	}
}

// A handshake is decided once: its connection is accepted, or refused.
type handshake struct {
	decided atomic.Bool
	forget  func() bool // stops watching
}

type handshakeKey struct{}

// watch returns a context for a connection, whose handshake it watches until decide.
func watch(ctx context.Context, remote net.Addr, refused func(string, error)) context.Context {
	h := new(handshake)
	h.forget = context.AfterFunc(ctx, func() {
		if err := context.Cause(ctx); failed(err) && h.decided.CompareAndSwap(false, true) {
			refused(remote.String(), err)
		}
	})
	return context.WithValue(ctx, handshakeKey{}, h)
}

// decide reports whether the connection may be accepted.
func (h *handshake) decide() bool {
	h.forget()
	return h.decided.CompareAndSwap(false, true)
}

// failed reports whether a connection has ended because of err before it was of use: TLS or
// QUIC itself has failed, or the handshake took too long. A client that ends it without a
// complaint has changed its mind.
func failed(err error) bool {
	var transport *quic.TransportError
	if errors.As(err, &transport) {
		return !transport.Remote || transport.ErrorCode.IsCryptoError()
	}
	var late *quic.HandshakeTimeoutError
	var idle *quic.IdleTimeoutError
	return errors.As(err, &late) || errors.As(err, &idle)
}
