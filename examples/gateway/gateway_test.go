package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/plugin/proxy"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

const patience = 20 * time.Second // bounds waits that should be short

// A rig is a gateway in front of two instances.
type rig struct {
	t         *testing.T
	gateway   *gateway
	instances []*instance
	url       string
}

// newRig starts the parts on free ports; change, which may be nil, adjusts the
// configuration of the gateway.
func newRig(t *testing.T, change func(*GatewayConfig)) *rig {
	t.Helper()
	r := &rig{t: t}
	var cfg Config
	cfg.SetDefaults()
	g := &cfg.Gateway
	g.Peer.ListenAddress, g.Admin = "127.0.0.1:0", "127.0.0.1:0"
	g.Peer.DefaultContextAge = time.Minute
	g.PerIP.Limit, g.PerUser.Limit = 1e6, 1e6
	g.Users = []User{{"ann", "ann's", []string{"admin"}}, {"ben", "ben's", nil}}
	g.Rules = acl.Config{Rules: []acl.Rule{
		{Methods: []string{"/text/admin/*"}, Allow: []string{"role:admin"}},
		{Methods: []string{"/text/*", "/nobody/*"}, Allow: []string{acl.Authenticated}},
	}}
	var addrs []string
	for range 2 {
		i, err := startText("127.0.0.1:0", quiet)
		if err != nil {
			t.Fatal(err)
		}
		r.ends(i)
		r.instances = append(r.instances, i)
		addrs = append(addrs, i.Addr())
	}
	g.Services = []Service{{Prefix: "/text/", Instances: addrs, Safe: []string{upper.Name}}}
	if change != nil {
		change(g)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	gw, err := startGateway(*g, quiet)
	if err != nil {
		t.Fatal(err)
	}
	r.ends(gw)
	r.gateway, r.url = gw, "http://"+gw.Addr()
	return r
}

// ends shuts a part down when the test ends.
func (r *rig) ends(p part) {
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil && !errors.Is(err, erpc.ErrClosed) {
			r.t.Error(err)
		}
	})
}

// client keeps no idle connection, so none outlives a test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// ask sends a request with a token, or without one if it is "", and with fields
// given as pairs.
func (r *rig) ask(method, url, token, body string, fields ...string) (*http.Response, string) {
	r.t.Helper()
	res, answer, err := r.try(method, url, token, body, fields...)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, answer
}

// try is ask for a request that may fail.
func (r *rig) try(method, url, token, body string, fields ...string) (*http.Response, string, error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// dial connects over WebSocket.
func (r *rig) dial(token string) (erpc.Session, *erpc.Status) {
	c := websocket.NewClient("/ws", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token(token)))
	r.t.Cleanup(func() { _ = c.Close() })
	return c.DialJSON(r.gateway.Addr())
}

func (r *rig) mustDial(token string) erpc.Session {
	r.t.Helper()
	s, st := r.dial(token)
	if !st.OK() {
		r.t.Fatal(st)
	}
	return s
}

// within returns a context that bounds a short wait.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// TestWhoMayCallWhat: the same rules hold for HTTP and WebSocket.
func TestWhoMayCallWhat(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		want                      string
	}{
		{"GET", "/upper/hello", "ben's", "", 200, `"text":"HELLO","user":"ben"`},
		{"POST", "/text/upper", "ann's", `{"text":"hi"}`, 200, `"text":"HI","user":"ann"`},
		{"GET", "/upper/hello", "", "", 401, ""},
		{"GET", "/upper/hello", "of nobody", "", 401, ""},
		{"DELETE", "/upper/hello", "ben's", "", 405, ""},
		{"GET", "/text/upper?text=hi", "ben's", "", 405, ""}, // no route is marked as safe
		{"POST", "/text/admin/count", "ann's", "{}", 200, ""},
		{"POST", "/text/admin/count", "ben's", "{}", 403, ""},
		{"POST", "/elsewhere/x", "ann's", "{}", 403, ""},
		{"POST", "/text/nothing", "ann's", "{}", 404, ""},
		{"POST", "/nobody/serves", "ann's", "{}", 502, ""},
		{"POST", "/erpc.health/check", "ann's", "{}", 403, ""}, // for operators, on the other port
	} {
		res, body := r.ask(c.method, r.url+c.path, c.token, c.body)
		if res.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s as %q: %s %s, want %d %s", c.method, c.path, c.token, res.Status, body, c.status, c.want)
		}
	}
	ben, ctx := r.mustDial("ben's"), within(t)
	if a, err := upper.Call(ctx, ben, &Text{"web"}); err != nil || a.Text != "WEB" || a.User != "ben" {
		t.Errorf("over WebSocket: %+v, %v", a, err)
	}
	if _, err := countCall.Call(ctx, ben, &struct{}{}); erpc.StatusFromError(err).Code() != acl.CodeForbidden {
		t.Errorf("the rules do not hold over WebSocket: %v", err)
	}
	if _, err := countCall.Call(ctx, r.mustDial("ann's"), &struct{}{}); err != nil {
		t.Error(err)
	}
	if _, st := r.dial("of nobody"); st.Code() != erpc.CodeUnauthorized {
		t.Errorf("a stranger over WebSocket gets %v", st)
	}
}

