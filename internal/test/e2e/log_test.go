package e2e

//lint:file-ignore SA1019 the test is about erpc v7's log functions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A recorder is a slog handler that passes its records on one by one.
type recorder struct {
	min     slog.Level
	records chan slog.Record
}

func newRecorder(min slog.Level) *recorder { return &recorder{min, make(chan slog.Record, 1000)} }

func (r *recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= r.min }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r *recorder) WithGroup(string) slog.Handler                { return r }

func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	select {
	case r.records <- rec.Clone():
	default: // more than the tests read
	}
	return nil
}

// next returns the next record that begins with one of the words, flattened:
// "recv.size" for an entry of a group.
func (r *recorder) next(t *testing.T, words ...string) (level slog.Level, what string, attrs map[string]string) {
	t.Helper()
	for {
		rec := kit.Await(t, "a record of "+strings.Join(words, " or "), r.records)
		for _, w := range words {
			if !strings.HasPrefix(rec.Message, w) {
				continue
			}
			attrs = map[string]string{}
			rec.Attrs(func(a slog.Attr) bool { flatten(attrs, "", a); return true })
			return rec.Level, rec.Message, attrs
		}
	}
}

func flatten(into map[string]string, prefix string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup {
		into[prefix+a.Key] = a.Value.String()
		return
	}
	for _, in := range a.Value.Group() {
		flatten(into, prefix+a.Key+".", in)
	}
}

