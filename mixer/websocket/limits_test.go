package websocket_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cws "github.com/coder/websocket"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/mixer/websocket"
	wsconn "github.com/goerpc/erpc/socket/websocket"
)

const patience = kit.Bound // of each wait

// MaxSessions holds, for a server and for a handler, and there is room again.
func TestMaxSessions(t *testing.T) {
	const most = 3
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet, MaxSessions: most})
	addr := start(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var open []*cws.Conn
	for range 10 {
		ws, _, err := cws.Dial(ctx, "ws://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		open = append(open, ws)
	}
	// Which of them get in depends on whose handshake ends first.
	refused := make(chan int, len(open))
	for i, ws := range open {
		go func() {
			if _, _, err := ws.Read(ctx); err != nil && ctx.Err() == nil {
				refused <- i
			}
		}()
	}
	in := map[int]bool{}
	for i := range open {
		in[i] = true
	}
	for range len(open) - most {
		select {
		case i := <-refused:
			delete(in, i)
		case <-ctx.Done():
			t.Fatalf("%d of %d were refused, %d sessions", len(open)-len(in), len(open), srv.CountSession())
		}
	}
	if n := srv.CountSession(); n > most {
		t.Errorf("%d sessions", n)
	}
	for i := range in {
		_ = open[i].CloseNow() // makes room
		break
	}
	cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet})
	defer cli.Close()
	srv.RouteCall(new(P))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		sess, st := cli.DialJSON(addr)
		if st.OK() {
			if got, err := erpc.Call[int](ctx, sess, "/p/divide", Arg{9, 3}); err == nil && *got == 3 {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("there is no room after a session has ended")
		}
	}
}

// Connections that ask for nothing end like idle sessions.
func TestIdleConnectionsEnd(t *testing.T) {
	srv := websocket.NewServer("/ws", erpc.PeerConfig{Logger: quiet, IdleTimeout: 200 * time.Millisecond})
	srv.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	addr := start(t, srv)
	for name, text := range map[string]string{
		"silent": "", "half a head": "GET /ws HTTP/1.1\r\nHo", "served once": "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience)) // the read reports it
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type lines struct {
	mu sync.Mutex // guards the following
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// TLS handshakes that fail are counted by the peer, and lines of its log, but few.
func TestBadHandshakesAreLogged(t *testing.T) {
	var log lines
	srv := websocket.NewServer("/", erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	srv.SetTLSConfig(erpc.GenerateTLSConfigForServer())
	lis, err := srv.Peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	defer func() { _ = srv.Close(); <-served }()
	for range 50 {
		conn, err := net.Dial("tcp", lis.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n") // no TLS
		_, _ = io.Copy(io.Discard, conn)                      // until it is closed
		_ = conn.Close()
	}
	// net/http closes a connection before it reports the handshake.
	kit.Eventually(t, patience, "all are counted as refused", func() bool { return srv.Stats().Refused == 50 })
	if n := log.count("connection refused"); n < 1 || n > 5 || log.count("websocket: tls handshake: ") != n {
		t.Errorf("%d lines for 50 handshakes", n)
	}
}

// A token comes in the field Authorization or, of a page, as a sub-protocol; a page
// hears why it is refused.
func TestTokens(t *testing.T) {
	auth := websocket.NewHandshakeAuthPlugin(func(r *http.Request) (string, *erpc.Status) {
		if websocket.Token(r) != "se cret/ü" {
			return "", erpc.NewStatus(erpc.CodeUnauthorized, "who are you?")
		}
		return "alice", nil
	}, nil)
	srv := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, auth)
	defer srv.Close()
	web := httptest.NewServer(websocket.NewHandler(srv, wsconn.Config{Origins: []string{"friend.example"}}))
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	page := []string{"erpc", "erpc.refused"}
	const good, bad = "erpc.token.c2UgY3JldC_DvA", "erpc.token.eA"
	for _, c := range []struct {
		name      string
		header    http.Header
		protocols []string
		code      int // 0: let in
	}{
		{"a program", http.Header{"Authorization": {"bearer se cret/ü"}}, nil, 0},
		{"a program without", nil, nil, http.StatusUnauthorized},
		{"a program with another scheme", http.Header{"Authorization": {"Basic se cret/ü"}}, nil, http.StatusUnauthorized},
		{"a page", http.Header{"Origin": {"https://friend.example"}}, append(page, good), 0},
		{"a page with another token", nil, append(page, bad), 4401},
		{"a page with no base64", nil, append(page, "erpc.token.!"), 4401},
		{"a foreign page", http.Header{"Origin": {"https://evil.example"}}, append(page, good), 4403},
	} {
		ws, resp, err := cws.Dial(ctx, web.URL, &cws.DialOptions{HTTPHeader: c.header, Subprotocols: c.protocols})
		if err != nil {
			if resp == nil || resp.StatusCode != c.code {
				t.Errorf("%s: %v, %v", c.name, resp, err)
			}
			continue
		}
		defer ws.CloseNow()
		if c.code == 0 {
			if want := map[bool]string{true: "erpc"}[c.protocols != nil]; ws.Subprotocol() != want {
				t.Errorf("%s: sub-protocol %q", c.name, ws.Subprotocol())
			}
			if err := ws.Close(cws.StatusNormalClosure, ""); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		_, _, err = ws.Read(ctx)
		var closed cws.CloseError
		if !errors.As(err, &closed) || int(closed.Code) != c.code {
			t.Errorf("%s: closed with %v, want %d", c.name, err, c.code)
		}
	}
}

func TestAllowOrigins(t *testing.T) {
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet}).AllowOrigins("friend.example")
	addr := start(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for origin, want := range map[string]bool{"https://friend.example": true, "https://evil.example": false} {
		ws, _, err := cws.Dial(ctx, "ws://"+addr+"/", &cws.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
		if err == nil {
			_ = ws.CloseNow() // nothing was said
		}
	}
}