// TestBackendsHearWhoCalls: a client can't claim to be somebody else, and its token does
// not leave the gateway.
func TestBackendsHearWhoCalls(t *testing.T) {
	seen := make(chan map[string][]string, 10)
	backend := erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: quiet})
	defer backend.Close()
	look := func(ctx erpc.PushCtx) {
		all := map[string][]string{}
		ctx.VisitMeta(func(k, v []byte) { all[string(k)] = append(all[string(k)], string(v)) })
		seen <- all
	}
	backend.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) { look(ctx); return nil, nil })
	backend.SetUnknownPush(func(ctx erpc.UnknownPushCtx) *erpc.Status { look(ctx); return nil })
	lis, err := backend.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- backend.Serve(lis) }()
	defer func() { _ = backend.Close(); <-served }()
	r := newRig(t, func(g *GatewayConfig) { g.Services[0].Instances = []string{lis.Addr().String()} })
	expect := func(what string) {
		t.Helper()
		select {
		case meta := <-seen:
			if u := meta[metaUser]; len(u) != 1 || u[0] != "ben" || meta["Authorization"] != nil || meta["Cookie"] != nil {
				t.Errorf("%s: the backend sees %v", what, meta)
			}
			if ip := meta[erpc.MetaRealIP]; len(ip) != 1 || ip[0] != "127.0.0.1" {
				t.Errorf("%s: the backend takes the client for %v", what, ip)
			}
		case <-time.After(patience):
			t.Fatalf("%s did not arrive", what)
		}
	}
	r.ask("POST", r.url+"/text/x", "ben's", "{}", metaUser, "ann", metaUser, "admin", "Cookie", "a=b", "X-Real-IP", "10.0.0.1")
	expect("a request")
	ben := r.mustDial("ben's")
	lies := []erpc.MessageSetting{erpc.WithAddMeta(metaUser, "ann"), erpc.WithAddMeta(metaUser, "root"), erpc.WithAddMeta("Authorization", "x"), erpc.WithAddMeta(erpc.MetaRealIP, "10.0.0.1")}
	if st := ben.Call("/text/x", 1, nil, lies...).Status(); !st.OK() {
		t.Error(st)
	}
	expect("a call")
	if st := ben.Push("/text/x", 1, lies...); !st.OK() {
		t.Error(st)
	}
	expect("a push")
}