// logPair returns a session between two peers with the configuration, and their
// logs.
func logPair(t *testing.T, min slog.Level, cfg erpc.PeerConfig) (sess erpc.Session, server, client *recorder) {
	server, client = newRecorder(min), newRecorder(min)
	cfg.Logger = slog.New(server)
	srv, addr := kit.Serve(t, cfg)
	srv.RouteCall(new(PlainAdder))
	srv.RouteCallFunc(failing)
	srv.RoutePushFunc(drop)
	erpc.HandleCall(srv, "/sleep", func(_ context.Context, d *time.Duration) (*int, error) {
		time.Sleep(*d)
		return nil, nil
	})
	erpc.HandleCall(srv, "/panics/in/log", func(context.Context, *int) (*panicsInJSON, error) { return &panicsInJSON{}, nil })
	erpc.HandleCall(srv, "/bytes", func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	cfg.Logger = slog.New(client)
	_, sess = kit.Dial(t, addr, cfg)
	return sess, server, client
}

// panicsInJSON panics when the access log encodes it.
type panicsInJSON struct{}

func (panicsInJSON) MarshalJSON() ([]byte, error) { panic("no JSON today") }

func TestRunLogHasARecordOfEachCallAndPush(t *testing.T) {
	sess, server, client := logPair(t, slog.LevelInfo, erpc.PeerConfig{CountTime: true})
	for _, c := range []struct {
		do                     func() *erpc.Status
		method, client, server string
		status                 string // in the records
		early                  bool   // the reply may arrive before the size of the call is known
	}{
		{func() *erpc.Status { return sess.Call("/plain_adder/add", []int{1}, new(int)).Status() }, "/plain_adder/add", "CALL->", "CALL<-", "", false},
		{func() *erpc.Status { return sess.AsyncCall("/plain_adder/add", []int{1}, nil, nil).Status() }, "/plain_adder/add", "CALL->", "CALL<-", "", true},
		{func() *erpc.Status { return sess.Call("/failing", 1, nil).Status() }, "/failing", "CALL->", "CALL<-", "1001", false},
		{func() *erpc.Status { return sess.Call("/nowhere", 1, nil).Status() }, "/nowhere", "CALL->", "CALL<-", "404", false},
		{func() *erpc.Status { return sess.Push("/drop", 1) }, "/drop", "PUSH->", "PUSH<-", "", false},
	} {
		_ = c.do() // its status does not matter
		for side, r := range map[string]*recorder{c.client: client, c.server: server} {
			level, what, attrs := r.next(t, "CALL", "PUSH")
			if level != slog.LevelInfo || what != side || attrs["method"] != c.method {
				t.Errorf("%s to %s is recorded as %v %s %v", side, c.method, level, what, attrs)
			}
			for _, key := range []string{"session", "remote", "cost"} {
				if attrs[key] == "" {
					t.Errorf("%s to %s: no %s in %v", side, c.method, key, attrs)
				}
			}
			for _, part := range []string{"send", "recv"} {
				wanted := part == "send" && strings.HasSuffix(side, "->") || part == "recv" && strings.HasSuffix(side, "<-") || strings.HasPrefix(side, "CALL")
				if size := attrs[part+".size"]; wanted != (size != "" && size != "0") && !(c.early && part == "send") {
					t.Errorf("%s to %s: %s.size is %q", side, c.method, part, size)
				}
				if attrs[part+".body"] != "" || attrs[part+".meta"] != "" {
					t.Errorf("details without PrintDetail: %v", attrs)
				}
			}
			if reply := attrs["send.status.code"] + attrs["recv.status.code"]; !strings.Contains(reply, c.status) || c.status == "" && reply != "" {
				t.Errorf("%s to %s: status %q, want %q", side, c.method, reply, c.status)
			}
		}
	}
}

func TestRunLogDetail(t *testing.T) {
	sess, server, client := logPair(t, slog.LevelInfo, erpc.PeerConfig{PrintDetail: true})
	if st := sess.Call("/plain_adder/add", []int{1, 2}, new(int), erpc.WithAddMeta("k", "v"), erpc.WithRealIP("192.0.2.1")).Status(); !st.OK() {
		t.Error(st)
	}
	_, _, sent := client.next(t, "CALL->")
	_, _, handled := server.next(t, "CALL<-")
	if sent["send.body"] != "[1,2]" || sent["recv.body"] != "3" || !strings.Contains(sent["send.meta"], "k=v") {
		t.Errorf("the caller recorded %v", sent)
	}
	if handled["recv.body"] != "[1,2]" || handled["send.body"] != "3" || !strings.Contains(handled["recv.meta"], "k=v") || handled["real"] != "192.0.2.1" {
		t.Errorf("the handler's side recorded %v", handled)
	}

	long := make([]byte, 100_000)
	for i := range long {
		long[i] = 'x'
	}
	var back []byte
	if st := sess.Call("/bytes", long, &back).Status(); !st.OK() || len(back) != len(long) {
		t.Error(st)
	}
	_, _, sent = client.next(t, "CALL->")
	for _, key := range []string{"send.body", "recv.body"} {
		if n := len(sent[key]); n < 100 || n > 2000 {
			t.Errorf("%d bytes of a body of %d are in the log", n, len(long))
		}
	}
	for _, body := range []any{(*[]byte)(nil), func() {}, nil} {
		_ = sess.Call("/bytes", body, nil).Status()
		client.next(t, "CALL->") // it only has to exist
	}
	if st := sess.Call("/panics/in/log", 1, nil).Status(); st.Code() != erpc.CodeInternalServerError {
		t.Errorf("a reply that panics when it is encoded: %v", st)
	}
	if st := sess.Call("/plain_adder/add", []int{1}, nil).Status(); !st.OK() {
		t.Errorf("the server after that: %v", st)
	}
}

// Without CountTime and PrintDetail the access log is at level DEBUG, except for
// slow messages.
func TestRunLogLevels(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		sess, server, client := logPair(t, slog.LevelDebug, on(erpc.PeerConfig{}))
		if st := sess.Push("/drop", 1); !st.OK() {
			t.Error(st)
		}
		for _, r := range []*recorder{server, client} {
			if level, _, attrs := r.next(t, "PUSH"); level != slog.LevelDebug || attrs["method"] != "/drop" {
				t.Errorf("%v %v", level, attrs)
			}
		}

		sess, server, client = logPair(t, slog.LevelInfo, on(erpc.PeerConfig{SlowCometDuration: 20 * time.Millisecond}))
		for _, d := range []time.Duration{0, 30 * time.Millisecond} { // only the second is slow
			if st := sess.Call("/sleep", d, nil).Status(); !st.OK() {
				t.Error(st)
			}
		}
		for _, r := range []*recorder{server, client} {
			level, _, attrs := r.next(t, "CALL")
			cost, err := time.ParseDuration(attrs["cost"])
			if level != slog.LevelWarn || err != nil || cost < 20*time.Millisecond {
				t.Errorf("%v %v", level, attrs)
			}
		}
		if n := len(server.records) + len(client.records); n > 0 {
			t.Errorf("%d more records", n)
		}
	})
}

