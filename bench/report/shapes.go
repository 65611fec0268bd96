package report

import (
	"fmt"
	"path/filepath"
	"slices"
)

// ShapesName is the file that SaveShapes writes to, below the directory of
// pages.
const ShapesName = "performance/shapes.md"

// A shape is one section of the page.
type shape struct {
	test  string
	title func(x int) string
	what  string
	times bool // show p99.9, which only an open loop knows truly
}

var shapes = []shape{
	{Conns, func(x int) string { return count(x) + " connections with a caller each" }, "Nothing can be coalesced: each message is one system call at each end.", false},
	{OverTLS, func(int) string { return "TLS 1.3" }, "100 callers on one session. kitex's network library has no TLS.", false},
	{OverUnix, func(int) string { return "Unix sockets" }, "100 callers on one session.", false},
	{OverWS, func(x int) string { return "WebSocket, " + count(x) + " connections with a caller each" }, "The others are echoes by hand, without methods, deadlines or a place for several calls.", false},
	{OverQUIC, func(int) string { return "QUIC" }, "100 callers on one connection. quic-go by hand has a stream for each caller; erpc has one for the session.", false},
	{Body64, func(int) string { return "Messages of 64 KiB" }, "10 callers on one session; one text of the message is 64 KiB longer.", false},
	{JSON, func(int) string { return "JSON" }, "100 callers on one session, the same message as JSON.", false},
	{Procs, func(x int) string { return fmt.Sprintf("A server with GOMAXPROCS=%d", x) }, "100 callers on one session.", false},
	{Blocking, func(x int) string { return fmt.Sprintf("Handlers that wait for %d ms", x/1000) }, "1,000 callers on one session; the maximum is 1,000 calls in that time.", false},
	{Open, func(x int) string { return fmt.Sprintf("Open loop at %d %% of capacity", x) }, "Calls at random moments, at this share of what the same processes did in a closed loop just before. Times count from the moment for which a call was scheduled.", true},
	{Hot, func(x int) string {
		if x == 0 {
			return "1,000 quiet sessions"
		}
		return fmt.Sprintf("1,000 quiet sessions beside one with %s callers", count(x))
	}, "Each quiet session makes one call a second, at random moments; only these are measured.", true},
}

// ShapeBars judges the shapes: erpc is ahead of the best peer in each, and
// quiet sessions wait no more than twice as long beside a hot one.
func ShapeBars(r *Results) []Bar {
	j := &judge{r: r}
	w := &writer{r: r}
	for _, s := range shapes {
		if s.test == Hot || s.test == Open { // the rate is given
			continue
		}
		for _, x := range w.levels(s.test) {
			ours, best := r.Find(s.test, Typed, x), r.Best(s.test, x)
			j.least(s.title(x)+", calls/s of those of "+nameOfBest(best), "%.2f", ratio(ours.Median(Rate), best.Median(Rate)), 1, Rate, ours, best)
		}
	}
	if levels := w.levels(Procs); len(levels) > 1 { // more processors than there are must not be a burden
		few, many := levels[0], levels[len(levels)-1]
		with, without := r.Find(Procs, Typed, many), r.Find(Procs, Typed, few)
		j.least(fmt.Sprintf("A server with GOMAXPROCS=%d, calls/s of those with %d", many, few), "%.2f", ratio(with.Median(Rate), without.Median(Rate)), 0.75, Rate, with, without)
	}
	for _, x := range w.levels(Open) {
		ours, best := r.Find(Open, Typed, x), r.leastP99(Open, x)
		j.most(fmt.Sprintf("Open loop at %d %%, p99 of that of %s", x, nameOfBest(best)), "%.2f", ratio(ours.Median(P99), best.Median(P99)), 1, P99, ours, best)
	}
	if levels := w.levels(Hot); len(levels) > 1 {
		without, with := r.Find(Hot, Typed, levels[0]), r.Find(Hot, Typed, levels[len(levels)-1])
		j.most("p99 of 1,000 quiet sessions beside a hot one, of that without it", "%.2f", ratio(with.Median(P99), without.Median(P99)), 2, P99, with, without)
	}
	return j.bars
}

// WriteShapes returns the page of shapes.
func WriteShapes(r *Results) string {
	w := &writer{r: r}
	w.f("# Other transports, bodies and loads\n\n")
	w.f("Written by `bench/cmd/erpcbench -shapes`; do not edit it, run `%s` instead. [Performance](../performance.md) explains how it measures, and has calls over TCP in detail.\n\n", r.Command)
	w.f("- Date: %s\n- Machine: %s\n- Rounds: %d\n\n", r.Date.UTC().Format("2006-01-02 15:04 UTC"), r.Machine, r.Rounds)
	w.barTable(ShapeBars(r))
	for _, s := range shapes {
		for _, x := range w.levels(s.test) {
			w.f("## %s\n\n%s\n\n", s.title(x), s.what)
			w.shape(s, x)
		}
	}
	w.peers()
	return w.String()
}

func (w *writer) shape(s shape, x int) {
	cells := w.at(s.test, x)
	heads := []string{"", "calls/s", "p50 µs", "p99 µs", "CPU µs/call", "server MiB"}
	if s.times {
		heads = slices.Insert(heads, 4, "p99.9 µs")
	}
	w.table(heads...)
	for _, c := range cells {
		sp := c.Spread(Rate)
		row := []string{c.Peer, fmt.Sprintf("%s (%s–%s)", approx(c, Rate), number(sp.Min), number(sp.Max)), number(c.Median(P50)), approx(c, P99),
			approx(c, CPU), number(c.Median(ServerPeak) / (1 << 20))}
		if s.times {
			row = slices.Insert(row, 4, approx(c, P999))
		}
		w.row(row...)
	}
	w.f("\n")
}

// SaveShapes writes the page of shapes below the directory docs.
func SaveShapes(r *Results, docs string) error {
	return writeFile(filepath.Join(docs, filepath.FromSlash(ShapesName)), WriteShapes(r))
}
