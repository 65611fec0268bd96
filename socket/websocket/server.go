package websocket

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/erpc-go/erpc"
	"github.com/erpc-go/erpc/peer"
	"github.com/erpc-go/erpc/proto/jsonproto"
	"github.com/erpc-go/erpc/proto/pbproto"
	"github.com/erpc-go/erpc/socket/websocket/wsconn"
)

// A Server is a peer that accepts sessions over WebSocket, on an HTTP server of
// its own that can answer other requests too.
type Server struct {
	*peer.Peer
	// Config may be changed before ListenAndServe.
	Config wsconn.Config

	mux   *http.ServeMux
	check func(*http.Request) error // of SetHandshake

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
		Config: wsconn.Config{Path: rootPath},
		mux:    http.NewServeMux(),
	}
}

// SetHandshake sets a function that may refuse a request before it is upgraded;
// the text of its error is the answer, with status 403.
func (s *Server) SetHandshake(handshake func(*http.Request) error) { s.check = handshake }

// Handle makes another handler answer requests to path.
func (s *Server) Handle(path string, handler http.Handler) { s.mux.Handle(path, handler) }

// HandleFunc is [Server.Handle] for a function.
func (s *Server) HandleFunc(path string, handler func(http.ResponseWriter, *http.Request)) {
	s.mux.HandleFunc(path, handler)
}

// ListenAndServe accepts sessions until the server is closed; then it returns
// [peer.ErrClosed]. Without a protocol they speak the JSON sub-protocol. A
// protocol that is no sub-protocol is carried as a stream, which only peers of
// ours understand.
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
	srv := &http.Server{Handler: s.mux, ReadHeaderTimeout: headLimit, MaxHeaderBytes: 16 << 10}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = lis.Close() // nobody will use it
		return peer.ErrClosed
	}
	s.srv = srv
	s.mu.Unlock()
	err := srv.Serve(lis)
	if errors.Is(err, http.ErrServerClosed) {
		return peer.ErrClosed
	}
	return fmt.Errorf("websocket: serve: %w", err)
}

// headLimit bounds how long the head of a request may take.
const headLimit = 10 * time.Second

// Close closes the listener and the sessions.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	srv := s.srv
	s.mu.Unlock()
	err := s.Peer.Close()
	if srv != nil {
		err = errors.Join(err, srv.Close())
	}
	return err
}

func root(path string) string {
	if path == "" || path[0] != '/' {
		return "/" + path
	}
	return path
}
