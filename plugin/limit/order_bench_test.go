package limit_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
)

// BenchmarkPushes measures the cost of order, from the first push to the end of the last
// handler: with a handler that is quick and with one that waits. docs/delivery.md has the
// figures.
func BenchmarkPushes(b *testing.B) {
	for _, wait := range []time.Duration{0, 50 * time.Microsecond} {
		for _, ordered := range []bool{false, true} {
			b.Run(fmt.Sprintf("wait=%v/ordered=%v", wait, ordered), func(b *testing.B) {
				quiet := slog.New(slog.DiscardHandler)
				srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
				defer srv.Close()
				var plugins []erpc.Plugin
				if ordered {
					plugins = append(plugins, limit.Ordered())
				}
				var handled sync.WaitGroup
				erpc.HandlePush(srv, "/push", func(context.Context, *[]byte) error {
					defer handled.Done()
					if wait > 0 {
						time.Sleep(wait)
					}
					return nil
				}, plugins...)
				lis, err := srv.Listen()
				if err != nil {
					b.Fatal(err)
				}
				go srv.Serve(lis) // ends with the peer
				cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
				defer cli.Close()
				sess, st := cli.Dial(lis.Addr().String())
				if !st.OK() {
					b.Fatal(st)
				}
				body := make([]byte, 100)
				const atOnce = 1000 // below the number of messages of a session that may be in progress
				b.ReportAllocs()
				for done := 0; b.Loop(); done++ {
					if done%atOnce == 0 {
						handled.Wait()
					}
					handled.Add(1)
					if st := sess.Push("/push", body); !st.OK() {
						b.Fatal(st)
					}
				}
				handled.Wait()
			})
		}
	}
}
