package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/mixer/http3"
	mixer "github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/socket/all"
	"github.com/goerpc/erpc/socket/mux"
	"github.com/goerpc/erpc/socket/websocket"
)

// request sends the head of a request, plainly, and returns the code of the answer, 0 if
// there is none.
func request(t *testing.T, addr, head string) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(kit.Bound)) // the read reports it
	_, _ = io.WriteString(conn, head+"\r\n\r\n")    // it may be refused while it writes
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = res.Body.Close() // of no interest
	return res.StatusCode
}

// upgrade is the head of a handshake of WebSocket.
func upgrade(path, origin string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: " + origin
}

const (
	stranger  = "https://stranger.example"
	plainText = "GET / HTTP/1.1\r\nHost: 127.0.0.1"
)

// Whoever is refused before there is a session is counted and logged, whatever has
// refused them.
func TestRefusedHandshakesAreCounted(t *testing.T) {
	over := func(network string) erpc.PeerConfig {
		ws := websocket.Transport{Config: websocket.Config{Path: "/ws", Check: func(w http.ResponseWriter, r *http.Request) (any, bool) {
			if r.Header.Get("Origin") == "https://127.0.0.1" {
				http.Error(w, "no", http.StatusTeapot)
				return nil, false
			}
			return nil, true
		}}}
		return erpc.PeerConfig{Network: network, ListenAddress: "127.0.0.1:0", Transports: []erpc.Transport{ws}}
	}
	encrypted := func(cfg erpc.PeerConfig) func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string) {
		return func(t *testing.T, logged erpc.PeerConfig) (erpc.Peer, string) {
			cfg.Logger = logged.Logger
			p := kit.Peer(t, cfg)
			p.SetTLSConfig(erpc.GenerateTLSConfigForServer())
			return p, kit.Start(t, p)
		}
	}
	plain := func(cfg erpc.PeerConfig, plugins ...erpc.Plugin) func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string) {
		return func(t *testing.T, logged erpc.PeerConfig) (erpc.Peer, string) {
			cfg.Logger = logged.Logger
			p := kit.Peer(t, cfg, plugins...)
			return p, kit.Start(t, p)
		}
	}
	behind := func(handler func(p erpc.Peer) http.Handler, plugins ...erpc.Plugin) func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string) {
		return func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string) {
			p := kit.Peer(t, cfg, plugins...)
			erpc.HandleCall(p, "/add", kit.Add)
			srv := httptest.NewServer(handler(p))
			t.Cleanup(srv.Close)
			return p, srv.Listener.Addr().String()
		}
	}
	login := auth.NewLogin(auth.LoginConfig{Check: func(context.Context, auth.Session, auth.Credentials) (*auth.Identity, *erpc.Status) {
		return nil, nil // nobody
	}})
	httpGate := func(cfg erpc.HTTPConfig) func(erpc.Peer) http.Handler {
		return func(p erpc.Peer) http.Handler { return erpc.HTTPHandler(p, cfg) }
	}
	post := "POST /add HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 0"
	for name, c := range map[string]struct {
		serve func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string)
		head  string
		code  int
	}{
		"TLS":                    {encrypted(erpc.PeerConfig{LocalIP: "127.0.0.1"}), plainText, http.StatusBadRequest},
		"TLS of HTTP":            {encrypted(erpc.PeerConfig{LocalIP: "127.0.0.1", ProtoFunc: httproto.NewHTTProtoFunc()}), plainText, http.StatusBadRequest},
		"TLS of ws":              {encrypted(over("wss")), plainText, http.StatusBadRequest},
		"origin of ws":           {plain(over("ws")), upgrade("/ws", stranger), http.StatusForbidden},
		"null origin of ws":      {plain(over("ws")), upgrade("/ws", "null"), http.StatusForbidden},
		"path of ws":             {plain(over("ws")), upgrade("/", "https://127.0.0.1"), http.StatusNotFound},
		"check of ws":            {plain(over("ws")), upgrade("/ws", "https://127.0.0.1"), http.StatusTeapot},
		"handshake of ws":        {plain(over("ws")), "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade", http.StatusBadRequest},
		"origin of a handler":    {behind(func(p erpc.Peer) http.Handler { return mixer.NewJSONServeHandler(p, nil) }), upgrade("/", stranger), http.StatusForbidden},
		"handshake of a handler": {behind(func(p erpc.Peer) http.Handler { return mixer.NewJSONServeHandler(p, nil) }), "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade", http.StatusBadRequest},
		"function of a handler": {behind(func(p erpc.Peer) http.Handler {
			return mixer.NewJSONServeHandler(p, func(*http.Request) error { return fmt.Errorf("not you") })
		}), upgrade("/", "https://127.0.0.1"), http.StatusForbidden},
		"check of a handler": {behind(func(p erpc.Peer) http.Handler {
			return mixer.NewHandler(p, websocket.Config{Check: func(w http.ResponseWriter, _ *http.Request) (any, bool) {
				http.Error(w, "no", http.StatusTeapot)
				return nil, false
			}})
		}), upgrade("/", "https://127.0.0.1"), http.StatusTeapot},
		"token over HTTP":             {behind(httpGate(erpc.HTTPConfig{}), login), post + "\r\nAuthorization: Bearer guess", http.StatusUnauthorized},
		"token over an HTTP listener": {plain(erpc.PeerConfig{LocalIP: "127.0.0.1", ProtoFunc: httproto.NewHTTProtoFunc()}, login), post + "\r\nAuthorization: Bearer guess", http.StatusUnauthorized},
		"origin over HTTP":            {behind(httpGate(erpc.HTTPConfig{})), post + "\r\nOrigin: " + stranger + "\r\nSec-Fetch-Site: cross-site", http.StatusForbidden},
		"host over HTTP":              {behind(httpGate(erpc.HTTPConfig{Hosts: []string{"friend.example"}})), post, http.StatusMisdirectedRequest},
		"TLS of a mux":                {muxed, "\x16\x03\x01\x00\x05GET /", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log kit.Log
			p, addr := c.serve(t, erpc.PeerConfig{Logger: slog.New(&log)})
			if code := request(t, addr, c.head); code != c.code {
				t.Errorf("answered with %d, want %d", code, c.code)
			}
			kit.Eventually(t, kit.Bound, "the line of the log", func() bool { return len(log.Says("connection refused")) > 0 }) // behind the count
			if n, lines := p.Stats().Refused, log.Says("connection refused"); n != 1 || len(lines) != 1 {
				t.Errorf("%d are counted, and logged is %q", n, log.Says(""))
			}
			_ = request(t, addr, c.head) // the line of this one is left out, unless a second has passed
			kit.Eventually(t, kit.Bound, "the second count", func() bool { return p.Stats().Refused == 2 })
		})
	}
}

