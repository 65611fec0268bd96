package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUpdateReadme(t *testing.T) {
	sample := func(rate float64) []Sample {
		return []Sample{{Rate: rate, Client: Cost{CPU: 1, Allocs: 11}, Server: Cost{CPU: 2, Allocs: 10}}}
	}
	r := &Results{
		Date: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Command: "make bench", Machine: "a machine", Rounds: 3,
		Cells: []*Cell{
			{Test: Call, Peer: V7, X: 100, Samples: sample(30000)},
			{Test: Call, Peer: Typed, X: 100, Samples: sample(120000)},
			{Test: Call, Peer: LoopPeer, X: 100, Samples: sample(130000)},
			{Test: Call, Peer: "other-tuned", X: 100, Samples: sample(50000)},
			{Test: Call, Peer: "other", X: 100, Samples: sample(40000)},
			{Test: Call, Peer: Typed, X: 5000, Samples: sample(77777)},
			{Test: Push, Peer: BroadcastPeer, X: 1000, Samples: sample(1500000)},
		},
	}
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("before\n"+readmeBegin+"old\n"+readmeEnd+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := UpdateReadme(path, r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	if !strings.HasPrefix(got, "before\n"+readmeBegin) || !strings.HasSuffix(got, readmeEnd+"\nafter\n") || strings.Contains(got, "old") {
		t.Errorf("the file is now\n%s", got)
	}
	ours, theirs := strings.Index(got, "| "+Typed+" |"), strings.Index(got, "| "+V7+" |")
	if ours < 0 || theirs < ours {
		t.Errorf("the faster does not come first:\n%s", got)
	}
	for _, left := range []string{"| " + LoopPeer + " |", "| other |", number(77777)} {
		if strings.Contains(got, left) {
			t.Errorf("%s is shown:\n%s", left, got)
		}
	}
	if !strings.Contains(got, "| other-tuned |") {
		t.Errorf("the fastest configuration of a framework is not shown:\n%s", got)
	}
	if !strings.Contains(got, "make bench") || !strings.Contains(got, "2026-11-21") || !strings.Contains(got, number(1500000)) {
		t.Errorf("command, date or figures are missing:\n%s", got)
	}
}

func TestUpdateReadmeWithoutMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("nothing here"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := UpdateReadme(path, &Results{}); err == nil || !strings.Contains(err.Error(), readmeEnd) {
		t.Errorf("got %v", err)
	}
}
