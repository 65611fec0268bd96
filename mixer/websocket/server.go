package websocket

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/socket/websocket"
)

// A Server is a peer that accepts sessions over WebSocket. It has its own HTTP
// server, which can answer other requests too. Register typed handlers with the
// field Peer, as in erpc.HandleCall(s.Peer, …), because Server's own Handle
// method is for HTTP requests.
type Server struct {
	*peer.Peer
	// Config may be changed before ListenAndServe.
	Config websocket.Config

	mux   *http.ServeMux
	check func(*http.Request) error // set by SetHandshake

	mu     sync.Mutex // guards the following
	srv    *http.Server
	closed bool
}

// NewServer returns a server whose endpoint is at rootPath. The address to
// listen on is that of cfg; its network is always TCP, with TLS if the peer has
// a TLS configuration.
func NewServer(rootPath string, cfg erpc.PeerConfig, globalLeftPlugin ...erpc.Plugin) *Server {
	cfg.Network = "tcp"
	return &Server{
		Peer:   erpc.NewPeer(cfg, globalLeftPlugin...),
		Config: websocket.Config{Path: rootPath},
		mux:    http.NewServeMux(),
	}
}

// AllowOrigins adds patterns to [websocket.Config].Origins, so that pages of
// other hosts can connect. Call it before the server serves.
func (s *Server) AllowOrigins(patterns ...string) *Server {
	s.Config.Origins = append(s.Config.Origins, patterns...)
	return s
}

// SetHandshake sets a function that may refuse a request before it is upgraded;
// the answer is the text of its error, with HTTP status 403.
func (s *Server) SetHandshake(handshake func(*http.Request) error) { s.check = handshake }

// Handle registers an HTTP handler for requests to path.
func (s *Server) Handle(path string, handler http.Handler) { s.mux.Handle(path, handler) }

// HandleFunc is [Server.Handle] for a function.
func (s *Server) HandleFunc(path string, handler func(http.ResponseWriter, *http.Request)) {
	s.mux.HandleFunc(path, handler)
}

// ListenAndServe accepts sessions until the server is closed or shut down; then
// it returns [peer.ErrClosed]. Without a protocol they speak the JSON
// sub-protocol. A protocol that is not a sub-protocol is carried as a byte
// stream, which only erpc peers understand.
func (s *Server) ListenAndServe(protoFunc ...erpc.ProtoFunc) error {
	lis, err := s.Peer.Listen()
	if err != nil {
		return fmt.Errorf("websocket: listen: %w", err)
	}
	return s.Serve(lis, protoFunc...)
}

// ListenAndServeJSON is [Server.ListenAndServe] with the JSON sub-protocol.
func (s *Server) ListenAndServeJSON() error { return s.ListenAndServe(jsonproto.NewSubProtoFunc()) }

// ListenAndServeProtobuf is [Server.ListenAndServe] with the protobuf
// sub-protocol.
func (s *Server) ListenAndServeProtobuf() error { return s.ListenAndServe(pbproto.NewSubProtoFunc()) }

// Serve is [Server.ListenAndServe] on a listener.
func (s *Server) Serve(lis net.Listener, protoFunc ...erpc.ProtoFunc) error {
	s.mux.Handle(root(s.Config.Path), newHandler(s.Peer, s.Config, s.check, protoFunc))
	srv := newHTTPServer(s.Peer, s.mux)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = lis.Close() // it is not used
		return peer.ErrClosed
	}
	s.srv = srv
	s.mu.Unlock()
	under := newUnder(lis)
	ended := make(chan error, 1)
	go func() {
		err := srv.Serve(lis)
		_ = under.Close() // ends the peer's Serve, unless that has ended
		ended <- err
	}()
	err := s.Peer.Serve(under)
	if herr := <-ended; !errors.Is(err, peer.ErrClosed) && !errors.Is(herr, net.ErrClosed) {
		err = herr
	}
	if errors.Is(err, peer.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return peer.ErrClosed
	}
	return fmt.Errorf("websocket: serve: %w", err)
}

// An under is the listener of the HTTP server as the peer sees it. The peer
// calls hooks for it, closes it in the end and can hand it down to a new
// process, but accepts no connections from it: Accept waits for Close.
type under struct {
	net.Listener
	close func() error
	done  chan struct{} // closed by Close
}

func newUnder(lis net.Listener) net.Listener {
	u := &under{Listener: lis, done: make(chan struct{})}
	u.close = sync.OnceValue(func() error {
		close(u.done)
		return lis.Close()
	})
	if a, ok := lis.(asked); ok {
		return &askedUnder{u, a}
	}
	return u
}

// Accept implements [net.Listener].
func (u *under) Accept() (net.Conn, error) {
	<-u.done
	return nil, fmt.Errorf("websocket: accept: %w", net.ErrClosed)
}

// Close implements [net.Listener].
func (u *under) Close() error { return u.close() }

// Unwrap returns the listener below, which a graceful restart hands down.
func (u *under) Unwrap() net.Listener { return u.Listener }

// asked is the method by which a graceful restart asks a listener for its
// configured address.
type asked interface {
	Asked() (network, addr string)
}

type askedUnder struct {
	*under
	asked
}

// Bounds on requests, for a peer whose configuration has none.
const (
	headTime = 10 * time.Second // for the header of a request
	idleTime = time.Minute      // until the next request, after one that was not upgraded
	maxHead  = 16 << 10         // bytes
)

// newHTTPServer returns the HTTP server of a peer. The timeouts of the peer's
// sessions also bound connections that are not upgraded yet.
func newHTTPServer(p *peer.Peer, handler http.Handler) *http.Server {
	cfg := p.Config()
	srv := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHead, ReadHeaderTimeout: headTime, IdleTimeout: idleTime,
		ErrorLog: newErrorLog(p),
	}
	if t := cfg.HandshakeTimeout; t > 0 {
		srv.ReadHeaderTimeout = t
	}
	if t := cfg.IdleTimeout; t > 0 {
		srv.ReadHeaderTimeout = min(t, srv.ReadHeaderTimeout)
		srv.IdleTimeout = t
	}
	return srv
}

// Close closes the listener and the sessions.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	srv := s.srv
	s.mu.Unlock()
	err := s.Peer.Close()
	if srv == nil {
		return err
	}
	herr := srv.Close()
	if errors.Is(herr, net.ErrClosed) { // the peer has closed the listener already
		return err
	}
	return errors.Join(err, herr)
}

func root(path string) string {
	if path == "" || path[0] != '/' {
		return "/" + path
	}
	return path
}
