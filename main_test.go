package erpc_test

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goerpc/erpc"
)

// atStart are the goroutines that run before any test: those of kcp-go, which the
// façade links.
var atStart = goleak.IgnoreCurrent()

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, atStart) }

// patience bounds every wait of the tests for something that is about to
// happen.
const patience = 10 * time.Second

// startPeer returns a peer that serves on a free port of the loopback address
// until the test ends.
func startPeer(t testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) (srv erpc.Peer, addr string) {
	t.Helper()
	if cfg.LocalIP == "" {
		cfg.LocalIP = "127.0.0.1"
	}
	srv = newQuietPeer(t, cfg, plugins...)
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = srv.Close() // closed again: newQuietPeer looks at the error of the first
		await(t, "Serve to return", served)
	})
	return srv, lis.Addr().String()
}

// dialPeer returns a session with the peer at addr, of a peer made for it.
func dialPeer(t testing.TB, addr string, cfg erpc.PeerConfig, plugins ...erpc.Plugin) (cli erpc.Peer, sess erpc.Session) {
	t.Helper()
	cli = newQuietPeer(t, cfg, plugins...)
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	return cli, sess
}

// newQuietPeer returns a peer that logs nothing unless cfg says where, and is
// closed at the end of the test.
func newQuietPeer(t testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := erpc.NewPeer(cfg, plugins...)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// await returns what comes out of ch, and fails the test if nothing does.
func await[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("not reached")
	}
}