// TestStreams: streams come through over HTTP, where curl -N reads them, and over
// WebSocket.
func TestStreams(t *testing.T) {
	r := newRig(t, nil)
	for n, err := range erpc.Subscribe[int](within(t), r.mustDial("ben's"), watchTicks, &struct{}{}) {
		if err != nil {
			t.Fatal(err)
		}
		if *n == 3 {
			break
		}
	}
	req, err := http.NewRequestWithContext(within(t), "GET", r.url+"/ticks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ben's")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for want := 1; want <= 3 && lines.Scan(); want++ {
		if got := lines.Text(); got != fmt.Sprint(want) {
			t.Fatalf("line %d is %q (%s)", want, got, res.Status)
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	if res, _ := r.ask("GET", r.url+"/ticks", "", ""); res.StatusCode != 401 {
		t.Errorf("a stranger gets %s", res.Status)
	}
}

// TestLimits: a user has one budget, wherever the calls come from, and so does an
// address.
func TestLimits(t *testing.T) {
	r := newRig(t, func(g *GatewayConfig) { g.PerUser = limit.Rate{Per: limit.PerIdentity, Limit: 0.001, Burst: 5} })
	ben := r.mustDial("ben's")
	for i := range 8 {
		code := 200
		if i%2 == 0 {
			res, _ := r.ask("GET", r.url+"/upper/x", "ben's", "")
			code = res.StatusCode
		} else if _, err := upper.Call(within(t), ben, &Text{"x"}); err != nil {
			code = int(erpc.StatusFromError(err).Code())
		}
		if want := map[bool]int{true: 200, false: 429}[i < 5]; code != want {
			t.Errorf("call %d: %d, want %d", i, code, want)
		}
	}
	if res, _ := r.ask("GET", r.url+"/upper/x", "ann's", ""); res.StatusCode != 200 {
		t.Errorf("ann pays for ben: %s", res.Status)
	}
	r = newRig(t, func(g *GatewayConfig) { g.PerIP = limit.Rate{Per: limit.PerIP, Limit: 0.001, Burst: 1} })
	for _, c := range []struct {
		token string
		want  int
	}{{"ben's", 200}, {"ann's", 429}} {
		if res, _ := r.ask("GET", r.url+"/upper/x", c.token, ""); res.StatusCode != c.want {
			t.Errorf("%s from one address: %s, want %d", c.token, res.Status, c.want)
		}
	}
}

// TestInstanceGone: no call fails when one of two instances shuts down, or when it dies
// and the method is safe; without any instance the answer is prompt, and /ready says
// no.
func TestInstanceGone(t *testing.T) {
	r := newRig(t, nil)
	ben := r.mustDial("ben's")
	stop, failed := make(chan struct{}), make(chan error, 100)
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := upper.Call(t.Context(), ben, &Text{"x"}); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	more := func(n int64) {
		t.Helper()
		from := done.Load()
		erpctest.Eventually(t, "calls go on", func() bool { return done.Load() >= from+n || len(failed) > 0 })
	}
	more(200)
	if err := r.instances[0].Shutdown(within(t)); err != nil {
		t.Error(err)
	}
	more(200)
	close(stop)
	wg.Wait()
	select {
	case err := <-failed:
		t.Errorf("a call failed: %v", err)
	default:
	}
	if res, body := r.ask("GET", "http://"+r.gateway.AdminAddr()+"/ready", "", ""); res.StatusCode != 200 {
		t.Errorf("with one instance: %s %s", res.Status, body)
	}

	if err := r.instances[1].peer.Close(); err != nil {
		t.Error(err)
	}
	start := time.Now()
	if res, body := r.ask("GET", r.url+"/upper/x", "ben's", ""); res.StatusCode != 502 || strings.Contains(body, "127.0.0.1") {
		t.Errorf("without an instance: %s %s, want 502 and no address", res.Status, body)
	}
	if d := time.Since(start); d > patience/2 {
		t.Errorf("it took %v to say so", d)
	}
	erpctest.Eventually(t, "/ready says no", func() bool {
		res, body := r.ask("GET", "http://"+r.gateway.AdminAddr()+"/ready", "", "")
		return res.StatusCode == 503 && strings.Contains(body, "/text/")
	})
}

// TestOperators checks what is served to operators, and that nobody gets it at the
// front.
func TestOperators(t *testing.T) {
	r := newRig(t, nil)
	r.ask("GET", r.url+"/upper/x", "ben's", "")
	admin := "http://" + r.gateway.AdminAddr()
	for path, want := range map[string]string{
		"/metrics": "erpc_handled_calls_started_total", "/live": "true", "/ready": "true", "/instances": r.instances[0].Addr(),
	} {
		if res, body := r.ask("GET", admin+path, "", ""); res.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s, want %q in it", path, res.Status, body, want)
		}
		if res, _ := r.ask("GET", r.url+path, "ann's", ""); res.StatusCode == 200 {
			t.Errorf("clients get %s", path)
		}
	}
}

// TestShutdown: /ready says no while calls are still accepted, and a request in
// progress is answered.
func TestShutdown(t *testing.T) {
	const drain = 2 * time.Second
	slow, release := make(chan struct{}), make(chan struct{})
	backend := erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: quiet})
	erpc.HandleCall(backend, "/text/slow", func(ctx context.Context, _ *struct{}) (*string, error) {
		close(slow)
		<-release
		s := "late"
		return &s, nil
	})
	lis, err := backend.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- backend.Serve(lis) }()
	defer func() { _ = backend.Close(); <-served }()
	r := newRig(t, func(g *GatewayConfig) {
		g.Services[0].Instances = []string{lis.Addr().String()}
		g.Drain = drain
	})
	answer := make(chan string, 1)
	go func() {
		_, body := r.ask("POST", r.url+"/text/slow", "ben's", "{}")
		answer <- body
	}()
	<-slow
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- r.gateway.Shutdown(within(t)) }()
	erpctest.Eventually(t, "/ready says no", func() bool {
		res, body := r.ask("GET", "http://"+r.gateway.AdminAddr()+"/ready", "", "")
		return res.StatusCode == 503 && strings.Contains(body, "leaving")
	})
	res, _, err := r.try("POST", r.url+"/text/nothing", "ben's", "{}")
	if during := time.Since(began) < drain; during && (err != nil || res.StatusCode != 404) {
		t.Errorf("a call during the drain: %v, %v", res, err)
	}
	erpctest.Eventually(t, "nobody is let in any more", func() bool {
		c, err := net.Dial("tcp", r.gateway.Addr())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(release)
	if got := <-answer; got != `"late"` {
		t.Errorf("the request in progress got %s", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestChoose: the longest matching prefix decides, whatever it consists of.
func TestChoose(t *testing.T) {
	prefixes := []string{"/text/", "/api/text/", "/api/", "/api/text/new/"}
	var services []Service
	for _, p := range prefixes {
		services = append(services, Service{Prefix: p, Instances: []string{"127.0.0.1:1"}})
	}
	b := newBackends(services, quiet)
	defer b.close()
	for method, want := range map[string]string{
		"/text/upper": "/text/", "/api/text/upper": "/api/text/", "/api/text/new/upper": "/api/text/new/", "/api/textual": "/api/",
		"/text": "", "/elsewhere/text/upper": "", "": "", "/": "",
	} {
		got := ""
		for p, c := range b.clients {
			if b.choose(&proxy.Label{ServiceMethod: method}) == proxy.Forwarder(c) {
				got = p
			}
		}
		if got != want {
			t.Errorf("%q is served by %q, want %q", method, got, want)
		}
		if f := b.choose(&proxy.Label{ServiceMethod: method}); want == "" && f != nil {
			t.Errorf("%q is served by %v", method, f)
		}
	}
}

// TestConfig: the file works as it is, and mistakes in it are found at the start.
func TestConfig(t *testing.T) {
	file, err := os.ReadFile("gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"as it is":     {},
		"a token":      {"let ben in", "let ann in", "token of its own"},
		"a prefix":     {"prefix: /text/,", "prefix: text,", "begin and end"},
		"two prefixes": {"  drain:", "  - {prefix: /text/, instances: [127.0.0.1:9103]}\n  drain:", "twice"},
		"a rate":       {"per_ip: {limit: 100", "per_ip: {limit: -1", "limit"},
		"a limit's of": {"per_user: {limit", "per_user: {per: ip, limit", "per_user.per"},
		"no end":       {"default_context_age: 5s ", "default_context_age: 0s ", "default_context_age"},
		"a rule":       {"[authenticated]", "[role:]", "role"},
		"a typo":       {"origins: []", "orgins: []", "orgins"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.old != "" && !bytes.Contains(file, []byte(c.old)) {
				t.Fatalf("the file has no %q", c.old)
			}
			path := filepath.Join(t.TempDir(), "gateway.yaml")
			if err := os.WriteFile(path, bytes.Replace(file, []byte(c.old), []byte(c.new), 1), 0o600); err != nil {
				t.Fatal(err)
			}
			var cfg Config
			err := erpc.LoadConfig(path, "", &cfg)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestRun starts the program from a file, calls it, and ends it.
func TestRun(t *testing.T) {
	file, err := os.ReadFile("gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 4)
	for i, port := range []string{"8080", "8081", "9101", "9102"} {
		file = bytes.ReplaceAll(file, []byte("127.0.0.1:"+port), []byte(ports[i]))
	}
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-config", path}, w)
		_ = w.Close() // it can't fail
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "gateway is at") {
	}
	r := &rig{t: t}
	res, body := r.ask("GET", "http://"+ports[0]+"/upper/hello", "let ann in", "")
	var a Answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Text != "HELLO" || a.User != "ann" {
		t.Errorf("%s %s, %v", res.Status, body, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-config", path, "nothing"}, io.Discard); err == nil || !strings.Contains(err.Error(), `no part "nothing"`) {
		t.Errorf("an unknown part gave %v", err)
	}
}

// freePorts returns addresses that were free a moment ago.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer lis.Close()
		addrs = append(addrs, lis.Addr().String())
	}
	return addrs
}
