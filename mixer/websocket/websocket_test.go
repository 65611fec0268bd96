package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/peer"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

// P divides, as in v7's own test.
type P struct{ erpc.CallCtx }

// Arg is what it divides.
type Arg struct{ A, B int }

// Divide fails for a B of zero.
func (*P) Divide(arg *Arg) (int, *erpc.Status) {
	if arg.B == 0 {
		return 0, erpc.NewStatus(1001, "division by zero")
	}
	return arg.A / arg.B, nil
}

// A slowListener is one whose Accept returns only when it was closed twice.
type slowListener struct {
	net.Listener
	closes atomic.Int32
	twice  chan struct{}
}

func (l *slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.twice
	}
	return conn, err
}

func (l *slowListener) Close() error {
	err := l.Listener.Close()
	if l.closes.Add(1) == 2 {
		close(l.twice)
	}
	return err
}

// The peer and the HTTP server both close the listener. The second one finds it
// closed, which is not an error.
func TestCloseWhileTheServerStillAccepts(t *testing.T) {
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowListener{Listener: lis, twice: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(slow) }()
	res, err := http.Get("http://" + lis.Addr().String() + "/nothing") // it serves
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // only that it came counts
	if err := srv.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-done; !errors.Is(err, peer.ErrClosed) {
		t.Errorf("serve: %v", err)
	}
}

// start serves on a free port and returns the address.
func start(t *testing.T, srv *websocket.Server, protoFunc ...erpc.ProtoFunc) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis, protoFunc...) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; !errors.Is(err, peer.ErrClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return lis.Addr().String()
}

