package main

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/clients/js"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/socket"
)

//go:embed page
var page embed.FS

// A server is the chat on three ports: a page with its WebSocket endpoint, raw
// TCP, and an HTTP API.
type server struct {
	chat erpc.Peer // for guests, from the page and on raw TCP
	api  erpc.Peer // for public queries and the feeds of rooms, without joining
	http *http.Server

	rooms *rooms
	web   net.Listener
	done  chan error

	// Where it listens.
	webAddr, rawAddr, apiAddr string
}

// start serves on the given addresses; port 0 means any free port.
func start(webAddr, rawAddr, apiAddr string, log *slog.Logger) (_ *server, err error) {
	rooms := newRooms()
	s := &server{done: make(chan error, 3), rooms: rooms}
	s.chat = erpc.NewPeer(erpc.PeerConfig{
		ListenAddress: rawAddr, Logger: log,
		ReadLimit:   64 << 10,
		QueuePolicy: socket.Disconnect, // a client that does not read must not delay a room
	}, rooms.leaving())
	rooms.handle(s.chat)

	s.api = erpc.NewPeer(erpc.PeerConfig{
		ListenAddress: apiAddr, Logger: log,
		ReadLimit: 64 << 10, IdleTimeout: time.Minute,
		ProtoFunc: httproto.New(httproto.Config{CORS: &httproto.CORS{Origins: []string{"*"}}}),
	})
	erpc.HandleCall(s.api, "/chat/rooms", func(context.Context, *struct{}) (*map[string]int, error) {
		n := rooms.count()
		return &n, nil
	}, erpc.Safe()) // so that GET can call it
	rooms.handleFeed(s.api)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()

	for _, on := range []struct {
		p    erpc.Peer
		addr *string
	}{{s.chat, &s.rawAddr}, {s.api, &s.apiAddr}} {
		lis, err := on.p.Listen()
		if err != nil {
			return nil, err
		}
		*on.addr = lis.Addr().String()
		go func() { s.done <- on.p.Serve(lis) }()
	}
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	s.web, err = net.Listen("tcp", webAddr)
	if err != nil {
		return nil, err
	}
	s.webAddr = s.web.Addr().String()
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { s.done <- s.http.Serve(s.web) }()
	return s, nil
}

// handler serves the page, its files, and its WebSocket.
func (s *server) handler() (http.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	index, err := template.ParseFS(files, "index.html")
	if err != nil {
		return nil, err
	}
	_, apiPort, err := net.SplitHostPort(s.apiAddr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_ = index.Execute(w, map[string]string{"APIPort": apiPort}) // the browser may be gone
	})
	mux.Handle("GET /chat.js", http.FileServerFS(files))
	mux.Handle("GET /erpc.js", http.FileServerFS(js.Files))
	mux.Handle("GET /streams.js", http.FileServerFS(js.Files))
	mux.Handle("GET /ws", websocket.NewJSONServeHandler(s.chat, nil))
	return mux, nil
}

// close ends everything at once.
func (s *server) close() error {
	errs := []error{s.chat.Close(), s.api.Close()}
	if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	return errors.Join(errs...)
}
