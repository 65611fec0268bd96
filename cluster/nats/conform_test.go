package nats_test

import (
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/clustertest"
	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/internal/test/kit"
)

// The engine fulfills the contracts, with a wire between it and the server that can be
// cut.
func TestEngineConforms(t *testing.T) {
	kit.NoLeaks(t)
	clustertest.Run(t, func(t *testing.T) clustertest.Medium {
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
		check(t, err)
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		if !s.ReadyForConnections(kit.Bound) {
			t.Fatal("the server is not ready")
		}
		wires := map[cluster.Engine]*wire{}
		return clustertest.Medium{
			Engine: func() cluster.Engine {
				x := newWire(t, s.Addr().String())
				e := nats.New("nats://"+x.lis.Addr().String(), natsgo.ReconnectWait(10*time.Millisecond), natsgo.ReconnectJitter(0, 0))
				wires[e] = x
				t.Cleanup(func() { // after the engine was closed
					x.set(true)
					_ = x.lis.Close()
					x.wg.Wait()
				})
				return e
			},
			SetConnected: func(e cluster.Engine, on bool) { wires[e].set(!on) },
		}
	})
}
