package cluster

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// Stats are counters of a node.
type Stats struct {
	Ready     bool // see [Cluster.Ready]
	Connected bool // to the engine
	Draining  bool
	Lag       time.Duration // how long the last message of this node to itself took through the engine
	Nodes     int           // other nodes that live
	Topics    int           // rooms and users with a subscription here
	Pending   int           // questions and calls to other nodes without an answer
	Gaps      int           // sessions that missed pushes and were not told yet
	Behind    int           // members of rooms with history that read the log
	Dropped   uint64        // pushes to a session without room, since the start
	Lost      uint64        // times that the engine said that it lost messages
	Cuts      uint64        // times that the engine was disconnected
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

// AppendPrometheus appends the counters in the text format of Prometheus.
func (s Stats) AppendPrometheus(dst []byte) []byte {
	b := bytes.NewBuffer(dst)
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"ready", "gauge", "1 if the node should get sessions", number(s.Ready)},
		{"engine_connected", "gauge", "1 if the node is connected to the others", number(s.Connected)},
		{"draining", "gauge", "1 if the node is leaving", number(s.Draining)},
		{"engine_lag_seconds", "gauge", "how long a message of the node to itself takes through the engine", s.Lag.Seconds()},
		{"nodes", "gauge", "other nodes that live", s.Nodes},
		{"topics", "gauge", "rooms and users with a subscription", s.Topics},
		{"pending", "gauge", "questions and calls to other nodes without an answer", s.Pending},
		{"gaps", "gauge", "sessions that missed pushes and were not told yet", s.Gaps},
		{"behind", "gauge", "members of rooms with history that read the log", s.Behind},
		{"dropped_total", "counter", "pushes to a session without room", s.Dropped},
		{"engine_lost_total", "counter", "times that the engine lost messages", s.Lost},
		{"engine_cuts_total", "counter", "times that the engine was disconnected", s.Cuts},
	} {
		fmt.Fprintf(b, "# HELP erpc_cluster_%s %s\n# TYPE erpc_cluster_%s %s\nerpc_cluster_%s %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
	return b.Bytes()
}

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// MetricsHandler serves the counters in the text format of Prometheus.
func (c *Cluster) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(c.Stats().AppendPrometheus(nil)) // fails only when the client is gone
	})
}
