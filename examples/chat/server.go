package main

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/clients/js"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/socket"
)

//go:embed page
var page embed.FS

type config struct {
	web, raw string   // addresses; port 0 means any free port
	origins  []string // of pages on other hosts that may connect, such as https://app.example.com
	logins   logins
	perUser  limit.Rate
	perLogin limit.Rate // of attempts to log in
	log      *slog.Logger
}

// A server is the chat on two ports: one for the page, its WebSocket, HTTP
// clients and logins, and one for raw TCP. All clients become sessions of one
// peer, so login and limits apply to all of them.
type server struct {
	web   *websocket.Server
	login erpc.Peer // for clients without a token
	rooms *rooms
	done  chan error

	webAddr, rawAddr string // where it listens
}

func start(cfg config) (_ *server, err error) {
	rooms := newRooms(cfg.log)
	s := &server{rooms: rooms, done: make(chan error, 2)}
	s.web = websocket.NewServer("/ws", erpc.PeerConfig{
		ListenAddress: cfg.web, Logger: cfg.log,
		ReadLimit: 64 << 10, MaxSessions: 10_000,
		QueuePolicy: socket.Disconnect, // a client that does not read must not delay a room
	},
		auth.NewLogin(auth.LoginConfig{Check: cfg.logins.check}),
		limit.NewRate(cfg.perUser),
		&erpc.PluginImpl{PluginName: "rooms", OnPostDisconnect: rooms.left},
	).AllowOrigins(cfg.origins...)
	rooms.peer = s.web.Peer
	rooms.handle()

	s.login = erpc.NewPeer(erpc.PeerConfig{Logger: cfg.log, ReadLimit: 4 << 10}, limit.NewRate(cfg.perLogin))
	erpc.HandleCall(s.login, "/login", func(ctx context.Context, arg *Login) (*Token, error) {
		token, st := cfg.logins.login(arg)
		if !st.OK() {
			s.login.Refused(erpc.CallCtxFrom(ctx).Session().RemoteAddr().String(), st) // counts it, and logs at most one line a second
			return nil, st.Err()
		}
		return token, nil
	})

	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	cors := &httproto.CORS{Origins: cfg.origins, Headers: []string{"Authorization"}}
	s.web.Handle("/", http.FileServerFS(files))
	s.web.Handle("/erpc.js", http.FileServerFS(js.Files))
	s.web.Handle("/streams.js", http.FileServerFS(js.Files))
	s.web.Handle("/login", erpc.HTTPHandler(s.login, erpc.HTTPConfig{Methods: []string{http.MethodPost}, CORS: cors}))
	s.web.Handle("/chat/", erpc.HTTPHandler(s.web.Peer, erpc.HTTPConfig{Methods: []string{http.MethodGet}, CORS: cors}))

	raw, err := s.web.ListenOn("tcp", cfg.raw)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	web, err := s.web.Listen()
	if err != nil {
		return nil, errors.Join(err, raw.Close(), s.close())
	}
	s.rawAddr, s.webAddr = raw.Addr().String(), web.Addr().String()
	go func() { s.done <- s.web.Peer.Serve(raw) }()
	go func() { s.done <- s.web.Serve(web) }()
	return s, nil
}

// shutdown lets handlers finish and asks clients to come back, until ctx ends.
func (s *server) shutdown(ctx context.Context) error {
	err := errors.Join(s.web.Shutdown(ctx), s.login.Shutdown(ctx))
	return errors.Join(err, s.close())
}

// close ends everything at once.
func (s *server) close() error {
	var errs []error
	for _, err := range []error{s.web.Close(), s.login.Close()} {
		if !errors.Is(err, erpc.ErrClosed) { // after shutdown it only closes idle HTTP connections
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
