package report

import (
	"slices"
	"time"
)

// The tests.
const (
	Call     = "call"     // X callers on one session
	Bytes    = "bytes"    // the same with []byte bodies
	Push     = "push"     // to X sessions
	Idle     = "idle"     // X sessions
	Large    = "large"    // X callers, bodies of 16 MiB
	Meta     = "meta"     // X metadata entries
	Plugins  = "plugins"  // X plugins
	Filter   = "filter"   // Label names the filter
	Size     = "size"     // bodies of X bytes
	Sessions = "sessions" // X sessions that share the callers
)

// The tests of the page of shapes.
const (
	Conns    = "conns"  // X connections with a caller each
	OverTLS  = "tls"    // X callers on one session
	OverUnix = "unix"   // the same
	OverWS   = "ws"     // X connections with a caller each
	OverQUIC = "quic"   // X callers on one connection
	Body64   = "body64" // X callers, messages of 64 KiB
	JSON     = "json"   // X callers, JSON bodies
	Open     = "open"   // X % of the peer's own capacity, times from the scheduled moment
	Blocking = "block"  // handlers that wait for X µs, 1,000 callers
	Procs    = "procs"  // the server has GOMAXPROCS X
	Hot      = "hot"    // quiet sessions beside X callers that never pause
)

// Results is one run.
type Results struct {
	Date     time.Time
	Command  string
	Machine  string
	Rounds   int
	Seconds  float64 // that each sample took
	Peers    []Peer
	Cells    []*Cell
	Failures []string // why the run is invalid; empty if it counts
}

// A Peer is one way to use a framework.
type Peer struct {
	Name    string
	Version string
	How     string // it is used, in a few words
	Ours    bool   // a way to use erpc
	Limit   bool   // hand-written: not to be counted among the best peers
}

// A Cell holds the samples of one peer in one test.
type Cell struct {
	Test    string
	Peer    string
	X       int
	Label   string // of X, where a number says nothing
	Samples []Sample
}

// A Sample is one measurement. Costs are per call, or per message delivered.
type Sample struct {
	Rate          float64 // calls or deliveries per second
	P50, P99, Max float64 // microseconds
	P999          float64
	Client        Cost
	Server        Cost
	SessionBytes  float64 // of Idle: resident bytes that one session adds to the server
	Lost          float64 // of Push: messages that were sent and did not arrive
	Joins         float64 // of Push: sessions that joined, received a push and left, per second
}

// Cost is what one side spent.
type Cost struct {
	CPU        float64 // microseconds
	Allocs     float64
	AllocBytes float64
	Reads      float64 // syscalls
	Writes     float64 // syscalls
	PeakRSS    float64 // bytes, of the whole process
}

// Find returns a cell, or nil if it was not measured.
func (r *Results) Find(test, peer string, x int) *Cell {
	for _, c := range r.Cells {
		if c.Test == test && c.Peer == peer && c.X == x {
			return c
		}
	}
	return nil
}

// Of returns the cells of a test that have samples, in the order of the run.
func (r *Results) Of(test string) (cells []*Cell) {
	for _, c := range r.Cells {
		if c.Test == test && len(c.Samples) > 0 {
			cells = append(cells, c)
		}
	}
	return cells
}

// Peer returns the peer with the given name. If there is none, it returns one
// that only has the name.
func (r *Results) Peer(name string) Peer {
	for _, p := range r.Peers {
		if p.Name == name {
			return p
		}
	}
	return Peer{Name: name}
}

// A Metric picks one number of a sample.
type Metric func(Sample) float64

// The metrics.
var (
	Rate         Metric = func(s Sample) float64 { return s.Rate }
	P50          Metric = func(s Sample) float64 { return s.P50 }
	P99          Metric = func(s Sample) float64 { return s.P99 }
	P999         Metric = func(s Sample) float64 { return s.P999 }
	Max          Metric = func(s Sample) float64 { return s.Max }
	CPU          Metric = func(s Sample) float64 { return s.Client.CPU + s.Server.CPU }
	SessionBytes Metric = func(s Sample) float64 { return s.SessionBytes }
	Lost         Metric = func(s Sample) float64 { return s.Lost }
	Joins        Metric = func(s Sample) float64 { return s.Joins }

	ClientAllocs Metric = func(s Sample) float64 { return s.Client.Allocs }
	ServerAllocs Metric = func(s Sample) float64 { return s.Server.Allocs }
	ClientWrites Metric = func(s Sample) float64 { return s.Client.Writes }
	ServerWrites Metric = func(s Sample) float64 { return s.Server.Writes }
	ClientReads  Metric = func(s Sample) float64 { return s.Client.Reads }
	ServerReads  Metric = func(s Sample) float64 { return s.Server.Reads }
	ClientPeak   Metric = func(s Sample) float64 { return s.Client.PeakRSS }
	ServerPeak   Metric = func(s Sample) float64 { return s.Server.PeakRSS }
)

// A Spread is the median of some samples and their extremes.
type Spread struct{ Median, Min, Max float64 }

// Spread returns the spread of a metric. It is zero for a nil cell.
func (c *Cell) Spread(m Metric) Spread {
	if c == nil || len(c.Samples) == 0 {
		return Spread{}
	}
	v := make([]float64, len(c.Samples))
	for i, s := range c.Samples {
		v[i] = m(s)
	}
	slices.Sort(v)
	n := len(v)
	return Spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}

// Median returns the median of a metric, 0 for a nil cell.
func (c *Cell) Median(m Metric) float64 { return c.Spread(m).Median }

// tooWide is the range, as a share of the median, above which a median is
// unreliable.
const tooWide = 0.3

// Wide reports whether the samples are too far apart for a reliable median.
func (s Spread) Wide() bool { return s.Max-s.Min > tooWide*s.Median }

// ratio returns a/b, or 0 if b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Best returns the cell of the fastest peer that is neither ours nor the limit,
// or nil if there is none.
func (r *Results) Best(test string, x int) *Cell {
	return r.best(test, x, func(c *Cell) float64 { return c.Median(Rate) })
}

// leastP99 is Best by the lowest p99.
func (r *Results) leastP99(test string, x int) *Cell {
	return r.best(test, x, func(c *Cell) float64 { return -c.Median(P99) })
}

// best returns the cell with the highest score among the peers that are neither
// ours nor the limit, nil if there is none.
func (r *Results) best(test string, x int, score func(*Cell) float64) (best *Cell) {
	for _, c := range r.Of(test) {
		if p := r.Peer(c.Peer); c.X == x && !p.Ours && !p.Limit && (best == nil || score(c) > score(best)) {
			best = c
		}
	}
	return best
}
