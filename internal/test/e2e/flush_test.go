package e2e

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestCloseAfterFlushLosesNothing: what Flush has flushed arrives, though its
// sender closes right after it. The other side starts to read later than a Close
// alone would wait.
func TestCloseAfterFlushLosesNothing(t *testing.T) {
	kit.NoLeaks(t)
	const pushes = 1000
	for _, l := range links {
		for name, flush := range map[string]func(context.Context, erpc.Peer, erpc.Session) error{
			"session": func(ctx context.Context, _ erpc.Peer, s erpc.Session) error { return s.Flush(ctx) },
			"peer":    func(ctx context.Context, p erpc.Peer, _ erpc.Session) error { return p.Flush(ctx) },
		} {
			t.Run(l.name+" "+name, func(t *testing.T) {
				t.Parallel()
				read := make(chan struct{})
				srv, cli := l.peers(t, func(c *erpc.PeerConfig) { c.QueueLimit = 64 << 20 }, &erpc.PluginImpl{
					PluginName:      "gate",
					OnPreReadHeader: func(erpc.PreCtx) error { <-read; return nil },
				})
				var got atomic.Int64
				erpc.HandlePush(srv, "/note", func(context.Context, *string) error {
					got.Add(1)
					return nil
				})
				sess := kit.Open(t, cli, kit.Start(t, srv))
				text := strings.Repeat("x", 16<<10) // 16 MB, more than the buffers below hold
				for range pushes {
					if st := sess.Push("/note", &text); !st.OK() {
						t.Fatal(st)
					}
				}
				time.AfterFunc(1500*time.Millisecond, func() { close(read) })
				ctx, cancel := context.WithTimeout(t.Context(), 5*kit.Bound) // the links move much at the same time
				defer cancel()
				if err := flush(ctx, cli, sess); err != nil {
					t.Fatal(err)
				}
				if err := cli.Close(); err != nil {
					t.Error(err)
				}
				kit.Eventually(t, kit.Bound, "all pushes", func() bool { return got.Load() == pushes })
			})
		}
	}
}

// TestFlushTowardsASideThatDoesNotRead: Flush ends with its context, and names the
// sessions.
func TestFlushTowardsASideThatDoesNotRead(t *testing.T) {
	kit.NoLeaks(t)
	done := make(chan struct{})
	stuck := kit.TCP.Script(t, func(*kit.Wire) { <-done })
	defer close(done)
	srv, honest := kit.Serve(t, erpc.PeerConfig{})
	got := make(chan int, 1)
	erpc.HandlePush(srv, "/note", func(_ context.Context, b *[]byte) error { got <- len(*b); return nil })
	cli := kit.Peer(t, erpc.PeerConfig{QueueLimit: 64 << 20})
	slow, quick := kit.Open(t, cli, stuck), kit.Open(t, cli, honest)
	text := strings.Repeat("x", 1<<20)
	for range 32 {
		if st := slow.Push("/note", &text); !st.OK() {
			t.Fatal(st)
		}
	}
	if st := quick.Push("/note", &[]byte{1, 2, 3}); !st.OK() {
		t.Fatal(st)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := cli.Flush(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), slow.ID()) || strings.Contains(err.Error(), quick.ID()) {
		t.Errorf("Flush: %v", err)
	}
	if n := kit.Await(t, "the push to the other side", got); n != 3 {
		t.Errorf("%d bytes", n)
	}
	_ = slow.Close() // its connection is stuck
	if err := slow.Flush(t.Context()); err == nil {
		t.Error("a session that has ended was flushed")
	}
	if err := quick.Flush(t.Context()); err != nil {
		t.Errorf("a session with nothing to flush: %v", err)
	}
}
