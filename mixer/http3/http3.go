// Package http3 lets HTTP/3 clients call the handlers of a peer. It is a
// separate package because few programs need its dependencies.
//
//	lis, err := http3.Listen(peer, ":443", tlsConfig, erpc.HTTPConfig{})
//	…
//	err = lis.Serve() // until the peer is closed
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/quiclisten"
)

// A Server serves HTTP/3 on one UDP socket. It uses the timeouts of the peer.
// Each request has its own session.
type Server struct {
	srv       *http3.Server
	lis       *quiclisten.Listener
	transport *quic.Transport
	conn      net.PacketConn
}

const (
	defaultIdle = time.Minute // of a connection, if the peer has no IdleTimeout
	maxStreams  = 100         // requests of one connection at the same time
	grace       = time.Second // how long answers may take once the peer is closed
)

// Listen returns a server for p on addr. cfg must have a certificate. The server
// ends with the peer.
func Listen(p erpc.Peer, addr string, cfg *tls.Config, gate erpc.HTTPConfig) (*Server, error) {
	if cfg == nil || len(cfg.Certificates) == 0 && cfg.GetCertificate == nil && cfg.GetConfigForClient == nil {
		return nil, errors.New("http3: HTTP/3 is always encrypted; give a TLS configuration with a certificate")
	}
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("http3: listen: %w", err)
	}
	limits := p.Config()
	idle := limits.IdleTimeout
	if idle <= 0 {
		idle = defaultIdle
	}
	transport := &quic.Transport{Conn: conn}
	lis, err := quiclisten.Listen(transport, http3.ConfigureTLSConfig(cfg), &quic.Config{
		HandshakeIdleTimeout: max(limits.HandshakeTimeout, 0), MaxIdleTimeout: idle,
		MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: 8,
	}, func(remote string, why error) {
		p.Refused(remote, erpc.NewStatusByCodeText(erpc.CodeWrongConn, why, false))
	})
	if err != nil {
		_ = conn.Close() // unused
		return nil, fmt.Errorf("http3: listen: %w", err)
	}
	s := &Server{lis: lis, transport: transport, conn: conn, srv: &http3.Server{
		Handler:        erpc.HTTPHandler(p, gate),
		MaxHeaderBytes: http.DefaultMaxHeaderBytes / 16,
		IdleTimeout:    idle,
	}}
	p.OnClose(func() { go s.end() })
	return s, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.conn.LocalAddr() }

// Serve serves requests until the peer, or the server, is closed; then it returns
// [erpc.ErrClosed].
func (s *Server) Serve() error {
	err := s.srv.ServeListener(s.lis)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return erpc.ErrClosed
	}
	return fmt.Errorf("http3: serve: %w", err)
}

// Close ends the server at once.
func (s *Server) Close() error {
	return errors.Join(s.srv.Close(), s.lis.Close(), s.transport.Close(), s.conn.Close())
}

// end stops accepting requests and gives those being served a moment to finish.
func (s *Server) end() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = s.lis.Close()       // Serve returns
	_ = s.srv.Shutdown(ctx) // what is left after grace is cut off
	_ = s.Close()
}
