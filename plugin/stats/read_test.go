package stats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/plugin/stats"
)

func read(t *testing.T, sess erpc.Session) *stats.Reading {
	t.Helper()
	r, err := erpc.Call[stats.Reading](t.Context(), sess, stats.ReadMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The counts over the wire are those of the peer, by kind and name.
func TestReading(t *testing.T) {
	s := stats.New(stats.Config{Allow: func(sess erpc.Session) bool { return sess != nil }})
	srv, cli := erpctest.Config{ServerPlugins: []erpc.Plugin{s}}.Pair(t, func(p erpc.Peer) {
		erpc.HandleCall(p, "/x", func(context.Context, *int) (*int, error) { return nil, erpc.NewStatus(1234, "no").Err() })
		erpc.HandlePush(p, "/x", func(context.Context, *int) error { return nil })
		erpc.HandleStream(p, "/s", func(context.Context, *erpc.Stream[int, int]) error { return nil })
	}, func(p erpc.Peer) {
		erpc.HandleCall(p, "/back", func(context.Context, *int) (*int, error) { return new(int), nil })
	})
	for range 3 {
		cli.Call("/x", 1, nil)
	}
	cli.Push("/x", 1)
	if st := srv.Call("/back", 1, new(int)).Status(); !st.OK() {
		t.Fatal(st)
	}
	st := func() *erpc.Status { s, _ := cli.OpenStream(t.Context(), "/s"); return s.Status() }()
	if !st.OK() {
		t.Fatal(st)
	}
	until(t, "the push to be counted", func() bool { return s.Methods().HandledPushes["/x"].Ended == 1 })
	until(t, "the stream to be counted", func() bool { return s.Methods().HandledCalls["/s"].Ended == 1 })
	until(t, "the last call to be counted", func() bool { return s.Methods().HandledCalls["/x"].Ended == 3 })
	r := read(t, cli)
	got := map[string]stats.MethodReading{}
	for _, m := range r.Methods {
		got[m.Kind+" "+m.Name] = m
	}
	for name, want := range map[string][3]uint64{"call /x": {3, 3, 3}, "push /x": {1, 1, 0}, "stream /s": {1, 1, 0}, "made call /back": {1, 1, 0}} {
		m := got[name]
		if want != [3]uint64{m.Started, m.Ended, m.Errors} {
			t.Errorf("%s is %+v, want %v", name, m, want)
		}
		sum := uint64(0)
		for _, n := range m.Buckets {
			sum += n
		}
		if sum != m.Ended || len(m.Buckets) > len(r.Bounds)+1 {
			t.Errorf("%s has buckets %v", name, m.Buckets)
		}
	}
	if r.Version != stats.ReadingVersion || r.Sessions != 1 || r.BytesIn == 0 || r.Uptime <= 0 {
		t.Errorf("reading %+v", r)
	}
}

// Without Allow there is no reading, and a session that Allow refuses gets none.
func TestReadingIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  stats.Config
		code int32
	}{
		"off":     {code: erpc.CodeNotFound},
		"refused": {cfg: stats.Config{Allow: func(erpc.Session) bool { return false }}, code: stats.CodeForbidden},
	} {
		_, cli := erpctest.Config{ServerPlugins: []erpc.Plugin{stats.New(c.cfg)}}.Pair(t, nil, nil)
		if st := cli.Call(stats.ReadMethod, nil, nil).Status(); st.Code() != c.code {
			t.Errorf("%s: %v", name, st)
		}
	}
}

// However many methods there are, a reading has at most a thousand of them, those
// with most calls; names invented by strangers count as one.
func TestReadingIsBounded(t *testing.T) {
	s := stats.New(stats.Config{Allow: func(erpc.Session) bool { return true }})
	_, cli := erpctest.Config{ServerPlugins: []erpc.Plugin{s}}.Pair(t, func(p erpc.Peer) {
		for i := range 1200 {
			erpc.HandleCall(p, fmt.Sprintf("/m/%d", i), func(context.Context, *int) (*int, error) { return new(int), nil })
		}
	}, nil)
	for range 3 {
		cli.Call("/m/1199", 1, nil)
	}
	for i := range 5000 {
		cli.Push(fmt.Sprintf("/nobody/%d", i), 1)
	}
	until(t, "the pushes to be counted", func() bool { return s.Methods().HandledPushes[stats.Unknown].Ended == 5000 })
	r := read(t, cli)
	if len(r.Methods) != 1000 || r.MethodsHidden != 1200+2-1000 {
		t.Errorf("%d methods, %d hidden", len(r.Methods), r.MethodsHidden)
	}
	found := map[string]bool{}
	for _, m := range r.Methods {
		found[m.Name] = true
	}
	if !found["/m/1199"] || !found[stats.Unknown] {
		t.Error("the methods with most calls are not there")
	}
	text, err := json.Marshal(r)
	if err != nil || len(text) > 200_000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if again := read(t, cli); !again.Time.Equal(r.Time) && again.Time.Sub(r.Time) < 500*time.Millisecond {
		t.Errorf("two readings within %v", again.Time.Sub(r.Time))
	}
}
