package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run returns results in which every bar holds, but only just.
func run() *Results {
	r := &Results{
		Date: time.Date(2026, 11, 21, 3, 4, 0, 0, time.UTC), Command: "make bench", Machine: "2 × test", Rounds: 3, Seconds: 0.6,
		Peers: []Peer{
			{Name: Limit, Limit: true}, {Name: Copy, Limit: true}, {Name: V7, Version: "v7.2.2"}, {Name: "other"},
			{Name: Typed, Ours: true}, {Name: Struct, Ours: true}, {Name: VT, Ours: true}, {Name: BytesPeer, Ours: true},
			{Name: BroadcastPeer, Ours: true}, {Name: ChurnPeer, Ours: true}, {Name: PushPeer, Ours: true}, {Name: LoopPeer, Ours: true},
		},
	}
	add := func(test, peer string, x int, s Sample) {
		low, high := s, s
		low.Rate, high.Rate = s.Rate*0.9, s.Rate*1.1
		r.Cells = append(r.Cells, &Cell{Test: test, Peer: peer, X: x, Samples: []Sample{high, s, low}})
	}
	cheap := Cost{CPU: 5, Allocs: 10, Writes: 0.1, Reads: 0.1, PeakRSS: 20 << 20}
	for _, l := range []struct {
		callers           int
		limit, ours, best float64
	}{{1, 1000, 1000, 869}, {100, 1000, 850, 566}, {1000, 1000, 850, 566}, {5000, 1000, 850, 653}} {
		add(Call, Limit, l.callers, Sample{Rate: l.limit, P50: 40, P99: 100, Client: cheap, Server: cheap})
		add(Call, "other", l.callers, Sample{Rate: l.best, P99: 900, Client: cheap, Server: cheap})
		add(Call, V7, l.callers, Sample{Rate: l.ours / 4, P99: 900, Client: cheap, Server: cheap})
		ours := Cost{CPU: 6.25, Allocs: 12, Writes: 0.12, Reads: 0.1, PeakRSS: 20 << 20}
		add(Call, Typed, l.callers, Sample{Rate: l.ours, P99: 150, Client: ours, Server: ours})
		add(Call, VT, l.callers, Sample{Rate: l.limit, P99: 150, Client: ours, Server: ours})
		add(Call, Struct, l.callers, Sample{Rate: l.ours * 0.9, P99: 150, Client: ours, Server: ours})
	}
	add(Bytes, BytesPeer, 100, Sample{Rate: 1000, Client: Cost{Allocs: 3}, Server: Cost{Allocs: 3}})
	add(Push, Limit, 1000, Sample{Rate: 1_000_000})
	add(Push, BroadcastPeer, 1000, Sample{Rate: 850_000, Client: Cost{PeakRSS: 200 << 20}})
	add(Push, ChurnPeer, 1000, Sample{Rate: 765_000, Lost: 7, Joins: 950})
	add(Push, PushPeer, 1000, Sample{Rate: 400_000})
	add(Idle, Typed, 5000, Sample{SessionBytes: 4500})
	add(Idle, LoopPeer, 5000, Sample{SessionBytes: 2200})
	add(Large, BytesPeer, 1, Sample{Rate: 75})
	add(Large, Copy, 1, Sample{Rate: 100})
	for _, n := range []int{0, 8, 64} {
		add(Meta, BytesPeer, n, Sample{Rate: 1000, Client: Cost{CPU: float64(n + 4)}, Server: Cost{CPU: 1}})
	}
	for _, n := range []int{64, 1 << 10, 16 << 20} {
		add(Size, BytesPeer, n, Sample{Rate: 1000, Client: Cost{CPU: float64(n)}, Server: Cost{CPU: 1}})
	}
	r.Cells = append(r.Cells, &Cell{Test: Filter, Peer: BytesPeer, Label: "none", Samples: []Sample{{Rate: 9}}}, &Cell{Test: Sessions, Peer: BytesPeer})
	return r
}

func TestBarsHold(t *testing.T) {
	for _, b := range Bars(run()) {
		if !b.Measured || !b.Pass || b.Note != "" {
			t.Errorf("%v", b)
		}
	}
}

