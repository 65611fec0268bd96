package report

import "fmt"

// Names of the peers that the bars are about.
const (
	Limit         = "limit"
	Typed         = "erpc"           // HandleCall
	Struct        = "erpc-struct"    // RouteCall
	VT            = "erpc-vt"        // HandleCall, messages of vtprotobuf
	BytesPeer     = "erpc-bytes"     // []byte bodies
	BroadcastPeer = "erpc-broadcast" // Broadcast
	ChurnPeer     = "erpc-churn"     // Broadcast while sessions join and leave
	PushPeer      = "erpc-push"      // RangeSession and Push
	LoopPeer      = "erpc-loop"      // the event-loop transport
	V7            = "v7"
	Copy          = "copy"
)

// A Bar is one goal of the project.
type Bar struct {
	What string
	Want string
	Got  string
	Note string
	// Measured is false if the run has no figures for the bar, and Pass means
	// nothing then.
	Measured, Pass bool
}

// A judge collects bars.
type judge struct {
	r    *Results
	bars []Bar
}

// Bars compares r with the goals of the project.
func Bars(r *Results) []Bar {
	j := &judge{r: r}
	for _, b := range []struct {
		callers     int
		limit, best float64
	}{{1, 1, 1.15}, {100, 0.85, 1.5}, {1000, 0.85, 1.5}, {5000, 0.85, 1.3}} {
		j.rates(b.callers, b.limit, b.best)
	}
	j.hundred()
	j.push()
	j.idle()
	j.large()
	return j.bars
}

// add records a bar: got must be at least want, or at most if most is true.
// Cells that lack samples make it unmeasured; wide ones are noted.
func (j *judge) add(what, format string, got, want float64, most bool, m Metric, cells ...*Cell) {
	b := Bar{What: what, Measured: true, Want: "≥ " + fmt.Sprintf(format, want), Got: fmt.Sprintf(format, got)}
	b.Pass = got >= want
	if most {
		b.Want, b.Pass = "≤ "+fmt.Sprintf(format, want), got <= want
	}
	for _, c := range cells {
		if c == nil || len(c.Samples) == 0 {
			b.Measured, b.Pass, b.Got = false, false, "not measured"
			break
		}
		if s := c.Spread(m); s.Wide() {
			if b.Note != "" {
				b.Note += ", "
			}
			b.Note += fmt.Sprintf("samples of %s range from %s to %s", c.Peer, number(s.Min), number(s.Max))
		}
	}
	j.bars = append(j.bars, b)
}

func (j *judge) least(what, format string, got, want float64, m Metric, cells ...*Cell) {
	j.add(what, format, got, want, false, m, cells...)
}

func (j *judge) most(what, format string, got, want float64, m Metric, cells ...*Cell) {
	j.add(what, format, got, want, true, m, cells...)
}

// nameOfBest returns the name of the best peer for the text of a bar. best may
// be nil.
func nameOfBest(best *Cell) string {
	if best == nil {
		return "the best peer"
	}
	return "the best peer, " + best.Peer
}

func (j *judge) rates(callers int, ofLimit, ofBest float64) {
	ours, limit, best := j.r.Find(Call, Typed, callers), j.r.Find(Call, Limit, callers), j.r.Best(Call, callers)
	j.least(fmt.Sprintf("%d callers, calls/s of the limit's", callers), "%.2f",
		ratio(ours.Median(Rate), limit.Median(Rate)), ofLimit, Rate, ours, limit)
	j.least(fmt.Sprintf("%d callers, calls/s of those of %s", callers, nameOfBest(best)), "%.2f",
		ratio(ours.Median(Rate), best.Median(Rate)), ofBest, Rate, ours, best)
	j.most(fmt.Sprintf("%d callers, CPU per call of the limit's", callers), "%.2f", ratio(ours.Median(CPU), limit.Median(CPU)), 1.25, CPU, ours, limit)
	if callers > 1 {
		vt := j.r.Find(Call, VT, callers)
		j.least(fmt.Sprintf("%d callers, calls/s with vtprotobuf of the limit's, which has none", callers), "%.2f",
			ratio(vt.Median(Rate), limit.Median(Rate)), 1, Rate, vt, limit)
	}
}

