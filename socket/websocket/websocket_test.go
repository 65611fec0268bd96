package websocket_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cws "github.com/coder/websocket"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/sockettest"
	"github.com/goerpc/erpc/socket/websocket"
)

func TestMain(m *testing.M) {
	wiretest.Filters()
	wait.Main(m)
}

func TestConformance(t *testing.T) {
	sockettest.Run(t, func() socket.Transport { return websocket.Transport{} }, sockettest.Options{
		Network: "ws", WriteTimeoutIsFinal: true,
		Patience: time.Minute, Prompt: 10 * time.Second, // the answer to a close waits for an earlier write, for which coder/websocket allows 5 s
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// servePeer serves the connections that a handler upgrades.
func servePeer(p erpc.Peer, pf erpc.ProtoFunc) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) {
		if s, st := p.ServeConn(conn, pf); st.OK() {
			<-s.CloseNotify()
		}
	}
}

// serve starts a peer over WebSocket and returns a session with it.
func serve(t *testing.T, cfg websocket.Config, pf erpc.ProtoFunc, tls bool) (srv, cli erpc.Peer, sess erpc.Session) {
	t.Helper()
	pc := erpc.PeerConfig{Network: "ws", LocalIP: "127.0.0.1", Logger: quiet(), ProtoFunc: pf, Transports: []socket.Transport{websocket.Transport{Config: cfg}}}
	srv, cli = erpc.NewPeer(pc), erpc.NewPeer(pc)
	if tls {
		srv.SetTLSConfig(erpc.GenerateTLSConfigForServer())
		cli.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	return srv, cli, sess
}

// Calls, pushes both ways and failures over each protocol, with and without
// compression and TLS. There are many at a time, so that the socket batches.
func TestPeers(t *testing.T) {
	for name, c := range map[string]struct {
		cfg websocket.Config
		pf  erpc.ProtoFunc
		tls bool
	}{
		"raw, a stream":        {},
		"raw, over TLS":        {tls: true},
		"JSON sub-protocol":    {cfg: websocket.Config{Messages: true}, pf: jsonproto.NewSubProtoFunc()},
		"protobuf, compressed": {cfg: websocket.Config{Messages: true, Compress: true, Path: "/ws"}, pf: pbproto.NewSubProtoFunc()},
	} {
		t.Run(name, func(t *testing.T) {
			srv, cli, sess := serve(t, c.cfg, c.pf, c.tls)
			erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
			erpc.HandleCall(srv, "/fail", func(context.Context, *int) (*int, error) {
				return nil, erpc.NewStatus(1001, "bad thing", `a "cause" \ of it`).Err()
			})
			erpc.HandleCall(srv, "/back", func(ctx context.Context, n *int) (*int, error) {
				return n, erpc.CallCtxFrom(ctx).Session().Push("/note", "hello").Err()
			})
			notes := make(chan string, 1)
			erpc.HandlePush(cli, "/note", func(_ context.Context, s *string) error { notes <- *s; return nil })

			const n = 1000
			done := make(chan erpc.CallCmd, n)
			for i := range n {
				sess.AsyncCall("/double", i, new(int), done, erpc.WithSetMeta("i", "x"))
			}
			for range n {
				cmd := <-done
				r, st := cmd.Reply()
				if !st.OK() || *r.(*int) != 2*cmd.Output().Body().(int) {
					t.Fatalf("%v doubled is %v, %v", cmd.Output().Body(), r, st)
				}
			}
			_, err := erpc.Call[int](t.Context(), sess, "/fail", 1)
			if st := erpc.StatusFromError(err); st.Code() != 1001 || st.Msg() != "bad thing" || st.Cause().Error() != `a "cause" \ of it` {
				t.Errorf("a failed call: %v", st)
			}
			if _, err := erpc.Call[int](t.Context(), sess, "/back", 1, erpc.WithXferPipe('g', 'm')); err != nil {
				t.Error(err)
			}
			select {
			case s := <-notes:
				if s != "hello" {
					t.Errorf("pushed %q", s)
				}
			case <-time.After(patience):
				t.Error("the push did not come")
			}
			if err := sess.Close(); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(patience); srv.CountSession() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the server does not notice the end")
				}
			}
		})
	}
}

// A large message keeps its boundaries though the socket writes it in parts.
func TestLargeMessages(t *testing.T) {
	srv, _, sess := serve(t, websocket.Config{Messages: true}, jsonproto.NewSubProtoFunc(), false)
	erpc.HandleCall(srv, "/echo", func(_ context.Context, s *string) (*string, error) { return s, nil })
	want := strings.Repeat("0123456789", 100_000)
	got, err := erpc.Call[string](t.Context(), sess, "/echo", want)
	if err != nil || *got != want {
		t.Errorf("1 MB came back as %d, %v", len(*got), err)
	}
}

