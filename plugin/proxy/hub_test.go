package proxy_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
)

// hub returns a peer that forwards what one of its sessions sends to the other one.
func hub(t *testing.T, cfg proxy.Config) *wiretest.Peer {
	t.Helper()
	var peer atomic.Pointer[wiretest.Peer]
	p := start(t, proxy.NewPlugin(func(l *proxy.Label) proxy.Forwarder {
		var other proxy.Forwarder
		peer.Load().RangeSession(func(s erpc.Session) bool {
			if s.ID() != l.SessionID {
				other = s
			}
			return other == nil
		})
		return other
	}, cfg))
	peer.Store(p)
	return p
}

// A proxy between two of its own clients has to read the replies of each while it
// forwards the calls of the other, so it must never stop reading.
func TestHubKeepsReadingRepliesWhileClientsAreAtTheirLimit(t *testing.T) {
	const limit, calls = 50, 1000 // of each client
	front := hub(t, proxy.Config{MaxInFlight: limit})
	var sessions []erpc.Session
	for range 2 {
		cli := wiretest.NewClient(t, erpc.PeerConfig{})
		erpc.HandleCall(cli, "/echo", func(_ context.Context, s *string) (*string, error) { return s, nil })
		sessions = append(sessions, cli.MustDial(t, front.Addr))
	}
	for front.CountSession() < 2 {
		time.Sleep(time.Millisecond)
	}
	done := make(chan erpc.CallCmd, 2*calls)
	for range calls {
		for _, s := range sessions {
			s.AsyncCall("/echo", "x", new(string), done)
		}
	}
	for i := range 2 * calls {
		if st := await(t, "the end of all calls", done).Status(); !st.OK() {
			t.Fatalf("call %d: %v", i, st)
		}
	}
}

// Handlers on both sides of a hub that call back through it can use up the places
// of both clients. Calls that wait for a place are refused after a while.
func TestCallsDoNotWaitForeverForATurn(t *testing.T) {
	const limit = 2
	front := hub(t, proxy.Config{MaxInFlight: limit, MaxWait: 50 * time.Millisecond})
	var sessions []erpc.Session
	for range 2 {
		cli := wiretest.NewClient(t, erpc.PeerConfig{})
		erpc.HandleCall(cli, "/pingpong", func(ctx context.Context, n *int) (*int, error) {
			if *n == 0 {
				return n, nil
			}
			back := erpc.CallCtxFrom(ctx).Session()
			less := *n - 1
			return &less, back.Call("/pingpong", less, nil, erpc.WithContext(ctx)).Status().Err()
		})
		sessions = append(sessions, cli.MustDial(t, front.Addr))
	}
	for front.CountSession() < 2 {
		time.Sleep(time.Millisecond)
	}
	done := make(chan erpc.CallCmd, 1)
	sessions[0].AsyncCall("/pingpong", 8*limit, nil, done)
	if st := await(t, "the end of a chain longer than there are places", done).Status(); st.Code() != erpc.CodeExhausted {
		t.Errorf("%v, want code %d", st, erpc.CodeExhausted)
	}
	sessions[0].AsyncCall("/pingpong", 1, nil, done)
	if st := await(t, "a call afterwards", done).Status(); !st.OK() {
		t.Errorf("the places were not given back: %v", st)
	}
}

// The pushes that the proxy has read from a client are delivered although the
// client leaves.
func TestPushesOutliveTheirClient(t *testing.T) {
	const pushes = 20
	got := make(chan string, pushes)
	backend := wiretest.NewClient(t, erpc.PeerConfig{LocalIP: "127.0.0.1"})
	backend.SetUnknownPush(func(ctx erpc.UnknownPushCtx) *erpc.Status {
		got <- string(ctx.InputBodyBytes())
		return nil
	})
	backend.Listen(t)
	release := make(chan struct{})
	to := dial(t, backend.Addr)
	entered := make(chan struct{}, pushes)
	front := start(t, proxy.NewPlugin(func(*proxy.Label) proxy.Forwarder {
		entered <- struct{}{}
		<-release // until the client is gone
		return to
	}))
	cli := dial(t, front.Addr)
	for range pushes {
		if st := cli.Push("/p", []byte("x")); !st.OK() {
			t.Fatal(st)
		}
	}
	for range pushes {
		await(t, "a push at the proxy", entered)
	}
	if err := cli.Close(); err != nil {
		t.Fatal(err)
	}
	for front.CountSession() > 0 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	for range pushes {
		await(t, "a push at the backend", got)
	}
}
