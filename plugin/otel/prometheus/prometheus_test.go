package prometheus_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	erpcprom "github.com/goerpc/erpc/plugin/otel/prometheus"
)

// pair returns two peers in one registry, and the session of the second with the
// first.
func pair(t *testing.T, reg *prometheus.Registry, register func(erpc.Peer)) erpc.Session {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	plugin := func(name string) *erpcprom.Plugin {
		p, err := erpcprom.New(erpcprom.Config{Peer: name, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, plugin("server"))
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, plugin("client"))
	register(srv)
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis) // says that the peer was closed
	}()
	t.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	return sess
}

func TestTwoPeersInOneRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	pushed := make(chan struct{}, 1)
	sess := pair(t, reg, func(srv erpc.Peer) {
		erpc.HandleCall(srv, "/ok", func(context.Context, *int) (*int, error) { return nil, nil })
		erpc.HandleCall(srv, "/no", func(context.Context, *int) (*int, error) { return nil, erpc.NewStatus(1001, "no").Err() })
		erpc.HandlePush(srv, "/push", func(context.Context, *int) error {
			pushed <- struct{}{}
			return nil
		})
	})
	for _, method := range []string{"/ok", "/ok", "/no", "/nowhere"} {
		sess.Call(method, 1, nil)
	}
	if st := sess.Push("/push", 1); !st.OK() {
		t.Fatal(st)
	}
	<-pushed
	want := `
# HELP erpc_operations_total Calls and pushes that ended.
# TYPE erpc_operations_total counter
erpc_operations_total{code="0",kind="call",method="/ok",peer="client"} 2
erpc_operations_total{code="0",kind="handled_call",method="/ok",peer="server"} 2
erpc_operations_total{code="0",kind="handled_push",method="/push",peer="server"} 1
erpc_operations_total{code="0",kind="push",method="/push",peer="client"} 1
erpc_operations_total{code="1001",kind="call",method="/no",peer="client"} 1
erpc_operations_total{code="1001",kind="handled_call",method="/no",peer="server"} 1
erpc_operations_total{code="404",kind="call",method="/nowhere",peer="client"} 1
erpc_operations_total{code="404",kind="handled_call",method="_OTHER",peer="server"} 1
# HELP erpc_operations_in_flight Calls and pushes that are being handled.
# TYPE erpc_operations_in_flight gauge
erpc_operations_in_flight{kind="handled_call",peer="server"} 0
erpc_operations_in_flight{kind="handled_push",peer="server"} 0
# HELP erpc_sessions Sessions that are open.
# TYPE erpc_sessions gauge
erpc_sessions{peer="client"} 1
erpc_sessions{peer="server"} 1
`
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) { // the last handler ends after its reply
		err = testutil.GatherAndCompare(reg, strings.NewReader(want), "erpc_operations_total", "erpc_operations_in_flight", "erpc_sessions")
		if err == nil {
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "erpc_operation_duration_seconds"); err != nil || n != 8 {
		t.Errorf("%d histograms, %v, want 8", n, err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// A stream is one call at each end, with its messages.
func TestStreams(t *testing.T) {
	reg := prometheus.NewRegistry()
	sess := pair(t, reg, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/sum", kit.AddUp)
	})
	s, err := erpc.OpenStream[int, int](t.Context(), sess, "/sum")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := s.Send(&i); err != nil {
			t.Fatal(err)
		}
	}
	if sum, err := s.CloseAndRecv(); err != nil || *sum != 3 {
		t.Fatalf("%v, %v", sum, err)
	}
	want := `
# HELP erpc_operations_in_flight Calls and pushes that are being handled.
# TYPE erpc_operations_in_flight gauge
erpc_operations_in_flight{kind="handled_call",peer="server"} 0
# HELP erpc_stream_messages_total Messages of streams that have ended.
# TYPE erpc_stream_messages_total counter
erpc_stream_messages_total{direction="received",kind="call",method="/sum",peer="client"} 1
erpc_stream_messages_total{direction="received",kind="handled_call",method="/sum",peer="server"} 3
erpc_stream_messages_total{direction="sent",kind="call",method="/sum",peer="client"} 3
erpc_stream_messages_total{direction="sent",kind="handled_call",method="/sum",peer="server"} 1
`
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // hooks run after the end
		err := testutil.GatherAndCompare(reg, strings.NewReader(want), "erpc_stream_messages_total", "erpc_operations_in_flight")
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// Two peers with one name are a mistake, and so is one plugin for two peers.
func TestMistakes(t *testing.T) {
	reg := prometheus.NewRegistry()
	first, err := erpcprom.New(erpcprom.Config{Peer: "a", Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := erpcprom.New(erpcprom.Config{Peer: "a", Registerer: reg}); err == nil {
		t.Error("two peers with one name were accepted")
	}
	quiet := slog.New(slog.DiscardHandler)
	p := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, first)
	defer p.Close()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("one plugin was accepted for two peers")
			}
		}()
		erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, first)
	}()
	first.Close()
	if _, err := erpcprom.New(erpcprom.Config{Peer: "a", Registerer: reg}); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
}