// Each bar fails if its own figure gets a little worse, and no other does that
// has nothing to do with it.
func TestBarsFail(t *testing.T) {
	worse := func(test, peer string, x int, change func(*Sample)) func(*Results) {
		return func(r *Results) {
			s := r.Find(test, peer, x).Samples
			for i := range s {
				change(&s[i])
			}
		}
	}
	slower := func(s *Sample) { s.Rate *= 0.98 }
	faster := func(s *Sample) { s.Rate *= 1.02 }
	for _, c := range []struct {
		name   string
		change func(*Results)
		fails  []string
	}{
		{"slower at 1", worse(Call, Typed, 1, slower), []string{"1 callers, calls/s of the limit's", "1 callers, calls/s of those of the best peer"}},
		{"slower at 5000", worse(Call, Typed, 5000, slower), []string{"5000 callers, calls/s of the limit's", "5000 callers, calls/s of those of the best peer"}},
		{"slower vtprotobuf", worse(Call, VT, 1000, slower), []string{"1000 callers, calls/s with vtprotobuf"}},
		{"faster peer", worse(Call, "other", 1000, faster), []string{"1000 callers, calls/s of those of the best peer, other"}},
		{"faster v7", worse(Call, V7, 100, faster), []string{"of those of v7"}},
		{"slower structs", worse(Call, Struct, 100, slower), []string{"struct handlers"}},
		{"CPU", worse(Call, Typed, 100, func(s *Sample) { s.Server.CPU += 0.2 }), []string{"CPU per call"}},
		{"p99", worse(Call, Typed, 100, func(s *Sample) { s.P99++ }), []string{"p99"}},
		{"client writes", worse(Call, Typed, 100, func(s *Sample) { s.Client.Writes = 0.13 }), []string{"write syscalls per call, client"}},
		{"server writes", worse(Call, Typed, 100, func(s *Sample) { s.Server.Writes = 0.13 }), []string{"write syscalls per call, server"}},
		{"client allocations", worse(Call, Typed, 100, func(s *Sample) { s.Client.Allocs = 13 }), []string{"allocations per call, client"}},
		{"server allocations", worse(Call, Typed, 100, func(s *Sample) { s.Server.Allocs = 13 }), []string{"allocations per call, server"}},
		{"client allocations of bytes", worse(Bytes, BytesPeer, 100, func(s *Sample) { s.Client.Allocs = 4 }), []string{"client, []byte"}},
		{"server allocations of bytes", worse(Bytes, BytesPeer, 100, func(s *Sample) { s.Server.Allocs = 4 }), []string{"server, []byte"}},
		{"broadcast", worse(Push, BroadcastPeer, 1000, slower), []string{"Broadcast to"}},
		{"broadcast with joins", worse(Push, ChurnPeer, 1000, slower), []string{"join and leave, delivered/s"}},
		{"fewer joins", worse(Push, ChurnPeer, 1000, func(s *Sample) { s.Joins-- }), []string{"meanwhile, sessions that join"}},
		{"loss", func(r *Results) { r.Find(Push, BroadcastPeer, 1000).Samples[2].Lost = 1 }, []string{"lost"}},
		{"client memory", worse(Push, BroadcastPeer, 1000, func(s *Sample) { s.Client.PeakRSS += 1 << 20 }), []string{"client memory"}},
		{"push", worse(Push, PushPeer, 1000, slower), []string{"RangeSession"}},
		{"idle", worse(Idle, Typed, 5000, func(s *Sample) { s.SessionBytes++ }), []string{"default transport"}},
		{"idle on the loop", worse(Idle, LoopPeer, 5000, func(s *Sample) { s.SessionBytes++ }), []string{"event loop"}},
		{"large", worse(Large, BytesPeer, 1, slower), []string{"16 MiB"}},
	} {
		r := run()
		c.change(r)
		var failed []string
		for _, b := range Bars(r) {
			if !b.Pass {
				failed = append(failed, b.What)
			}
		}
		if len(failed) != len(c.fails) {
			t.Errorf("%s: failed %q, want %q", c.name, failed, c.fails)
			continue
		}
		for i := range failed {
			if !strings.Contains(failed[i], c.fails[i]) {
				t.Errorf("%s: failed %q, want %q", c.name, failed[i], c.fails[i])
			}
		}
	}
}

func TestBarsWithoutFigures(t *testing.T) {
	for _, b := range Bars(&Results{}) {
		if b.Measured || b.Pass || !strings.Contains(b.String(), "not measured") {
			t.Errorf("%v", b)
		}
	}
}

func TestWideSpreadIsMarked(t *testing.T) {
	r := run()
	r.Find(Call, Typed, 100).Samples[0].Rate = 2000
	marked := 0
	for _, b := range Bars(r) {
		if strings.Contains(b.Note, "samples of erpc range from 765 to 2,000") {
			marked++
		}
	}
	if marked != 4 { // of the limit, of the best, struct against it, of v7
		t.Errorf("%d bars are marked", marked)
	}
	if !strings.Contains(Write(r).Markdown, "≈ 850 (765–2,000)") {
		t.Error("the table does not mark it")
	}
}

