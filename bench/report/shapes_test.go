package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shapesRun returns results in which every bar of the shapes holds, but only
// just.
func shapesRun() *Results {
	r := &Results{Command: "make bench-shapes", Rounds: 1, Peers: []Peer{{Name: Limit, Limit: true}, {Name: "other"}, {Name: "slow"}, {Name: Typed, Ours: true}}}
	for _, c := range []struct {
		test string
		x    int
	}{
		{Conns, 1000}, {OverTLS, 100}, {OverUnix, 100}, {OverWS, 100}, {OverQUIC, 100}, {Body64, 10}, {JSON, 100},
		{Procs, 1}, {Procs, 8}, {Blocking, 1000}, {Open, 30}, {Open, 70}, {Hot, 0}, {Hot, 100},
	} {
		ours := Sample{Rate: 100, P50: 10, P99: 50, P999: 70}
		if c.test == Hot && c.x == 0 {
			ours.P99 = 25
		}
		r.Cells = append(r.Cells,
			&Cell{Test: c.test, Peer: Typed, X: c.x, Samples: []Sample{ours}},
			&Cell{Test: c.test, Peer: "other", X: c.x, Samples: []Sample{{Rate: 100, P99: 50}}},
			&Cell{Test: c.test, Peer: "slow", X: c.x, Samples: []Sample{{Rate: 60, P99: 80}}},
			&Cell{Test: c.test, Peer: Limit, X: c.x, Samples: []Sample{{Rate: 200, P99: 5}}})
	}
	return r
}

func TestShapeBars(t *testing.T) {
	bars := ShapeBars(shapesRun())
	if len(bars) != 14 {
		t.Errorf("%d bars", len(bars))
	}
	for _, b := range bars {
		if !b.Measured || !b.Pass {
			t.Errorf("%v", b)
		}
	}
	for _, tc := range []struct {
		test  string
		x     int
		worse Sample
		fails string
	}{
		{Conns, 1000, Sample{Rate: 98}, "connections with a caller each"},
		{OverWS, 100, Sample{Rate: 98}, "WebSocket"},
		{Procs, 8, Sample{Rate: 98}, "GOMAXPROCS=8, calls/s of those of the best"},
		{Blocking, 1000, Sample{Rate: 98}, "wait for 1 ms"},
		{Open, 70, Sample{Rate: 100, P99: 51}, "Open loop at 70 %"},
		{Hot, 100, Sample{Rate: 100, P99: 51}, "quiet sessions"},
	} {
		r := shapesRun()
		r.Find(tc.test, Typed, tc.x).Samples = []Sample{tc.worse}
		var failed []string
		for _, b := range ShapeBars(r) {
			if !b.Pass {
				failed = append(failed, b.What)
			}
		}
		if len(failed) != 1 || !strings.Contains(failed[0], tc.fails) {
			t.Errorf("%s of %d got worse: failed %q", tc.test, tc.x, failed)
		}
	}
}

// A server that collapses with more processors than there are is told of, even if
// it is ahead of all others.
func TestShapeCollapses(t *testing.T) {
	r := shapesRun()
	for _, peer := range []string{Typed, "other", "slow"} {
		r.Find(Procs, peer, 8).Samples = []Sample{{Rate: 74}}
	}
	var failed []string
	for _, b := range ShapeBars(r) {
		if !b.Pass {
			failed = append(failed, b.What)
		}
	}
	if len(failed) != 1 || !strings.Contains(failed[0], "GOMAXPROCS=8, calls/s of those with 1") {
		t.Errorf("failed %q", failed)
	}
}

// A shape without samples of erpc does not pass.
func TestShapeNotMeasured(t *testing.T) {
	r := shapesRun()
	r.Find(JSON, Typed, 100).Samples = nil
	for _, b := range ShapeBars(r) {
		if strings.HasPrefix(b.What, "JSON") && (b.Measured || b.Pass) {
			t.Errorf("%v", b)
		}
	}
}

func TestShapesPage(t *testing.T) {
	docs := t.TempDir()
	if err := SaveShapes(shapesRun(), docs); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(docs, "performance", "shapes.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"run `make bench-shapes` instead", "14 of 14 goals are met", "## Open loop at 30 %", "p99.9", "## 1,000 quiet sessions beside one with 100 callers", "| erpc |"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page does not have %q", part)
		}
	}
}