// A browser sends text messages and an origin.
func TestTextMessagesAndOrigins(t *testing.T) {
	srv := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)})
	defer srv.Close()
	erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
	h := &websocket.Handler{Config: websocket.Config{Messages: true, Origins: []string{"*.friend.example"}}}
	h.Serve = servePeer(srv, jsonproto.NewSubProtoFunc())
	web := httptest.NewServer(h)
	defer web.Close()
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	for origin, want := range map[string]bool{
		"":                           true,
		web.URL:                      true,
		"https://www.friend.example": true,
		"https://evil.example":       false,
		"null":                       false, // of a sandboxed page
		"ws://127.0.0.1:4/ws":        true,  // erpc v7's
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		ws, resp, err := cws.Dial(ctx, url, &cws.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if (err == nil) != want {
			t.Errorf("origin %q: %v", origin, err)
		}
		if err != nil {
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("origin %q: status %d", origin, resp.StatusCode)
			}
			cancel()
			continue
		}
		const call = `{"seq":7,"mtype":1,"serviceMethod":"/double","meta":"","bodyCodec":106,"body":"21","xferPipe":[]}`
		if err := ws.Write(ctx, cws.MessageText, []byte(call)); err != nil {
			t.Fatal(err)
		}
		_, b, err := ws.Read(ctx)
		if want := `{"seq":7,"mtype":2,"serviceMethod":"","meta":"","bodyCodec":106,"body":"42","xferPipe":[]}`; err != nil || string(b) != want {
			t.Errorf("answered %q, %v", b, err)
		}
		if err := ws.Close(cws.StatusNormalClosure, ""); err != nil {
			t.Errorf("close: %v", err)
		}
		cancel()
	}
}

// A side that does not answer pings is given up.
func TestPingFindsTheDead(t *testing.T) {
	ended := make(chan struct{})
	srv := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}, &erpc.PluginImpl{
		PluginName:       "end",
		OnPostDisconnect: func(erpc.BaseSession) *erpc.Status { close(ended); return nil },
	})
	defer srv.Close()
	h := &websocket.Handler{Config: websocket.Config{Messages: true, Ping: 50 * time.Millisecond}, Serve: servePeer(srv, jsonproto.NewSubProtoFunc())}
	web := httptest.NewServer(h)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ws, _, err := cws.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow() // it does not read, so it does not answer pings
	select {
	case <-ended:
	case <-ctx.Done():
		t.Error("the session is still there")
	}
}

// Compression is negotiated only if the configuration says so.
func TestCompressionIsAskedFor(t *testing.T) {
	for _, on := range []bool{false, true} {
		web := httptest.NewServer(&websocket.Handler{Config: websocket.Config{Compress: on}, Serve: func(net.Conn, *http.Request) {}})
		defer web.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ws, resp, err := cws.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"), &cws.DialOptions{CompressionMode: cws.CompressionNoContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		if got := resp.Header.Get("Sec-WebSocket-Extensions"); strings.Contains(got, "permessage-deflate") != on {
			t.Errorf("compression %v: the server takes the extensions %q", on, got)
		}
	}
}

// A message above the read limit ends its connection, one exactly at it does not.
// The limit applies to the inflated message.
func TestReadLimit(t *testing.T) {
	const limit = 1000
	got := make(chan error, 1)
	h := &websocket.Handler{Config: websocket.Config{Messages: true, Compress: true, ReadLimit: limit}, Serve: func(c net.Conn, _ *http.Request) {
		_, err := io.ReadFull(c, make([]byte, limit))
		got <- err
		_, err = io.ReadFull(c, make([]byte, limit+1))
		got <- err
	}}
	web := httptest.NewServer(h)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, mode := range []cws.CompressionMode{cws.CompressionDisabled, cws.CompressionNoContextTakeover} {
		ws, _, err := cws.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"), &cws.DialOptions{CompressionMode: mode})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		for _, size := range []int{limit, limit + 1} {
			if err := ws.Write(ctx, cws.MessageBinary, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			select {
			case err = <-got:
			case <-ctx.Done():
				t.Fatal("the server reads nothing")
			}
			if (err == nil) != (size == limit) {
				t.Errorf("mode %v, %d bytes: %v", mode, size, err)
			}
		}
		if _, _, err := ws.Read(ctx); cws.CloseStatus(err) != cws.StatusMessageTooBig {
			t.Errorf("mode %v: the client sees %v", mode, err)
		}
	}
}