func TestServerAndClient(t *testing.T) {
	srv := websocket.NewServer("/ws", erpc.PeerConfig{Logger: quiet})
	srv.RouteCall(new(P))
	srv.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	addr := start(t, srv)
	cli := websocket.NewClient("/ws", erpc.PeerConfig{Logger: quiet})
	defer cli.Close()
	sess, st := cli.DialJSON(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	var result int
	if st := sess.Call("/p/divide", &Arg{A: 10, B: 2}, &result).Status(); !st.OK() || result != 5 {
		t.Errorf("10 / 2 is %d, %v", result, st)
	}
	if st := sess.Call("/p/divide", &Arg{A: 1}, &result).Status(); st.Code() != 1001 {
		t.Errorf("1 / 0: %v", st)
	}
	resp, err := http.Get("http://" + addr + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "hello" || err != nil {
		t.Errorf("the page says %q, %v", b, err)
	}
	http.DefaultClient.CloseIdleConnections()
	if _, st := cli.Dial(addr, erpc.DefaultProtoFunc()); st.Code() != erpc.CodeInvalidOp {
		t.Errorf("dial with a protocol that is not a sub-protocol: %v", st)
	}
}

// The server ends with its peer, as a graceful shutdown of the process ends that:
// its listener is one of the peer's, and can be handed down. Hooks hear of it.
func TestShutdownEndsTheServer(t *testing.T) {
	address := new(erpc.ListenerAddress)
	listening := make(chan struct{})
	srv := websocket.NewServer("/ws", erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, address, &erpc.PluginImpl{
		PluginName: "listening", OnPostListen: func(net.Addr) error { close(listening); return nil },
	})
	defer srv.Close()
	srv.RouteCall(new(P))
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	select {
	case <-listening:
	case err := <-served:
		t.Fatal(err)
	}
	cli := websocket.NewClient("/ws", erpc.PeerConfig{Logger: quiet})
	defer cli.Close()
	sess, st := cli.DialJSON(address.String())
	if !st.OK() {
		t.Fatal(st)
	}
	if got, err := erpc.Call[int](t.Context(), sess, "/p/divide", Arg{8, 2}); err != nil || *got != 4 {
		t.Errorf("8 / 2: %v", err)
	}
	if all := srv.Listeners(); len(all) != 1 {
		t.Errorf("listeners %v", all)
	} else if a, ok := all[0].(interface{ Asked() (string, string) }); !ok {
		t.Error("the listener can't be handed down")
	} else if network, addr := a.Asked(); network != "tcp" || addr != "127.0.0.1:0" {
		t.Errorf("asked for %s %s", network, addr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	select {
	case err := <-served:
		if !errors.Is(err, peer.ErrClosed) {
			t.Errorf("serve: %v", err)
		}
	case <-ctx.Done():
		t.Error("the server goes on")
	}
	if conn, err := net.Dial("tcp", address.String()); err == nil {
		_ = conn.Close() // the test has failed
		t.Error("dialed a server that was shut down")
	}
}

func TestDialPlugin(t *testing.T) {
	srv := websocket.NewServer("/ws", erpc.PeerConfig{Logger: quiet})
	srv.RouteCall(new(P))
	addr := start(t, srv)
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, websocket.NewDialPlugin("/ws"))
	defer cli.Close()
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	if got, err := erpc.Call[int](t.Context(), sess, "/p/divide", Arg{9, 3}); err != nil || *got != 3 {
		t.Errorf("9 / 3: %v", err)
	}
}

func TestHandshakeAuth(t *testing.T) {
	accepted := make(chan string, 1)
	auth := websocket.NewHandshakeAuthPlugin(
		func(r *http.Request) (string, *erpc.Status) {
			if token := websocket.QueryToken("token", r); token != "secret" {
				return "", erpc.NewStatus(erpc.CodeUnauthorized, "who are you?")
			}
			return "alice", nil
		},
		func(s erpc.Session) *erpc.Status { accepted <- s.ID(); return nil },
	)
	srv := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, auth)
	defer srv.Close()
	srv.RouteCall(new(P))
	web := httptest.NewServer(websocket.NewJSONServeHandler(srv, nil))
	defer web.Close()
	addr := strings.TrimPrefix(web.URL, "http://")
	cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet})
	defer cli.Close()
	if _, st := cli.Dial(addr + "/?token=wrong"); st.OK() || !strings.Contains(st.String(), "401") {
		t.Errorf("a wrong token: %v", st)
	}
	sess, st := cli.Dial(addr + "/?token=secret")
	if !st.OK() {
		t.Fatal(st)
	}
	if got, err := erpc.Call[int](t.Context(), sess, "/p/divide", Arg{9, 3}); err != nil || *got != 3 {
		t.Errorf("9 / 3: %v", err)
	}
	select {
	case id := <-accepted:
		if id != "alice" {
			t.Errorf("the session is %q", id)
		}
	case <-time.After(patience):
		t.Error("nobody was accepted")
	}
	if _, ok := srv.GetSession("alice"); !ok {
		t.Error("alice can't be found")
	}
	// A connection that came another way is refused.
	a, b := net.Pipe()
	defer b.Close()
	if _, st := srv.ServeConn(a); st.Code() != erpc.CodeUnauthorized {
		t.Errorf("a connection without a handshake: %v", st)
	}
}

func TestSetHandshakeRefuses(t *testing.T) {
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet})
	srv.SetHandshake(func(r *http.Request) error {
		if r.Header.Get("X-Let-Me-In") == "" {
			return errors.New("say please")
		}
		return nil
	})
	addr := start(t, srv)
	cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet})
	defer cli.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, st := cli.DialContext(ctx, addr); st.OK() || !strings.Contains(st.String(), "403") {
		t.Errorf("dialed: %v", st)
	}
}

func ExampleNewServer() {
	srv := websocket.NewServer("/", erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: quiet})
	srv.RouteCall(new(P))
	lis, err := net.Listen("tcp", "127.0.0.1:0") // srv.ListenAndServe takes that of the configuration
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()

	cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet})
	sess, st := cli.DialJSON(lis.Addr().String())
	if st.OK() {
		var result int
		st = sess.Call("/p/divide", Arg{10, 2}, &result).Status()
		fmt.Println(result, st.OK())
	}
	_ = cli.Close()
	_ = srv.Close()
	<-done
	// Output: 5 true
}
