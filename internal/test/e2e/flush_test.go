package e2e

import (
	"context"
	"errors"
	"runtime"
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
	const pushes = 250
	small := func(c *erpc.PeerConfig) {
		c.QueueLimit = 64 << 20
		if c.Network == "" || c.Network == "ws" { // others have buffers of their own
			c.SocketReadBuffer, c.SocketWriteBuffer = 64<<10, 64<<10
		}
	}
	for _, l := range links {
		for name, flush := range map[string]func(context.Context, erpc.Peer, erpc.Session) error{
			"session": func(ctx context.Context, _ erpc.Peer, s erpc.Session) error { return s.Flush(ctx) },
			"peer":    func(ctx context.Context, p erpc.Peer, _ erpc.Session) error { return p.Flush(ctx) },
		} {
			t.Run(l.name+" "+name, func(t *testing.T) {
				t.Parallel()
				read := make(chan struct{})
				srv, cli := l.peers(t, small, &erpc.PluginImpl{
					PluginName:      "gate",
					OnPreReadHeader: func(erpc.PreCtx) error { <-read; return nil },
				})
				var got atomic.Int64
				erpc.HandlePush(srv, "/note", func(context.Context, *string) error {
					got.Add(1)
					return nil
				})
				sess := kit.Open(t, cli, kit.Start(t, srv))
				text := strings.Repeat("x", 16<<10) // 4 MB, more than the buffers below hold
				for range pushes {
					if st := sess.Push("/note", &text); !st.OK() {
						t.Fatal(st)
					}
				}
				time.AfterFunc(1500*time.Millisecond, func() { close(read) })
				ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
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

// TestCloseAfterFlushWithUnreadPushes: what Flush has flushed arrives also if the side
// that closes has not read everything, so that the kernel resets the connection.
func TestCloseAfterFlushWithUnreadPushes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what has arrived")
	}
	kit.NoLeaks(t)
	const pushes = 200
	for _, l := range links {
		if l.name != "tcp" && l.name != "tls" {
			continue // the others close with a handshake of their own, or keep what was written
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			read := make(chan struct{})
			srv, cli := l.peers(t, func(c *erpc.PeerConfig) { c.QueueLimit, c.SocketReadBuffer = 64<<20, 128<<10 })
			cli.PluginContainer().AppendRight(&erpc.PluginImpl{
				PluginName:      "gate",
				OnPreReadHeader: func(erpc.PreCtx) error { <-read; return nil },
			})
			defer close(read)
			var got atomic.Int64
			erpc.HandlePush(srv, "/note", func(context.Context, *string) error {
				got.Add(1)
				return nil
			})
			sess := kit.Open(t, cli, kit.Start(t, srv))
			ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
			defer cancel()
			kit.Eventually(t, kit.Bound, "the server's session", func() bool { return srv.CountSession() == 1 })
			srv.RangeSession(func(s erpc.Session) bool {
				if st := s.Push("/unread", strings.Repeat("x", 100<<10)); !st.OK() { // more than the client reads at once
					t.Error(st)
				}
				return true
			})
			if err := srv.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat("x", 16<<10)
			for range pushes {
				if st := sess.Push("/note", &text); !st.OK() {
					t.Fatal(st)
				}
			}
			if err := sess.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			if err := cli.Close(); err != nil {
				t.Error(err)
			}
			kit.Eventually(t, kit.Bound, "all pushes", func() bool { return got.Load() == pushes })
		})
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
