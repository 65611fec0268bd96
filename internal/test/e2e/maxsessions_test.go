package e2e

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// At most MaxSessions sessions are accepted; the end of one makes room.
func TestMaxSessions(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", MaxSessions: 2, Logger: quiet})
	erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
	defer func() { _ = cli.Close(); _ = srv.Close(); <-served }()
	dial := func() (erpc.Session, bool) {
		s, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			t.Fatal(st) // the kernel accepts connections anyway
		}
		_, err := erpc.Call[int](t.Context(), s, "/double", 1)
		return s, err == nil
	}
	var last erpc.Session
	for i := range 2 {
		var ok bool
		if last, ok = dial(); !ok {
			t.Fatalf("session %d was refused", i+1)
		}
	}
	for range 3 {
		if _, ok := dial(); ok {
			t.Fatal("a third session was accepted")
		}
	}
	for round := range 5 {
		_ = last.Close()
		for end := time.Now().Add(time.Minute); ; {
			var ok bool
			if last, ok = dial(); ok {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("round %d: the place of a session that ended stays taken", round)
			}
		}
		if _, ok := dial(); ok {
			t.Fatalf("round %d: there are three sessions", round)
		}
	}
}
