package streams

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// Calls go on while streams send as fast as they can over the same connection.
func TestCallsBesideBusyStreams(t *testing.T) {
	for _, c := range []struct{ streams, size int }{
		{4, 128}, {4, 8 << 10}, {4, 64 << 10}, // shared, queued and written from where it lies
		{100, 8 << 10}, // more than the queue holds
	} {
		t.Run(fmt.Sprint(c.streams, " of ", c.size, " bytes"), func(t *testing.T) { testCallsBeside(t, c.streams, c.size) })
	}
}

func testCallsBeside(t *testing.T, streams, size int) {
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/sink", func(_ context.Context, s *erpc.Stream[[]byte, note]) error {
			var m []byte
			for {
				if err := s.RecvInto(&m); err != nil {
					return err
				}
			}
		})
		erpc.HandleCall(srv, "/add", func(_ context.Context, n *int) (*int, error) { m := *n + 1; return &m, nil })
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	flood, stop := context.WithCancel(ctx)
	ended, calls := make(chan int, streams), scaled(200)
	for range streams {
		s := open[[]byte, note](t, flood, sess, "/sink")
		go func() {
			m, sent := make([]byte, size), 0
			for s.Send(&m) == nil { // until the flood is cancelled
				sent++
			}
			ended <- sent
		}()
	}
	took := make([]time.Duration, calls)
	for i := range took {
		start := time.Now()
		n, err := erpc.Call[int](ctx, sess, "/add", i)
		if err != nil || *n != i+1 {
			t.Fatalf("call %d: %v, %v", i, n, err)
		}
		took[i] = time.Since(start)
	}
	stop()
	for range streams {
		if sent := kit.Await(t, "the end of a sender", ended); sent == 0 {
			t.Error("a stream has sent nothing")
		}
	}
	slices.Sort(took)
	t.Logf("%d calls took %v (50 %%), %v (99 %%)", calls, took[calls/2], took[calls*99/100])
}
