package limit_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

const patience = 10 * time.Second // bounds each wait

var quiet = slog.New(slog.DiscardHandler)

// connect returns a session with srv.
func connect(t *testing.T, srv erpc.Peer) erpc.Session {
	t.Helper()
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
	t.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		await(t, "Serve", served)
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	return sess
}

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("not reached")
	}
}