// muxed serves a peer behind a mux that speaks TLS.
func muxed(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string) {
	p := kit.Peer(t, cfg)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := mux.New(lis, mux.Config{TLS: erpc.GenerateTLSConfigForServer(), Refused: func(remote string, why error) {
		p.Refused(remote, erpc.NewStatusByCodeText(erpc.CodeWrongConn, why, false))
	}})
	kit.StartOn(t, p, m.Match(mux.Raw))
	ended := make(chan error, 1)
	go func() { ended <- m.Serve() }()
	t.Cleanup(func() {
		_ = m.Close() // the peer may have closed the listener
		_ = kit.Await(t, "the end of the mux", ended)
	})
	return p, lis.Addr().String()
}

// The same of handshakes that fail inside of QUIC, whichever side is not content.
func TestRefusedQUICHandshakesAreCounted(t *testing.T) {
	server := erpc.GenerateTLSConfigForServer()
	server.ClientAuth = tls.RequireAnyClientCert
	for name, serve := range map[string]func(t *testing.T, cfg erpc.PeerConfig) (p erpc.Peer, addr, alpn string){
		"QUIC": func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string, string) {
			cfg.Network, cfg.ListenAddress, cfg.Transports = "quic", "127.0.0.1:0", all.Transports()
			p := kit.Peer(t, cfg)
			p.SetTLSConfig(server)
			return p, kit.Start(t, p), "erpc"
		},
		"HTTP/3": func(t *testing.T, cfg erpc.PeerConfig) (erpc.Peer, string, string) {
			p := kit.Peer(t, cfg)
			lis, err := http3.Listen(p, "127.0.0.1:0", server, erpc.HTTPConfig{})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- lis.Serve() }()
			t.Cleanup(func() {
				_ = p.Close() // ends it
				if err := kit.Await(t, "the end of the server", ended); !errors.Is(err, erpc.ErrClosed) {
					t.Errorf("the server ended with %v", err)
				}
			})
			return p, lis.Addr().String(), "h3"
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log kit.Log
			p, addr, alpn := serve(t, erpc.PeerConfig{Logger: slog.New(&log)})
			dial := func(cfg *tls.Config) (*quic.Conn, error) {
				ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
				defer cancel()
				return quic.DialAddr(ctx, addr, cfg, nil)
			}
			end := func(conn *quic.Conn, err error) {
				if err == nil {
					_ = conn.CloseWithError(0, "") // returns nil
				}
			}
			for n, cfg := range []*tls.Config{
				{InsecureSkipVerify: true, NextProtos: []string{"another"}},
				{NextProtos: []string{alpn}},                           // does not know the authority
				{InsecureSkipVerify: true, NextProtos: []string{alpn}}, // has no certificate
			} {
				conn, err := dial(cfg)
				kit.Eventually(t, kit.Bound, "the count", func() bool { return p.Stats().Refused == uint64(n+1) })
				end(conn, err)
			}
			kit.Eventually(t, kit.Bound, "a line", func() bool { return len(log.Says("connection refused")) > 0 })
			pair, err := server.GetCertificate(nil) // as good as another one
			if err != nil {
				t.Fatal(err)
			}
			conn, err := dial(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}, Certificates: []tls.Certificate{*pair}})
			if err != nil {
				t.Fatal(err)
			}
			end(conn, nil)
			end(dial(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"another"}}))
			kit.Eventually(t, kit.Bound, "the count", func() bool { return p.Stats().Refused >= 4 })
			if n := p.Stats().Refused; n != 4 {
				t.Errorf("%d are counted, and one of them was good", n)
			}
		})
	}
}

// A page or a stranger that does not ask for WebSocket is no refused handshake, nor is a
// connection that ends before it has said anything.
func TestLookersAreNotCountedAsRefused(t *testing.T) {
	p := kit.Peer(t, erpc.PeerConfig{Network: "ws", ListenAddress: "127.0.0.1:0", Transports: []erpc.Transport{
		websocket.Transport{Config: websocket.Config{Path: "/ws"}},
	}})
	addr := kit.Start(t, p)
	for _, path := range []string{"/", "/ws"} {
		if code := request(t, addr, "GET "+path+" HTTP/1.1\r\nHost: x"); code < 400 {
			t.Errorf("%s: %d", path, code)
		}
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if code := request(t, addr, upgrade("/ws", stranger)); code != http.StatusForbidden { // behind the others
		t.Errorf("a stranger's page gets %d", code)
	}
	kit.Eventually(t, kit.Bound, "the one that is counted", func() bool { return p.Stats().Refused > 0 })
	if n := p.Stats().Refused; n != 1 {
		t.Errorf("%d are counted, want 1", n)
	}
}
