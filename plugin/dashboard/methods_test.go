package dashboard_test

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
	"github.com/goerpc/erpc/plugin/stats"
)

func TestOverview(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	for range 20 {
		kit.Answers(t, s.sess)
	}
	var o struct {
		Host, Go  string
		PID       int
		Listeners []string
		Actions   bool
		Total     map[string]float64
		Points    []map[string]float64
	}
	kit.Eventually(t, kit.Bound, "two points of the history", func() bool {
		s.get("overview", &o)
		return len(o.Points) >= 2
	})
	if o.Host == "" || o.Go == "" || o.PID == 0 || o.Actions || len(o.Listeners) != 1 || o.Listeners[0] != "tcp "+s.addr {
		t.Errorf("%+v", o)
	}
	if o.Total["calls"] < 20 || o.Total["bytesIn"] < 100 || o.Total["messagesOut"] < 20 || o.Total["accepts"] != 1 {
		t.Errorf("totals: %v", o.Total)
	}
	last := o.Points[len(o.Points)-1]
	if last["sessions"] != 1 || last["heap"] <= 0 || last["goroutines"] <= 0 {
		t.Errorf("the last point is %v", last)
	}
	// A page that already has points gets only the new ones.
	var more struct{ Points []map[string]float64 }
	s.get(fmt.Sprintf("overview?after=%.0f", last["at"]), &more)
	for _, p := range more.Points {
		if p["at"] <= last["at"] {
			t.Errorf("the point of %v comes twice", p["at"])
		}
	}
	if w := s.ask("GET", "/api/overview?after=x", ""); w.Code != 400 {
		t.Errorf("after an invalid time: %d", w.Code)
	}
}

type methodRow struct {
	Name, Kind   string
	Rate, Errors float64
	P50, P99     int64
	Open, Total  uint64
	Failed       uint64
	Codes        []struct{ Code, N int }
	Spark        []float64
}

func (s *site) method(name, kind string) (m methodRow) {
	s.t.Helper()
	var all []methodRow
	s.get("methods", &all)
	for _, m := range all {
		if m.Name == name && m.Kind == kind {
			return m
		}
	}
	return methodRow{}
}

func TestMethods(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	kit.Answers(t, s.sess)
	for range 3 {
		if _, err := erpc.Call[int](t.Context(), s.sess, "/fail", 1234); err == nil {
			t.Fatal("it did not fail")
		}
	}
	if _, err := erpc.Call[int](t.Context(), s.sess, "/fail", 1235); err == nil {
		t.Fatal("it did not fail")
	}
	if st := s.sess.Push("/note", "x"); !st.OK() {
		t.Fatal(st)
	}
	if st := s.only().Push("/heard", "x"); !st.OK() {
		t.Fatal(st)
	}
	waiting := s.sess.AsyncCall("/wait", 1, nil, make(chan erpc.CallCmd, 1))
	kit.Eventually(t, kit.Bound, "a sample with all of it", func() bool {
		return s.method("/wait", "call").Open == 1 && s.method("/note", "push").Total == 1 && s.method("/heard", "made push").Total == 1
	})
	fail := s.method("/fail", "call")
	if fail.Total != 4 || fail.Failed != 4 || len(fail.Codes) != 2 || fail.Codes[0] != (struct{ Code, N int }{1234, 3}) || fail.Codes[1] != (struct{ Code, N int }{1235, 1}) {
		t.Errorf("/fail: %+v", fail)
	}
	if echo := s.method("/echo", "stream"); echo.Name == "" || echo.Total != 0 || echo.P99 != 0 {
		t.Errorf("/echo, which nobody has called: %+v", echo)
	}
	close(s.kept)
	kit.Await(t, "the call", waiting.Done())
}

