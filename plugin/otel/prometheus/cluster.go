package prometheus

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goerpc/erpc/cluster"
)

// A ClusterCollector has the counters of a node: see [cluster.Stats].
type ClusterCollector struct {
	node       *cluster.Cluster
	registerer prometheus.Registerer
	descs      []*prometheus.Desc // in the order of Stats.Metrics
}

// NewCluster registers the counters of a node, which are read when the registry is.
// Only Peer and Registerer of cfg count: several nodes may share a registry, each with
// a name of its own.
func NewCluster(node *cluster.Cluster, cfg Config) (*ClusterCollector, error) {
	if cfg.Registerer == nil {
		cfg.Registerer = prometheus.DefaultRegisterer
	}
	c := &ClusterCollector{node: node, registerer: cfg.Registerer}
	for _, m := range (cluster.Stats{}).Metrics() {
		c.descs = append(c.descs, prometheus.NewDesc(m.Name, m.Help, nil, prometheus.Labels{"peer": cfg.Peer}))
	}
	if err := cfg.Registerer.Register(c); err != nil {
		return nil, fmt.Errorf("prometheus: node %q: %w; give each node of a registry another name", cfg.Peer, err)
	}
	return c, nil
}

// Close removes the counters from the registry, which otherwise keeps them, and
// with them the node, for as long as it lives.
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
