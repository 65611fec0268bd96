package proxy_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wiretest.Limit):
		t.Fatalf("waited %s for %s", wiretest.Limit, what)
		panic("not reached")
	}
}

// start returns a serving peer that has no handlers but those of its plugins.
func start(t *testing.T, plugins ...erpc.Plugin) *wiretest.Peer {
	t.Helper()
	return startWith(t, erpc.PeerConfig{}, plugins...)
}

// startWith is start with a configuration.
func startWith(t *testing.T, cfg erpc.PeerConfig, plugins ...erpc.Plugin) *wiretest.Peer {
	t.Helper()
	cfg.LocalIP, cfg.Logger = "127.0.0.1", slog.New(slog.DiscardHandler)
	p := &wiretest.Peer{Peer: erpc.NewPeer(cfg, plugins...)}
	p.Listen(t)
	return p
}

// dial returns a session of a new client.
func dial(t *testing.T, addr string) erpc.Session {
	t.Helper()
	return wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, addr)
}