// hundred adds the bars for 100 callers.
func (j *judge) hundred() {
	const n = 100
	ours, limit, v7 := j.r.Find(Call, Typed, n), j.r.Find(Call, Limit, n), j.r.Find(Call, V7, n)
	j.most("100 callers, p99 of the limit's", "%.2f", ratio(ours.Median(P99), limit.Median(P99)), 1.5, P99, ours, limit)
	j.most("100 callers, write syscalls per call, client", "%.3f", ours.Median(ClientWrites), 0.12, ClientWrites, ours)
	j.most("100 callers, write syscalls per call, server", "%.3f", ours.Median(ServerWrites), 0.12, ServerWrites, ours)
	j.most("100 callers, allocations per call, client", "%.1f", ours.Median(ClientAllocs), 12, ClientAllocs, ours)
	j.most("100 callers, allocations per call, server", "%.1f", ours.Median(ServerAllocs), 12, ServerAllocs, ours)
	bytes := j.r.Find(Bytes, BytesPeer, n)
	j.most("100 callers, allocations per call, client, []byte bodies", "%.1f", bytes.Median(ClientAllocs), 3, ClientAllocs, bytes)
	j.most("100 callers, allocations per call, server, []byte bodies", "%.1f", bytes.Median(ServerAllocs), 3, ServerAllocs, bytes)
	str := j.r.Find(Call, Struct, n)
	j.least("100 callers, calls/s of struct handlers, of those of typed ones", "%.2f", ratio(str.Median(Rate), ours.Median(Rate)), 0.9, Rate, str, ours)
	j.least("100 callers, calls/s of those of v7", "%.2f", ratio(ours.Median(Rate), v7.Median(Rate)), 4, Rate, ours, v7)
}

func (j *judge) push() {
	const sessions = 1000
	b, p, limit := j.r.Find(Push, BroadcastPeer, sessions), j.r.Find(Push, PushPeer, sessions), j.r.Find(Push, Limit, sessions)
	j.least("Broadcast to 1,000 sessions, delivered/s of the limit's", "%.2f", ratio(b.Median(Rate), limit.Median(Rate)), 0.85, Rate, b, limit)
	churn := j.r.Find(Push, ChurnPeer, sessions)
	j.least("Broadcast while 1,000 sessions a second join and leave, delivered/s of those without", "%.2f", ratio(churn.Median(Rate), b.Median(Rate)), 0.9, Rate, churn, b)
	j.least("Broadcast meanwhile, sessions that join and leave, per second", "%.0f", churn.Median(Joins), 950, Joins, churn)
	j.most("Broadcast, messages lost", "%.0f", b.Spread(Lost).Max, 0, Lost, b)
	j.most("Broadcast, MiB of client memory", "%.0f", b.Median(ClientPeak)/(1<<20), 200, ClientPeak, b)
	j.least("RangeSession and Push to 1,000 sessions, delivered/s", "%.0f", p.Median(Rate), 400_000, Rate, p)
}

func (j *judge) idle() {
	const sessions = 5000
	def, loop := j.r.Find(Idle, Typed, sessions), j.r.Find(Idle, LoopPeer, sessions)
	j.most("idle session, bytes, default transport", "%.0f", def.Median(SessionBytes), 4500, SessionBytes, def)
	j.most("idle session, bytes, event loop", "%.0f", loop.Median(SessionBytes), 2200, SessionBytes, loop)
}

func (j *judge) large() {
	ours, plain := j.r.Find(Large, BytesPeer, 1), j.r.Find(Large, Copy, 1)
	j.least("16 MiB echo, throughput of that of io.Copy", "%.2f", ratio(ours.Median(Rate), plain.Median(Rate)), 0.75, Rate, ours, plain)
}

// String returns the bar as a line of text.
func (b Bar) String() string {
	verdict := "-   "
	if b.Measured {
		verdict = "FAIL"
		if b.Pass {
			verdict = "pass"
		}
	}
	s := fmt.Sprintf("%s  %-72s %s, asked for %s", verdict, b.What, b.Got, b.Want)
	if b.Note != "" {
		s += "  ≈ " + b.Note
	}
	return s
}
