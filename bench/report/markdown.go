package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Page is the report: its text and the charts in it.
type Page struct {
	Markdown string
	Charts   map[string]string // file name → SVG
}

// chartDir is the directory of the charts, relative to the page.
const chartDir = "performance"

// Write turns results into a page.
func Write(r *Results) Page {
	w := &writer{r: r, charts: map[string]string{}}
	w.head()
	w.bars()
	w.calls()
	w.bytes()
	w.push()
	w.idle()
	w.large()
	w.growth()
	w.peers()
	return Page{Markdown: w.String(), Charts: w.charts}
}

type writer struct {
	strings.Builder
	r      *Results
	charts map[string]string
}

func (w *writer) f(format string, args ...any) { fmt.Fprintf(&w.Builder, format, args...) }

// row writes one row of a table.
func (w *writer) row(cells ...string) { w.f("| %s |\n", strings.Join(cells, " | ")) }

// table writes the head of a table; all columns but the first are numbers.
func (w *writer) table(heads ...string) {
	w.row(heads...)
	w.f("|---|%s\n", strings.Repeat("---:|", len(heads)-1))
}

// chart adds a chart to the page. It ignores an empty one.
func (w *writer) chart(name, title, svg string) {
	if svg == "" {
		return
	}
	w.charts[name+".svg"] = svg
	w.f("![%s](%s/%s.svg)\n\n", title, chartDir, name)
}

func (w *writer) head() {
	w.f("# Performance\n\n")
	w.f("Written by `bench/cmd/erpcbench`; do not edit it, run `%s` instead.\n\n", w.r.Command)
	w.f("- Date: %s\n- Machine: %s\n", w.r.Date.UTC().Format("2006-01-02 15:04 UTC"), w.r.Machine)
	w.f("- Rounds: %d, of %g s each; the peers take turns within a round, in random order\n", w.r.Rounds, w.r.Seconds)
	w.f("- Server and client are two processes on loopback, restarted for each sample. Each caller waits for the reply before it sends the next call.\n")
	w.f("- Each figure is the median of the rounds. Ranges in brackets and whiskers in charts span from the smallest to the largest sample. A figure is marked with ≈ if its range is wider than 30 %% of it: such a figure is unreliable.\n\n")
	w.f("Streams have [a page of their own](%s/streams.md), written by `make bench-streams`, and so have [other transports, bodies and loads](%s/shapes.md), by `make bench-shapes`, [clusters](%s/cluster.md), by `make bench-cluster`, and [the smallest servers](%s/hello.md), by `make bench-hello`.\n\n", chartDir, chartDir, chartDir, chartDir)
	if len(w.r.Failures) > 0 {
		w.f("**This run is invalid**, because:\n\n")
		for _, f := range w.r.Failures {
			w.f("- %s\n", f)
		}
		w.f("\n")
	}
}

func (w *writer) bars() { w.barTable(Bars(w.r)) }

func (w *writer) barTable(bars []Bar) {
	w.f("## Goals\n\n")
	w.row("what", "goal", "measured", "")
	w.f("|---|---:|---:|---|\n")
	passed, measured := 0, 0
	for _, b := range bars {
		verdict := "–"
		if b.Measured {
			measured++
			verdict = "**fail**"
			if b.Pass {
				passed++
				verdict = "pass"
			}
		}
		if b.Note != "" {
			verdict += " (≈: " + b.Note + ")"
		}
		w.row(b.What, b.Want, b.Got, verdict)
	}
	w.f("\n%d of %d goals are met; %d were not measured.\n\n", passed, measured, len(bars)-measured)
}

// approx formats the median of a metric, with a mark if it is unreliable.
func approx(c *Cell, m Metric) string {
	s := c.Spread(m)
	if s.Wide() {
		return "≈ " + number(s.Median)
	}
	return number(s.Median)
}

func pair(c *Cell, a, b Metric) string { return number(c.Median(a)) + " + " + number(c.Median(b)) }

