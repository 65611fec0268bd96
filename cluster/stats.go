package cluster

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Stats holds the counters of a node.
type Stats struct {
	Ready     bool // see [Cluster.Ready]
	Connected bool // the engine is connected
	Draining  bool
	Lag       time.Duration // how long the last message of this node to itself took through the engine
	Nodes     int           // other live nodes
	Topics    int           // rooms and users with a subscription here
	Pending   int           // requests and calls to other nodes without an answer
	Gaps      int           // sessions that were not told yet that they missed pushes
	Behind    int           // members of rooms with history that read the log
	Dropped   uint64        // pushes to sessions whose queue was full, since the start
	Lost      uint64        // how often the engine reported lost messages
	Cuts      uint64        // how often the engine was disconnected
}

// Stats returns the counters.
func (c *Cluster) Stats() Stats {
	return Stats{
		Ready:     c.Ready() == nil,
		Connected: c.life.is() == lifeRunning && !c.nodes.isCut(),
		Draining:  c.draining(),
		Lag:       time.Duration(c.lag.Load()),
		Behind:    c.countBehind(),
		Lost:      c.lost.Load(),
		Cuts:      c.cuts.Load(),
		Nodes:     len(c.Nodes()),
		Topics:    len(c.topics.all()),
		Pending:   len(c.pending.all()),
		Gaps:      len(c.gaps.all()),
		Dropped:   c.dropped.Load(),
	}
}

// countBehind counts the members that are not live.
func (c *Cluster) countBehind() (n int) {
	for _, t := range c.topics.allSpecial() {
		if t.kept {
			n += len(t.inState(feedBehind, nil)) + len(t.inState(feedBlocked, nil))
		}
	}
	return n
}

// A Metric is one of the counters, with its name for Prometheus.
type Metric struct {
	Name    string // such as erpc_cluster_nodes
	Help    string
	Counter bool // a counter that only grows; otherwise a gauge
	Value   float64
}

// Metrics returns the counters as a list, for exporters.
func (s Stats) Metrics() []Metric {
	const gauge, counter = false, true
	return []Metric{
		{"erpc_cluster_ready", "1 if the node should get sessions", gauge, number(s.Ready)},
		{"erpc_cluster_engine_connected", "1 if the node is connected to the others", gauge, number(s.Connected)},
		{"erpc_cluster_draining", "1 if the node is leaving", gauge, number(s.Draining)},
		{"erpc_cluster_engine_lag_seconds", "how long a message of the node to itself takes through the engine", gauge, s.Lag.Seconds()},
		{"erpc_cluster_nodes", "other live nodes", gauge, float64(s.Nodes)},
		{"erpc_cluster_topics", "rooms and users with a subscription", gauge, float64(s.Topics)},
		{"erpc_cluster_pending", "requests and calls to other nodes without an answer", gauge, float64(s.Pending)},
		{"erpc_cluster_gaps", "sessions that were not told yet that they missed pushes", gauge, float64(s.Gaps)},
		{"erpc_cluster_behind", "members of rooms with history that read the log", gauge, float64(s.Behind)},
		{"erpc_cluster_dropped_total", "pushes to sessions whose queue was full", counter, float64(s.Dropped)},
		{"erpc_cluster_engine_lost_total", "how often the engine reported lost messages", counter, float64(s.Lost)},
		{"erpc_cluster_engine_cuts_total", "how often the engine was disconnected", counter, float64(s.Cuts)},
	}
}

// AppendPrometheus appends the counters in the text format of Prometheus.
func (s Stats) AppendPrometheus(dst []byte) []byte {
	b := bytes.NewBuffer(dst)
	for _, m := range s.Metrics() {
		kind := "gauge"
		if m.Counter {
			kind = "counter"
		}
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", m.Name, m.Help, m.Name, kind, m.Name, strconv.FormatFloat(m.Value, 'f', -1, 64))
	}
	return b.Bytes()
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// MetricsHandler returns a handler that serves the counters in the text format
// of Prometheus.
func (c *Cluster) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(c.Stats().AppendPrometheus(nil)) // fails only when the client is gone
	})
}
