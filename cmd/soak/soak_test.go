package main

import (
	"strings"
	"testing"
	"time"
)

func TestSoakBalances(t *testing.T) {
	report, err := soak(options{
		length: 3 * time.Second, restart: 700 * time.Millisecond, pause: 5 * time.Millisecond,
		sessions: 50, peers: 5, slow: 3, seed: 1, svg: t.TempDir() + "/latency.svg",
	})
	t.Log("\n" + report)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(report, "restarts") {
		t.Error("the report does not mention the faults")
	}
}

// A ledger that does not balance is reported.
func TestLedgerFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, want string
		do         func(*ledger)
	}{
		{"lost", "ended", func(l *ledger) { l.started.Add(1) }},
		{"twice ended", "ended 2 times", func(l *ledger) { l.started.Add(1); l.end(2, 0, 2, 0); l.end(2, 0, 2, 0) }},
		{"twice executed", "executed 2 times", func(l *ledger) { l.ran(1) }},
		{"never ended", "never ended", func(l *ledger) { l.ran(7) }},
		{"wrong reply", "was answered 9", func(l *ledger) { l.started.Add(1); l.end(3, 0, 9, 0) }},
		{"more pushes than sent", "pushes", func(l *ledger) { l.received.Add(1) }},
	} {
		l := newLedger()
		l.started.Add(1)
		l.ran(1)
		l.end(1, 0, 1, time.Millisecond)
		if err := l.check(); err != nil {
			t.Fatalf("a good ledger: %v", err)
		}
		c.do(l)
		if err := l.check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
