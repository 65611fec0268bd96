package secure_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/secure"
)

// A sealed broadcast reaches the sessions that the peer has accepted and those that
// it has dialed, although a message sealed for one kind can't be opened by the
// other.
func TestSealedBroadcastReachesBothSides(t *testing.T) {
	got := make(chan string, 2)
	node := func() *wiretest.Peer {
		p := &wiretest.Peer{Peer: erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}, secure.NewPlugin(0, key1))}
		erpc.HandlePush(p.Peer, "/news", func(_ context.Context, s *string) error {
			got <- *s
			return nil
		})
		p.Listen(t)
		return p
	}
	below, middle, above := node(), node(), node()
	for _, dial := range []struct{ from, to *wiretest.Peer }{{below, middle}, {middle, above}} {
		dial.from.MustDial(t, dial.to.Addr)
	}
	for end := time.Now().Add(wiretest.Limit); middle.CountSession() < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if sent, failed := middle.Broadcast("/news", secret, secure.WithSecureMeta()); sent != 2 || len(failed) > 0 {
		t.Fatalf("sent %d times, failed %v", sent, failed)
	}
	for range 2 {
		select {
		case s := <-got:
			if s != secret {
				t.Errorf("got %q", s)
			}
		case <-time.After(wiretest.Limit):
			t.Fatal("one of the two sides did not get it")
		}
	}
}