// A stranger who invents names adds no rows.
func TestNamesOfStrangersMakeNoRows(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	before := len(s.ask("GET", "/api/methods", "").Body.Bytes())
	const batch = 1000
	names := batch * kit.Times(5, 100)
	done := make(chan erpc.CallCmd, batch)
	for i := 0; i < names; i += batch {
		for j := range batch {
			s.sess.AsyncCall(fmt.Sprintf("%s/%d", hostile, i+j), 1, nil, done)
		}
		for range batch {
			kit.Await(t, "an answer", done)
		}
	}
	kit.Eventually(t, kit.Bound, "a sample of them", func() bool { return s.method(stats.Unknown, "call").Total == uint64(names) })
	if after := len(s.ask("GET", "/api/methods", "").Body.Bytes()); after > before+1000 {
		t.Errorf("the list of methods grew from %d to %d bytes", before, after)
	}
}

func TestSlowCalls(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	if _, err := erpc.Call[int](t.Context(), s.sess, hostile, 1); err == nil {
		t.Fatal("it did not fail")
	}
	waiting := s.sess.AsyncCall("/wait", 1, nil, make(chan erpc.CallCmd, 1))
	type slow struct {
		Method, Kind, ID, Key, Text string
		Took, At                    int64
		Code                        int
	}
	var v struct{ Running, Slowest []slow }
	kit.Eventually(t, kit.Bound, "the calls", func() bool {
		s.get("slow", &v)
		return len(v.Slowest) == 1 && len(v.Running) == 1
	})
	for name, c := range map[string]struct{ got, want slow }{
		"slowest": {v.Slowest[0], slow{Method: hostile, Kind: "handled call", Code: 404, Text: "Not Found"}},
		"running": {v.Running[0], slow{Method: "/wait", Kind: "handled call"}},
	} {
		id, err := base64.RawURLEncoding.DecodeString(c.got.Key)
		if err != nil || string(id) != s.only().ID() || c.got.ID != string(id) || c.got.Took <= 0 || c.got.At == 0 {
			t.Errorf("%s: %+v", name, c.got)
		}
		if c.got.ID, c.got.Key, c.got.Took, c.got.At = "", "", 0, 0; c.got != c.want {
			t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
		}
	}
	close(s.kept)
	kit.Await(t, "the call", waiting.Done())
	kit.Eventually(t, kit.Bound, "the end of the call", func() bool {
		s.get("slow", &v)
		return len(v.Slowest) == 2 && len(v.Running) == 0
	})
}

func TestLimits(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	waiting := s.sess.AsyncCall("/wait", 1, nil, make(chan erpc.CallCmd, 1))
	type limit struct {
		Name     string
		Max, Now int64
		Key      string
	}
	var v struct{ Peer, Sessions, Times []limit }
	find := func(list []limit, name string) limit {
		for _, l := range list {
			if l.Name == name {
				return l
			}
		}
		return limit{}
	}
	kit.Eventually(t, kit.Bound, "the handler", func() bool {
		s.get("limits", &v)
		return find(v.Sessions, "max_session_handlers").Now == 1 && find(v.Peer, "max_handlers").Now == 1
	})
	if l := find(v.Peer, "max_sessions"); l.Max != 50 || l.Now != 1 {
		t.Errorf("%+v", l)
	}
	if l := find(v.Sessions, "max_session_handlers"); l.Max != int64(s.peer.Config().MaxSessionHandlers) || l.Key == "" {
		t.Errorf("%+v", l)
	}
	if l := find(v.Sessions, "inflight_limit"); l.Max != int64(s.peer.Config().InflightLimit) || l.Now <= 0 {
		t.Errorf("%+v", l) // the message of /wait is being handled
	}
	if l := find(v.Peer, "stream_memory"); l.Max != int64(s.peer.Config().StreamMemory) || l.Now != 0 {
		t.Errorf("%+v", l)
	}
	if files := find(v.Peer, "open files"); runtime.GOOS == "linux" && (files.Max <= 0 || files.Now == 0 || files.Now > files.Max) {
		t.Errorf("%+v", files)
	}
	if l := find(v.Sessions, "read_limit"); l.Max != int64(s.peer.Config().ReadLimit) || l.Now != -1 {
		t.Errorf("%+v", l)
	}
	if l := find(v.Times, "write_timeout"); l.Max != s.peer.Config().WriteTimeout.Milliseconds() {
		t.Errorf("%+v", l)
	}
	close(s.kept)
	kit.Await(t, "the call", waiting.Done())
}
