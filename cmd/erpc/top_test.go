package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/stats"
)

// top shows the methods of a live peer, as text and as lines of JSON.
func TestTop(t *testing.T) {
	counts := stats.New(stats.Config{Allow: func(erpc.Session) bool { return true }})
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) {
		erpc.HandleCall(p, "/x", func(context.Context, *int) (*int, error) { return new(int), nil })
	}, counts)
	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			sess.Call("/x", 1, new(int))
		}
	}()
	code, out, errs := erpcRun(t, "", "top", "-count", "2", "-interval", "50ms", addr)
	if code != exitOK || strings.Count(out, "2 sessions") != 2 || strings.Count(out, "/x") != 2 || strings.ContainsRune(out, '\x1b') {
		t.Errorf("exit %d, %s, %s", code, out, errs)
	}
	code, out, errs = erpcRun(t, "", "top", "-count", "1", "-interval", "50ms", "-rows", "1", "-o", "json", addr)
	stop()
	<-done
	var p pace
	if err := json.Unmarshal([]byte(out), &p); err != nil || code != exitOK {
		t.Fatalf("exit %d, %s, %s, %v", code, out, errs, err)
	}
	if len(p.Methods) != 1 || p.Methods[0].Name != "/x" || p.Methods[0].Rate <= 0 || p.Methods[0].P99 <= 0 || p.In <= 0 {
		t.Errorf("%s", out)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{addr, "x"}, exitUsage, "TARGET"},
		{[]string{"-sort", "colour", addr}, exitUsage, "-sort"},
		{[]string{"-interval", "0s", addr}, exitUsage, "-interval"},
		{[]string{serve(t, erpc.PeerConfig{}, nil)}, exitStatus, "Config.Allow"},
	} {
		if code, _, errs := erpcRun(t, "", append([]string{"top"}, c.args...)...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit %d, %q", c.args, code, errs)
		}
	}
}

// The rate is the difference of two readings; for a peer that has restarted it is
// the second reading alone.
func TestPace(t *testing.T) {
	bounds := []time.Duration{time.Millisecond, time.Second}
	begin := time.Unix(1000, 0)
	before := &stats.Reading{Time: begin, Uptime: time.Hour, BytesIn: 1000, Bounds: bounds, Methods: []stats.MethodReading{
		{Name: "/a", Kind: "call", Started: 11, Ended: 10, Errors: 1, Buckets: []uint64{10}},
	}}
	now := &stats.Reading{Time: begin.Add(2 * time.Second), Uptime: time.Hour + 2*time.Second, BytesIn: 5000, Bounds: bounds, Methods: []stats.MethodReading{
		{Name: "/a", Kind: "call", Started: 34, Ended: 30, Errors: 5, Buckets: []uint64{11, 18, 1}},
		{Name: "/b", Kind: "push", Started: 2, Ended: 2, Buckets: []uint64{2}},
	}}
	p := paceOf(before, now)
	want := []methodPace{
		{Name: "/a", Kind: "call", Rate: 10, Errors: 2, Work: 4, P50: time.Second, P99: time.Second, Total: 30},
		{Name: "/b", Kind: "push", Rate: 1, P50: time.Millisecond, P99: time.Millisecond, Total: 2},
	}
	if p.In != 2000 || len(p.Methods) != 2 || p.Methods[0] != want[0] || p.Methods[1] != want[1] {
		t.Errorf("pace %+v", p)
	}
	again := &stats.Reading{Time: begin.Add(2 * time.Second), Uptime: 500 * time.Millisecond, BytesIn: 100, Bounds: bounds, Methods: []stats.MethodReading{
		{Name: "/a", Kind: "call", Started: 5, Ended: 5, Buckets: []uint64{5}},
	}}
	if p := paceOf(before, again); p.In != 200 || p.Methods[0].Rate != 10 {
		t.Errorf("rate of a peer that restarted: %+v", p)
	}
	for by, first := range map[string]string{"rate": "/a", "errors": "/a", "p99": "/a", "total": "/a", "name": "/a"} {
		if err := p.arrange(by, 1); err != nil || p.Methods[0].Name != first {
			t.Errorf("by %s the first is %+v, %v", by, p.Methods, err)
		}
	}
}

// A table has one line per method, whatever its name is.
func TestTableIsHarmless(t *testing.T) {
	p := pace{Methods: []methodPace{{Name: "/\x1b[2J\n" + strings.Repeat("x", 300), Kind: "call"}}}
	text := p.table(&options{color: "never"})
	if strings.Count(text, "\n") != 3 || strings.ContainsRune(text, '\x1b') || len(text) > 400 {
		t.Errorf("table %q", text)
	}
	if got := size(1234567); got != "1.23 MB" {
		t.Errorf("size %s", got)
	}
}
