package clustertest_test

import (
	"testing"

	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/clustertest"
)

// An engine calls Run from a test like this one.
func Example() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		clustertest.Run(t, func(*testing.T) clustertest.Medium {
			bus := cluster.NewMemory()
			return clustertest.Medium{Engine: func() cluster.Engine { return bus.Engine() }}
		})
	}
}