func TestCostTime(t *testing.T) {
	sess, _, _ := logPair(t, slog.LevelError, erpc.PeerConfig{CountTime: true})
	cmd := sess.Call("/sleep", 5*time.Millisecond, nil)
	if cost := cmd.CostTime(); !cmd.StatusOK() || cost < 5*time.Millisecond || cost > kit.Bound {
		t.Errorf("a call of 5 ms took %v, %v", cost, cmd.Status())
	}
}

// A disabled level costs no allocation, neither for the access log nor for a
// peer's own records.
func TestLevelThatIsOffCostsNothing(t *testing.T) {
	if kit.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	measure := func(cfg erpc.PeerConfig, min slog.Level) float64 {
		sess, _, _ := logPair(t, min, cfg)
		arg, result := []int{1, 2, 3}, 0
		call := func() {
			if st := sess.Call("/plain_adder/add", arg, &result).Status(); !st.OK() {
				t.Fatal(st)
			}
		}
		for range 200 { // fill pools, and let the handler run inline
			call()
		}
		return testing.AllocsPerRun(2000, call)
	}
	silent := measure(erpc.PeerConfig{}, erpc.LevelOff)
	for name, got := range map[string]float64{
		"run log off":               measure(erpc.PeerConfig{CountTime: true, PrintDetail: true}, slog.LevelWarn),
		"slow threshold not met":    measure(erpc.PeerConfig{SlowCometDuration: time.Hour}, slog.LevelInfo),
		"run log at DEBUG, INFO on": measure(erpc.PeerConfig{}, slog.LevelInfo),
	} {
		if got > silent+1 { // the collector sometimes empties pools
			t.Errorf("%s: %v allocations a call, %v without any log", name, got, silent)
		}
	}
	if on := measure(erpc.PeerConfig{CountTime: true}, slog.LevelInfo); on < silent+5 {
		t.Errorf("a log that is on costs %v allocations a call, without any %v: this test measures nothing", on, silent)
	}
}

// The functions of v7 write to the default logger at the level set.
func TestDefaultLogger(t *testing.T) {
	rec := newRecorder(erpc.LevelTrace)
	flushed := 0
	flush := erpc.SetLoggerOutputter(rec, func() error { flushed++; return errors.New("flushed") })
	t.Cleanup(func() {
		erpc.SetLoggerOutputter(slog.DiscardHandler, nil)
		erpc.SetLoggerLevel("INFO")
	})
	all := []struct {
		name string
		log  func(string, ...any)
	}{
		{"TRACE", erpc.Tracef}, {"DEBUG", erpc.Debugf}, {"INFO", erpc.Infof}, {"NOTICE", erpc.Noticef}, {"WARNING", erpc.Warnf},
		{"ERROR", erpc.Errorf}, {"CRITICAL", erpc.Criticalf}, {"PRINT", erpc.Printf},
	}
	for i, at := range append(all, struct {
		name string
		log  func(string, ...any)
	}{"OFF", nil}) {
		erpc.SetLoggerLevel(at.name)
		for _, l := range all {
			l.log("%s %d", l.name, 1)
		}
		for _, l := range all[i:] {
			if _, what, _ := rec.next(t, ""); what != l.name+" 1" {
				t.Errorf("at the level %s: %q, want %s", at.name, what, l.name)
			}
		}
		if len(rec.records) > 0 {
			t.Errorf("at the level %s: more than it lets through", at.name)
		}
	}
	erpc.SetLoggerLevel("no such level") // OFF stays
	erpc.Printf("nobody sees it")
	if len(rec.records) > 0 {
		t.Error("an unknown level changed the level")
	}
	if err := flush(); err == nil || flushed != 1 || erpc.FlushLogger() == nil || flushed != 2 {
		t.Errorf("flushed %d times, %v", flushed, err)
	}
	erpc.SetLoggerLevel("info") // in any case of letters
	for name, f := range map[string]func(string, ...any){"Panicf": erpc.Panicf, "Fatalf": erpc.Fatalf} {
		got := func() (got any) {
			defer func() { got = recover() }()
			f("%s", name)
			return nil
		}()
		if fmt.Sprint(got) != name {
			t.Errorf("%s panics with %v", name, got)
		}
		if level, what, _ := rec.next(t, name); level != erpc.LevelCritical || what != name {
			t.Errorf("%v %s", level, what)
		}
	}
	erpc.GetLogger().Infof("through the interface")
	if _, what, _ := rec.next(t, "through"); what != "through the interface" {
		t.Errorf("%s", what)
	}
	var wg sync.WaitGroup
	for range 8 { // the level may change while others log
		wg.Go(func() {
			for range 100 {
				erpc.Debugf("%d", 1)
				erpc.SetLoggerLevel("INFO")
			}
		})
	}
	wg.Wait()
}

