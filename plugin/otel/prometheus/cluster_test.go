package prometheus_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/kit"
	erpcprom "github.com/goerpc/erpc/plugin/otel/prometheus"
)

// Two nodes in one registry have their own counters, which follow what happens; the
// counters of a node that was closed are gone.
func TestClusterCounters(t *testing.T) {
	reg := prometheus.NewRegistry()
	bus := cluster.NewMemory()
	type node struct {
		*cluster.Cluster
		engine *cluster.MemoryEngine
		peer   erpc.Peer
		counts *erpcprom.ClusterCollector
	}
	start := func(name string) (n node) {
		t.Helper()
		n.engine = bus.Engine()
		n.Cluster = cluster.New(n.engine, cluster.Options{})
		n.peer = erpc.NewPeer(erpc.PeerConfig{}, n.Cluster)
		var err error
		if n.counts, err = erpcprom.NewCluster(n.Cluster, erpcprom.Config{Peer: name, Registerer: reg}); err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = n.Close(), n.peer.Close() })
		return n
	}
	a, b := start("a"), start("b")
	if _, err := erpcprom.NewCluster(b.Cluster, erpcprom.Config{Peer: "a", Registerer: reg}); err == nil {
		t.Error("two nodes with one name were accepted")
	}
	a.engine.SetConnected(false)
	kit.Eventually(t, kit.Bound, "the node learns of the cut", func() bool { return a.Stats().Cuts == 1 })
	want := `
# HELP erpc_cluster_engine_connected 1 if the node is connected to the others
# TYPE erpc_cluster_engine_connected gauge
erpc_cluster_engine_connected{peer="a"} 0
erpc_cluster_engine_connected{peer="b"} 1
# HELP erpc_cluster_engine_cuts_total how often the engine was disconnected
# TYPE erpc_cluster_engine_cuts_total counter
erpc_cluster_engine_cuts_total{peer="a"} 1
erpc_cluster_engine_cuts_total{peer="b"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "erpc_cluster_engine_connected", "erpc_cluster_engine_cuts_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 2*len(cluster.Stats{}.Metrics()) {
		t.Errorf("%d metrics of two nodes, %v", n, err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	a.counts.Close()
	if n, err := testutil.GatherAndCount(reg, "erpc_cluster_nodes"); err != nil || n != 1 {
		t.Errorf("%d nodes after one was closed, %v", n, err)
	}
}