func (w *writer) calls() {
	if len(w.r.Of(Call)) == 0 {
		return
	}
	w.f("## Calls\n\nN callers over one session; a 581-byte protobuf message, decoded by the server, two fields changed, encoded back, checked by the client. Pairs are client + server.\n\n")
	for _, n := range w.levels(Call) {
		cells := w.at(Call, n)
		title := fmt.Sprintf("calls per second, %s callers", count(n))
		if n == 1 {
			title = "calls per second, 1 caller"
		}
		w.f("### %s\n\n", plural(n, "caller"))
		w.chart(fmt.Sprintf("calls-%d", n), title, w.barsOf(title, cells, Rate, 1))
		limit := w.r.Find(Call, Limit, n).Median(Rate)
		w.table("", "calls/s", "of the limit", "p50 µs", "p99 µs", "max µs", "CPU µs/call", "allocations", "writes", "reads", "peak MiB")
		for _, c := range cells {
			s := c.Spread(Rate)
			w.row(c.Peer, fmt.Sprintf("%s (%s–%s)", approx(c, Rate), number(s.Min), number(s.Max)), number(ratio(s.Median, limit)),
				number(c.Median(P50)), approx(c, P99), number(c.Median(Max)), approx(c, CPU),
				pair(c, ClientAllocs, ServerAllocs), w.syscalls(c, ClientWrites, ServerWrites), w.syscalls(c, ClientReads, ServerReads),
				fmt.Sprintf("%.0f + %.0f", c.Median(ClientPeak)/(1<<20), c.Median(ServerPeak)/(1<<20)))
		}
		w.f("\n")
	}
}

// syscalls formats a pair, or a dash if the kernel counts no calls because the
// peer uses sendmsg and recvmsg.
func (w *writer) syscalls(c *Cell, a, b Metric) string {
	if c.Median(a) < 0.001 && c.Median(b) < 0.001 {
		return "–"
	}
	return pair(c, a, b)
}

func (w *writer) bytes() {
	cells := w.r.Of(Bytes)
	if len(cells) == 0 {
		return
	}
	w.f("## []byte bodies\n\nThe same number of bytes, sent back unchanged, without a codec.\n\n")
	w.table("", "callers", "calls/s", "p99 µs", "CPU µs/call", "allocations", "bytes allocated")
	for _, c := range cells {
		w.row(c.Peer, count(c.X), approx(c, Rate), approx(c, P99), approx(c, CPU), pair(c, ClientAllocs, ServerAllocs),
			pair(c, func(s Sample) float64 { return s.Client.AllocBytes }, func(s Sample) float64 { return s.Server.AllocBytes }))
	}
	w.f("\n")
}

func (w *writer) push() {
	for _, n := range w.levels(Push) {
		cells := w.at(Push, n)
		title := fmt.Sprintf("messages delivered per second, pushed to %s sessions", count(n))
		w.f("## Push\n\n128 bytes to each of %s sessions, repeatedly; the client process counts what is delivered. The limit puts 16 messages into one write.\n\n", count(n))
		w.chart("push", title, w.barsOf(title, cells, Rate, 1))
		w.table("", "delivered/s", "CPU µs/message", "lost", "client MiB", "server MiB")
		for _, c := range cells {
			w.row(c.Peer, approx(c, Rate), approx(c, CPU), number(c.Spread(Lost).Max), number(c.Median(ClientPeak)/(1<<20)), number(c.Median(ServerPeak)/(1<<20)))
		}
		w.f("\n")
	}
}

func (w *writer) idle() {
	for _, n := range w.levels(Idle) {
		cells := w.at(Idle, n)
		slices.Reverse(cells) // the least is the best
		title := "resident bytes of the server per idle session"
		w.f("## Idle sessions\n\n%s sessions, each of which made one call, a second ago or longer; resident memory of the server after a garbage collection, minus its memory after one session had come, called and gone.\n\n", count(n))
		w.chart("idle", title, w.barsOf(title, cells, SessionBytes, 1))
	}
}