// Handlers and sessions log to the logger of their peer.
func TestLoggersOfContextAndSession(t *testing.T) {
	rec := newRecorder(slog.LevelInfo)
	srv, addr := kit.Serve(t, erpc.PeerConfig{Logger: slog.New(rec)})
	path := srv.RouteCallFunc(func(ctx erpc.CallCtx, _ *int) (int, *erpc.Status) {
		ctx.Debugf("too quiet")
		ctx.Infof("in a handler: %s", ctx.ServiceMethod())
		ctx.Session().Warnf("of a session: %s", ctx.Session().ID())
		ctx.Fatalf("%s", "the end of this call only")
		return 0, nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	if st := sess.Call(path, 1, nil).Status(); st.Code() != erpc.CodeInternalServerError || strings.Contains(st.String(), "this call only") {
		t.Errorf("%v", st)
	}
	for _, want := range []struct {
		level slog.Level
		text  string
	}{
		{slog.LevelInfo, "in a handler: " + path}, {slog.LevelWarn, "of a session: " + sess.LocalAddr().String()},
		{erpc.LevelCritical, "the end of this call only"}, {slog.LevelError, "panic"},
	} {
		level, what, _ := rec.next(t, "in a", "of a", "the end", "panic", "too quiet")
		if level != want.level || what != want.text {
			t.Errorf("%v %q, want %v %q", level, what, want.level, want.text)
		}
	}
	if st := sess.Call(path, 1, nil).Status(); st.Code() != erpc.CodeInternalServerError {
		t.Errorf("the next call: %v", st)
	}
}

// Strangers decide how many connections begin and end. What is logged of those that
// break the protocol, or whose hooks fail, is bounded for the peer, not for each.
func TestLinesAboutConnectionsAreBounded(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		var log kit.Log
		fails := &erpc.PluginImpl{
			PluginName:       "fails",
			OnPostOpen:       func(erpc.Session, bool) { panic("no") },
			OnPostDisconnect: func(erpc.BaseSession) *erpc.Status { return erpc.NewStatus(1, "no") },
		}
		srv := on.Peer(t, erpc.PeerConfig{Logger: slog.New(&log)}, fails)
		addr := kit.Start(t, srv)
		begin := time.Now()
		const connections = 50
		for range connections {
			w := on.Connect(t, addr)
			if _, err := w.Write([]byte("\x00\x00\x00\x09\x00\xff\xff\xff\xff")); err != nil {
				t.Fatal(err)
			}
			w.AwaitEnd(t, kit.Bound)
			_ = w.Close() // it has ended
		}
		kit.Eventually(t, kit.Bound, "the end of all sessions", func() bool { return srv.CountSession() == 0 })
		seconds := 1 + int(time.Since(begin)/time.Second)
		for text, aSecond := range map[string]int{"connection ended": 1, "open hook failed": 10, "disconnect hook failed": 10} {
			if n := len(log.Says(text)); n == 0 || n > min(connections-1, seconds*aSecond) {
				t.Errorf("%d lines of %q in %d seconds, for %d connections", n, text, seconds, connections)
			}
		}
	})
}
