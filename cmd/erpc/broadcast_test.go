package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
)

// registerRoom sets the handlers of a room that tells its members what is said.
func registerRoom(p erpc.Peer) {
	room := p.Group("room")
	erpc.HandleCall(p, "/room/join", func(ctx context.Context, name *string) (*int, error) {
		room.Join(erpc.CallCtxFrom(ctx).Session())
		room.Broadcast("/room/joined", name, nil)
		return new(int), nil
	})
	say := func(ctx context.Context, text *string) (*int, error) {
		room.Broadcast("/room/said", text, nil)
		return new(int), nil
	}
	erpc.HandleCall(p, "/room/say", say)
	erpc.HandlePush(p, "/room/say", func(ctx context.Context, text *string) error {
		_, err := say(ctx, text)
		return err
	})
	erpc.HandleCall(p, "/room/silence", func(context.Context, *string) (*int, error) { return new(int), nil })
	erpc.HandleCall(p, "/room/fail", func(context.Context, *string) (*int, error) {
		return nil, erpc.NewStatus(1234, "no").Err()
	})
}

// Each broadcast is counted once per subscriber, in the closed and in the open loop.
func TestBenchBroadcast(t *testing.T) {
	addr := listenWith(t, erpc.PeerConfig{}, registerRoom)
	for name, flags := range map[string][]string{
		"closed loop": nil,
		"push":        {"-push"},
		"open loop":   {"-rate", "200"},
	} {
		args := append([]string{"bench", "-subscribers", "20", "-n", "30", "-o", "json", "-join", `/room/join="me"`, "-on", "/room/said"}, flags...)
		code, out, errs := erpcRun(t, "", append(args, addr, "/room/say", `"hello"`)...)
		var r broadcastReport
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
			t.Fatalf("%s: exit %d, %q, %q, %v", name, code, out, errs, err)
		}
		if r.Broadcasts != 30 || r.Subscribers != 20 || r.Calls != 600 || r.Lost != 0 || r.Extra != 0 || r.P50 <= 0 || len(r.Errors) != 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
	code, out, _ := erpcRun(t, "", "bench", "-subscribers", "2", "-n", "3", "-join", `/room/join="me"`, "-on", "/room/said", addr, "/room/say", `"x"`)
	if code != exitOK || !strings.Contains(out, "3 broadcasts to 2 sessions") || !strings.Contains(out, "p99") {
		t.Errorf("exit %d, %s", code, out)
	}
}

// Pushes that do not arrive count as lost; pushes that the bench has not caused are
// reported.
func TestBenchBroadcastThatIsLost(t *testing.T) {
	addr := listenWith(t, erpc.PeerConfig{}, registerRoom)
	bench := func(method string, flags ...string) (int, string, string) {
		args := append([]string{"bench", "-subscribers", "3", "-n", "5", "-timeout", "300ms", "-o", "json"}, flags...)
		return erpcRun(t, "", append(args, addr, method, `"x"`)...)
	}
	for _, c := range []struct {
		method string
		flags  []string
		code   int
		says   string
	}{
		{"/room/silence", []string{"-join", `/room/join="me"`, "-on", "/room/said"}, exitUsage, "no push has arrived"},
		{"/room/fail", nil, exitUsage, "no push has arrived"},
		{"/room/say", []string{"-join", "/nothing"}, exitStatus, "404"},
		{"/room/say", []string{"-join", "/room/join={"}, exitUsage, "not JSON"},
		{"/room/say", []string{"-subscribers", "0", "-push"}, exitUsage, "-subscribers"},
	} {
		if code, out, errs := bench(c.method, c.flags...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s %q: exit %d, %q, %q", c.method, c.flags, code, out, errs)
		}
	}
	a := &audience{o: &options{}}
	a.o.bench.broadcast.subscribers = 2
	first := a.begin(time.Now())
	a.drop(first)
	if len(a.rounds) != 0 {
		t.Error("a failed broadcast was counted")
	}
}

// The progress line is written once a second and removed at the end.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := &bench{o: &options{}}
		b.o.bench.duration = 5 * time.Second
		b.made.Store(10)
		stop := showProgress(&out, b.line)
		time.Sleep(2500 * time.Millisecond)
		stop()
		const clear = "\r\x1b[K"
		want := clear + "10 calls, 10 a second, 0 failed, at most 4s left" + clear + "10 calls, 5 a second, 0 failed, at most 3s left" + clear
		if out.String() != want {
			t.Errorf("wrote %q", out.String())
		}
	})
	if terminal(&bytes.Buffer{}) {
		t.Error("a buffer is a terminal")
	}
}

// Calls made while a bench warms up are not in its report.
func TestBenchWarmup(t *testing.T) {
	var calls atomic.Int64
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) {
		erpc.HandleCall(p, "/x", func(context.Context, *int) (*int, error) {
			if calls.Add(1) <= 40 {
				return nil, erpc.NewStatus(1234, "cold").Err()
			}
			return new(int), nil
		})
	})
	code, out, errs := erpcRun(t, "", "bench", "-rate", "200", "-warmup", "600ms", "-duration", "300ms", "-o", "json", addr, "/x", "1")
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		t.Fatalf("exit %d, %q, %q, %v", code, out, errs, err)
	}
	if calls.Load() != 180 || r.Calls != 60 || len(r.Errors) != 0 {
		t.Errorf("%d calls, reported %s", calls.Load(), out)
	}
	if code, _, errs := erpcRun(t, "", "bench", "-warmup", "1s", "-n", "5", addr, "/x"); code != exitUsage || !strings.Contains(errs, "-warmup") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