func (w *writer) large() {
	for _, n := range w.levels(Large) {
		const mib16 = 16 << 20
		cells := w.at(Large, n)
		title := fmt.Sprintf("GB/s of 16 MiB bodies, echoed, %s", plural(n, "caller"))
		w.f("## Large bodies, %s\n\n`copy` is a server that only does `io.Copy` on the connection, which streams; `store` reads a body to its end before it sends it back, as an RPC must. Bodies count once, not once for each way.\n\n", plural(n, "caller"))
		w.chart(fmt.Sprintf("large-%d", n), title, w.barsOf(title, cells, Rate, mib16/1e9))
		w.table("", "GB/s", "CPU ms/call", "MiB allocated per call", "peak MiB")
		for _, c := range cells {
			w.row(c.Peer, number(c.Median(Rate)*mib16/1e9), number(c.Median(CPU)/1e3),
				pair(c, func(s Sample) float64 { return s.Client.AllocBytes / (1 << 20) }, func(s Sample) float64 { return s.Server.AllocBytes / (1 << 20) }),
				pair(c, func(s Sample) float64 { return s.Client.PeakRSS / (1 << 20) }, func(s Sample) float64 { return s.Server.PeakRSS / (1 << 20) }))
		}
		w.f("\n")
	}
}

// growth writes how the cost of erpc grows with the work.
func (w *writer) growth() {
	first := true
	for _, g := range []struct {
		test, title, unit string
		metric            Metric
		log               bool
	}{
		{Meta, "CPU µs per call, by metadata entries", "entries", CPU, false},
		{Plugins, "CPU µs per call, by plugins on either side", "plugins", CPU, false},
		{Filter, "CPU µs per call, by transfer filter", "filter", CPU, false},
		{Size, "CPU µs per call, by bytes of the body", "body", CPU, true},
		{Sessions, "CPU µs per call, by sessions that share 100 callers", "sessions", CPU, false},
	} {
		cells := w.r.Of(g.test)
		if len(cells) == 0 {
			continue
		}
		if first {
			w.f("## Cost against growing work\n\nerpc alone.\n\n")
			first = false
		}
		var points []chartPoint
		for _, c := range cells {
			points = append(points, chartPoint{w.labelOf(c), c.Median(g.metric)})
		}
		w.chart("growth-"+g.test, g.title, lineChart(g.title, points, g.log))
		w.table(g.unit, "calls/s", "CPU µs/call", "p99 µs", "allocations", "server MiB")
		for _, c := range cells {
			w.row(w.labelOf(c), approx(c, Rate), approx(c, CPU), approx(c, P99), pair(c, ClientAllocs, ServerAllocs), number(c.Median(ServerPeak)/(1<<20)))
		}
		w.f("\n")
	}
}

func (w *writer) labelOf(c *Cell) string {
	switch {
	case c.Label != "":
		return c.Label
	case c.Test == Size:
		return bytesOf(c.X)
	}
	return count(c.X)
}

func (w *writer) peers() {
	w.f("## The peers\n\n")
	w.row("name", "version", "used how")
	w.f("|---|---|---|\n")
	for _, p := range w.r.Peers {
		w.row(p.Name, p.Version, p.How)
	}
	w.f("\nWrites and reads are the system calls of these names per call. The kernel's `/proc/self/io` does not count sendmsg and recvmsg, which kitex uses, but does count the short writes with which Go's runtime wakes its poller. CPU is user and system time of both processes.\n")
}

// levels returns the values of X in a test, ascending.
func (w *writer) levels(test string) (all []int) {
	for _, c := range w.r.Of(test) {
		all = append(all, c.X)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// at returns the cells of one level, the limit first, then by falling rate or,
// for idle sessions, by falling size.
func (w *writer) at(test string, x int) (cells []*Cell) {
	m := Rate
	if test == Idle {
		m = SessionBytes
	}
	for _, c := range w.r.Of(test) {
		if c.X == x {
			cells = append(cells, c)
		}
	}
	slices.SortStableFunc(cells, func(a, b *Cell) int {
		la, lb := w.r.Peer(a.Peer).Limit, w.r.Peer(b.Peer).Limit
		if la != lb {
			if la {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Median(m), a.Median(m))
	})
	return cells
}

// barsOf draws a metric of cells, times unit.
func (w *writer) barsOf(title string, cells []*Cell, m Metric, unit float64) string {
	var bars []chartBar
	for _, c := range cells {
		s := c.Spread(m)
		b := chartBar{label: c.Peer, s: Spread{s.Median * unit, s.Min * unit, s.Max * unit}, style: "peer"}
		if p := w.r.Peer(c.Peer); p.Ours {
			b.style = "ours"
		} else if p.Limit {
			b.style = "limit"
		}
		bars = append(bars, b)
	}
	return barChart(title, bars)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}
