package dashboard_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
)

func TestCallForm(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	type node struct {
		Name string           `json:"name"`
		Next *node            `json:"next"`
		At   time.Time        `json:"at"`
		Tags map[string][]int `json:"tags"`
	}
	erpc.HandleCall(s.peer, "/node", func(_ context.Context, n *node) (*node, error) { return n, nil })
	var forms []struct{ Name, Kind, Arg, Result string }
	s.get("handlers", &forms)
	if len(forms) != 6 || forms[2].Name != "/fail" || forms[1].Kind != "stream" || forms[3].Result != "dashboard_test.node" {
		t.Errorf("%+v", forms)
	}
	var d struct {
		Example, Target string
		ArgSchema       object
	}
	s.get("describe?method=/node&kind=call", &d)
	var example node
	if err := json.Unmarshal([]byte(d.Example), &example); err != nil || d.ArgSchema == nil || d.Target != s.addr {
		t.Errorf("%+v, %v", d, err)
	}
	s.get("describe?method=/add&kind=call", &d)
	if d.Example == "" || d.Example == "null" {
		t.Errorf("%+v", d)
	}
}

func TestActions(t *testing.T) {
	level := new(slog.LevelVar)
	s := newSite(t, dashboard.Config{Actions: true, Authorize: anyone, Level: level})
	key := base64.RawURLEncoding.EncodeToString([]byte(s.only().ID()))
	for name, c := range map[string]struct {
		action, arg string
		want        int
		says        string
	}{
		"call":                 {"call", `{"method":"/add","kind":"call","body":{"A":1,"B":2}}`, 200, `"code":0`},
		"call that fails":      {"call", `{"method":"/fail","kind":"call","body":1234}`, 200, `"code":1234`},
		"call of nothing":      {"call", `{"method":"/nothing","kind":"call","body":1}`, 200, `"code":404`},
		"call of a stream":     {"call", `{"method":"/echo","kind":"stream","body":1}`, 400, "stream"},
		"stream as a call":     {"call", `{"method":"/echo","kind":"call","body":1}`, 400, "stream"},
		"call of no kind":      {"call", `{"method":"/add","body":1}`, 400, "stream"},
		"call of no path":      {"call", `{"method":"math","kind":"call","body":1}`, 400, "slash"},
		"call of another host": {"call", `{"method":"//evil.example.com/x","kind":"call","body":1}`, 200, `"code":40`},
		"push here":            {"call", `{"method":"/note","kind":"push","body":"x"}`, 200, `"code":0`},
		"push to the session":  {"push", `{"key":"` + key + `","method":"/heard","body":"hello"}`, 200, `"code":0`},
		"push of no path":      {"push", `{"key":"` + key + `","method":"heard","body":"hello"}`, 400, "slash"},
		"push to nobody":       {"push", `{"key":"eA","method":"/heard","body":"hello"}`, 404, "ended"},
		"level":                {"level", `{"level":"WARN"}`, 200, "ok"},
		"level of nothing":     {"level", `{"level":"<b>"}`, 400, "DEBUG"},
		"unknown field":        {"level", `{"level":"WARN","x":1}`, 400, "JSON"},
		"no JSON":              {"push", `<xml>`, 400, "JSON"},
		"too much":             {"push", `{"method":"` + strings.Repeat("x", 1<<20), 413, "1 MiB"},
		"goaway of nobody":     {"goaway", `{"key":"eA"}`, 404, "ended"},
		"kick of nobody":       {"kick", `{"key":"eA"}`, 404, "ended"},
	} {
		code, body := s.post(c.action, c.arg)
		if code != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", name, code, body, c.want, c.says)
		}
	}
	if line := kit.Await(t, "the push", s.heard); line != "hello" {
		t.Errorf("the client heard %q", line)
	}
	if level.Level() != slog.LevelWarn {
		t.Errorf("the level is %s", level.Level())
	}
	if code, body := s.post("kick", `{"key":"`+key+`","reason":"maintenance"}`); code != 200 {
		t.Fatalf("kick: %d %s", code, body)
	}
	kit.Await(t, "the end of the session", s.sess.CloseNotify())
}

// Sending a session away fails no call: the one in flight completes, and the next
// one goes over a new connection.
func TestGoAway(t *testing.T) {
	s := newSite(t, dashboard.Config{Actions: true, Authorize: anyone})
	cli := kit.Peer(t, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Millisecond})
	sess := kit.Open(t, cli, s.addr)
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	if _, err := erpc.Call[int](ctx, sess, "/add", &kit.Sum{A: 1}); err != nil { // with a timeout: the client announces what it understands
		t.Fatal(err)
	}
	old := sess.LocalAddr().String()
	waiting := sess.AsyncCall("/wait", 1, nil, make(chan erpc.CallCmd, 1))
	kit.Eventually(t, kit.Bound, "the call", func() bool { return s.method("/wait", "call").Open == 1 })
	key := base64.RawURLEncoding.EncodeToString([]byte(old))
	for range 3 { // doing it more than once changes nothing
		if code, body := s.post("goaway", `{"key":"`+key+`"}`); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
	}
	for range 20 {
		if _, err := erpc.Call[int](ctx, sess, "/add", &kit.Sum{A: 1}); err != nil {
			t.Fatal(err)
		}
	}
	close(s.kept)
	kit.Await(t, "the end of the call in flight", waiting.Done())
	if st := waiting.Status(); !st.OK() {
		t.Error(st)
	}
	kit.Eventually(t, kit.Bound, "the end of the old session", func() bool {
		_, there := s.peer.GetSession(old)
		return !there
	})
	if sess.LocalAddr().String() == old || !sess.Connected() {
		t.Errorf("the session is at %s, connected %v", sess.LocalAddr(), sess.Connected())
	}
}

// Actions are logged with the user who did them, and without secrets.
func TestActionsAreLogged(t *testing.T) {
	var log kit.Log
	d := dashboard.New(dashboard.Config{Actions: true, Authorize: anyone})
	p := kit.Peer(t, erpc.PeerConfig{Logger: slog.New(&log)}, d)
	erpc.HandleCall(p, "/add", kit.Add)
	s := &site{t: t, d: d, peer: p}
	s.post("call", `{"method":"/add","kind":"call","body":{"A":1},"token":"secret"}`)
	if lines := log.Says("dashboard: call"); len(lines) != 1 || strings.Contains(strings.Join(lines, ""), "secret") {
		t.Errorf("the log has %q", lines)
	}
}

// A method that asks for a token gets the one from the form.
func TestCallWithToken(t *testing.T) {
	var got atomic.Value
	s := newSite(t, dashboard.Config{Actions: true, Authorize: anyone}, &erpc.PluginImpl{PluginName: "look", OnPostReadCallHeader: func(ctx erpc.ReadCtx) *erpc.Status {
		got.Store(string(ctx.PeekMeta("Authorization")))
		return nil
	}})
	s.post("call", `{"method":"/add","kind":"call","body":{"A":1},"token":"secret"}`)
	if got.Load() != "Bearer secret" {
		t.Errorf("the hook saw %q", got.Load())
	}
}
