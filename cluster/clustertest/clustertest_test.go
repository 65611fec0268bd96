package clustertest_test

import (
	"testing"

	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/clustertest"
	"github.com/goerpc/erpc/internal/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func TestMemoryEngine(t *testing.T) {
	kit.NoLeaks(t)
	clustertest.Run(t, func(*testing.T) clustertest.Medium {
		bus := cluster.NewMemory()
		return clustertest.Medium{
			Engine:       func() cluster.Engine { return bus.Engine() },
			SetConnected: func(e cluster.Engine, on bool) { e.(*cluster.MemoryEngine).SetConnected(on) },
		}
	})
}
