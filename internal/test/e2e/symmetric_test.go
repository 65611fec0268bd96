package e2e

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// twoSided returns both ends of a session over the link, with small queues. f
// registers the handlers of each side.
func (l link) twoSided(t *testing.T, set func(*erpc.PeerConfig), f func(erpc.Peer)) (here, there erpc.Session) {
	t.Helper()
	srv, cli := l.peers(t, func(c *erpc.PeerConfig) {
		c.QueueLimit = 16 << 10
		set(c)
	})
	f(srv)
	f(cli)
	here = kit.Open(t, cli, kit.Start(t, srv))
	kit.Eventually(t, kit.Bound, "the session of the server", func() bool {
		srv.RangeSession(func(s erpc.Session) bool { there = s; return false })
		return there != nil
	})
	return here, there
}

// TestSymmetricOverload: both sides of a session call more than the other's
// handlers can serve, and each needs room in its queue to refuse. All calls end,
// and memory stays bounded.
func TestSymmetricOverload(t *testing.T) {
	const most = 96 << 20 // bytes, including garbage; half of it are the calls of this test
	for _, l := range links {
		// Of each side: so many stop a session whose reading goroutine waits for room.
		// Between the sides there are buffers, those of QUIC and KCP larger than others.
		outstanding, calls := kit.Times(5_000, 20_000), kit.Times(10_000, 400_000)
		if l.name == "quic" || l.name == "kcp" {
			outstanding, calls = 20_000, kit.Times(22_000, 400_000)
		}
		t.Run(l.name, func(t *testing.T) {
			kit.NoLeaks(t)
			gate := make(chan struct{})
			here, there := l.twoSided(t, func(c *erpc.PeerConfig) { c.MaxSessionHandlers = 1 }, func(p erpc.Peer) {
				erpc.HandleCall(p, "/wait", func(ctx context.Context, _ *string) (*string, error) {
					select {
					case <-gate:
					case <-ctx.Done():
					}
					return nil, nil
				})
			})
			for range 3 { // the pools let go of what tests before this one have left in two
				runtime.GC()
			}
			before := heap().HeapAlloc
			var peak atomic.Uint64
			stop := make(chan struct{})
			var watch sync.WaitGroup
			watch.Go(func() { watchHeap(&peak, stop) })
			var refused, answered atomic.Int64
			var wg sync.WaitGroup
			for _, s := range []erpc.Session{here, there} {
				ended := make(chan erpc.CallCmd, outstanding)
				places := make(chan struct{}, outstanding)
				wg.Go(func() {
					x := "x"
					for range calls {
						places <- struct{}{}
						s.AsyncCall("/wait", &x, nil, ended)
					}
				})
				wg.Go(func() {
					for range calls {
						st := (<-ended).Status()
						<-places
						switch {
						case st.OK():
							answered.Add(1)
						case st.Code() == erpc.CodeExhausted:
							if refused.Add(1) == int64(2*calls-2) {
								close(gate)
							}
						default:
							t.Errorf("a call ended with %v", st)
						}
					}
				})
			}
			kit.Within(t, kit.Bound, "all calls", wg.Wait)
			close(stop)
			watch.Wait()
			if answered.Load() != 2 {
				t.Errorf("%d calls answered, %d refused", answered.Load(), refused.Load())
			}
			grown := int64(peak.Load()) - int64(before)
			t.Logf("heap +%d MiB", grown>>20)
			if grown > most {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// TestSymmetricOverloadOfStreams is the same with streams, each of which is
// refused, or ended because it sends more than is taken.
func TestSymmetricOverloadOfStreams(t *testing.T) {
	const openers, max = 50, 4
	each := kit.Times(15, 400)
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			kit.NoLeaks(t)
			gate := make(chan struct{})
			here, there := l.twoSided(t, func(c *erpc.PeerConfig) { c.MaxStreams = max }, func(p erpc.Peer) {
				erpc.HandleStream(p, "/wait", func(ctx context.Context, _ *erpc.Stream[string, string]) error {
					select {
					case <-gate:
					case <-ctx.Done():
					}
					return nil
				})
			})
			ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
			defer cancel()
			var refused, answered atomic.Int64
			var wg sync.WaitGroup
			for _, s := range []erpc.Session{here, there} {
				for range openers {
					wg.Go(func() {
						for range each {
							stream, err := erpc.OpenStream[string, string](ctx, s, "/wait")
							if err != nil {
								t.Errorf("open: %v", err)
								return
							}
							x := "x"
							for range 20 {
								if stream.Send(&x) != nil { // refused
									break
								}
							}
							_, err = stream.Recv()
							var st *erpc.StatusError
							switch {
							case errors.As(err, &st) && st.Status.Code() == erpc.CodeExhausted:
								if refused.Add(1) == 2*(openers-max)*int64(each) { // the others wait for running handlers
									close(gate)
								}
							case errors.Is(err, io.EOF):
								answered.Add(1)
							default:
								t.Errorf("a stream ended with %v", err)
							}
						}
					})
				}
			}
			kit.Within(t, kit.Bound, "all streams", wg.Wait)
			if a, r := answered.Load(), refused.Load(); a < 2*max || a+r != 2*openers*int64(each) {
				t.Errorf("%d streams answered, %d refused", a, r)
			}
		})
	}
}