func TestSpread(t *testing.T) {
	c := &Cell{Samples: []Sample{{Rate: 4}, {Rate: 1}, {Rate: 3}, {Rate: 2}}}
	if s := c.Spread(Rate); s != (Spread{2.5, 1, 4}) || !s.Wide() {
		t.Errorf("%+v", s)
	}
	c.Samples = c.Samples[2:3]
	if s := c.Spread(Rate); s != (Spread{3, 3, 3}) || s.Wide() {
		t.Errorf("%+v", s)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.1234: "0.123", 1.005: "1.00", 12.34: "12.3", 123.4: "123", 1234: "1,234", 1234567.8: "1,234,568", -1234: "-1,234", -123: "-123"} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
	for n, want := range map[int]string{1: "1", 10: "10", 100: "100", 20_000: "20,000"} {
		if got := count(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int]string{64: "64 B", 1024: "1 KiB", 1500: "1500 B", 16 << 20: "16 MiB"} {
		if got := bytesOf(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// Every chart is XML, and every chart that the text shows is there.
func TestPage(t *testing.T) {
	r := run()
	r.Peers[3].Name, r.Peers[3].How = "other", "<used> & how"
	p := Write(r)
	for name, svg := range p.Charts {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
		if !strings.Contains(p.Markdown, "](performance/"+name+")") {
			t.Errorf("%s is not shown", name)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s has no numbers:\n%s", name, svg)
		}
	}
	for _, want := range []string{
		"calls-1.svg", "calls-100.svg", "calls-1000.svg", "calls-5000.svg", "push.svg", "idle.svg", "large-1.svg", "growth-meta.svg", "growth-size.svg",
	} {
		if p.Charts[want] == "" {
			t.Errorf("no %s", want)
		}
	}
	if p.Charts["growth-sessions.svg"] != "" || p.Charts["growth-filter.svg"] != "" {
		t.Error("a chart without figures, or of a single one")
	}
	for _, want := range []string{
		"run `make bench` instead", "2026-11-21 03:04 UTC", "2 × test", "33 of 33 goals are met", "| v7 | v7.2.2 |",
		"| limit | 1,000 (900–1,100) | 1.00 | 40.0 | 100 |", "| 16 MiB |", "| other | 869 (782–956) | 0.869 |",
	} {
		if !strings.Contains(p.Markdown, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(p.Markdown, "is invalid") {
		t.Error("a good run is called bad")
	}
	r.Failures = []string{"a wrong reply"}
	if md := Write(r).Markdown; !strings.Contains(md, "is invalid") || !strings.Contains(md, "a wrong reply") {
		t.Error("a bad run is not called so")
	}
}

func TestChartScale(t *testing.T) {
	svg := barChart("a <b> & c", []chartBar{{"x", Spread{50, 40, 100}, "ours"}, {"y", Spread{100, 100, 100}, "peer"}})
	for _, want := range []string{"a &lt;b&gt; &amp; c", `class="ours" x="230" y="50" width="200.0"`, `class="peer" x="230" y="74" width="400.0"`, `x1="390.0" x2="630.0"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	if barChart("none", []chartBar{{"x", Spread{}, "peer"}}) != "" || lineChart("one", []chartPoint{{"a", 1}}, false) != "" {
		t.Error("a chart of nothing")
	}
	line := lineChart("log", []chartPoint{{"a", 1}, {"b", 10}, {"c", 100}}, true)
	if !strings.Contains(line, `points="196.7,260.0 410.0,154.0 623.3,48.0"`) {
		t.Errorf("powers of ten are not at equal distances:\n%s", line)
	}
	low := lineChart("log", []chartPoint{{"a", 5}, {"b", 50}}, true) // from 1 to 100: 5 is above the lowest line
	if !strings.Contains(low, `y="264.0">1<`) || !strings.Contains(low, `y="158.0">10<`) || !strings.Contains(low, `points="250.0,185.9 `) {
		t.Errorf("the scale does not begin at 1:\n%s", low)
	}
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 1: "1", 2.5: "2.5", 10: "10", 100: "100", 2500: "2,500"} {
		if got := tick(v); got != want {
			t.Errorf("the tick %v is %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]float64{1: 1, 1.5: 2, 3: 4, 7: 8, 9: 10, 45: 80, 0.3: 0.4} {
		if got := niceTop(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("the top above %v is %v, want %v", v, got, want)
		}
	}
}

func TestSave(t *testing.T) {
	docs := t.TempDir()
	p := Write(run())
	if err := os.MkdirAll(filepath.Join(docs, chartDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old.svg", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(docs, chartDir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Save(docs); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(docs, PageName)); err != nil || string(b) != p.Markdown {
		t.Errorf("the page: %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(docs, chartDir))
	if err != nil || len(entries) != len(p.Charts)+1 {
		t.Errorf("%d files for %d charts and a note, %v", len(entries), len(p.Charts), err)
	}
	if _, err := os.Stat(filepath.Join(docs, chartDir, "old.svg")); err == nil {
		t.Error("an old chart stays")
	}
}
