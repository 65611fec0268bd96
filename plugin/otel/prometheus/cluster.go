package prometheus

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goerpc/erpc/cluster"
)

// A ClusterCollector collects the counters of a cluster node; see
// [cluster.Stats].
type ClusterCollector struct {
	node       *cluster.Cluster
	registerer prometheus.Registerer
	descs      []*prometheus.Desc // in the order of Stats.Metrics
}

// NewCluster registers a collector for a node, which reads the counters when
// the registry collects. It uses only Peer and Registerer of cfg. Several nodes
// may share a registry if each has its own name.
func NewCluster(node *cluster.Cluster, cfg Config) (*ClusterCollector, error) {
	if cfg.Registerer == nil {
		cfg.Registerer = prometheus.DefaultRegisterer
	}
	c := &ClusterCollector{node: node, registerer: cfg.Registerer}
	for _, m := range (cluster.Stats{}).Metrics() {
		c.descs = append(c.descs, prometheus.NewDesc(m.Name, m.Help, nil, prometheus.Labels{"peer": cfg.Peer}))
	}
	if err := cfg.Registerer.Register(c); err != nil {
		return nil, fmt.Errorf("prometheus: node %q: %w; give each node of a registry a different name", cfg.Peer, err)
	}
	return c, nil
}

// Close removes the collector from the registry, which otherwise keeps it and
// the node alive.
func (c *ClusterCollector) Close() { c.registerer.Unregister(c) }

// Describe implements [prometheus.Collector].
func (c *ClusterCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *ClusterCollector) Collect(ch chan<- prometheus.Metric) {
	for i, m := range c.node.Stats().Metrics() {
		kind := prometheus.GaugeValue
		if m.Counter {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(c.descs[i], kind, m.Value)
	}
}
