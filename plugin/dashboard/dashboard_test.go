package dashboard_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/dashboard"
	"github.com/goerpc/erpc/plugin/stats"
)

var _ dashboard.Cluster = (*cluster.Cluster)(nil)

// hostile is what a stranger would like to see run in a browser or a terminal.
const hostile = "/<img src=x onerror=alert(1)>\x1b[31m\n\"'&</script>"

// anyone lets everybody act.
func anyone(*http.Request) error { return nil }

// A site is a peer with a dashboard, and a client of the peer.
type site struct {
	t     *testing.T
	d     *dashboard.Dashboard
	peer  erpc.Peer
	addr  string
	sess  erpc.Session  // of the client
	heard chan string   // pushes to the client
	kept  chan struct{} // lets the handler of /wait return
}

func newSite(t *testing.T, cfg dashboard.Config, plugins ...erpc.Plugin) *site {
	t.Helper()
	s := &site{t: t, d: dashboard.New(cfg), heard: make(chan string, 10), kept: make(chan struct{})}
	s.peer = kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1", MaxSessions: 50}, append(plugins, s.d)...)
	erpc.HandleCall(s.peer, "/add", kit.Add)
	erpc.HandleCall(s.peer, "/fail", func(_ context.Context, code *int32) (*int, error) {
		return nil, erpc.NewStatus(*code, "failed", hostile).Err()
	})
	erpc.HandleCall(s.peer, "/wait", func(ctx context.Context, _ *int) (*int, error) {
		<-s.kept
		return nil, nil
	})
	erpc.HandlePush(s.peer, "/note", func(context.Context, *string) error { return nil })
	erpc.HandleStream(s.peer, "/echo", func(_ context.Context, st *erpc.Stream[string, string]) error {
		for m, err := range st.All() {
			if err != nil {
				return err
			}
			if err := st.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	s.addr = kit.Start(t, s.peer)
	cli := kit.Peer(t, erpc.PeerConfig{})
	erpc.HandlePush(cli, "/heard", func(_ context.Context, line *string) error {
		s.heard <- *line
		return nil
	})
	s.sess = kit.Open(t, cli, s.addr)
	kit.Eventually(t, kit.Bound, "the session at the peer", func() bool { return s.peer.CountSession() == 1 })
	return s
}

// ask makes a request of the handler.
func (s *site) ask(method, target, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:9091"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	s.d.ServeHTTP(w, r)
	return w
}

// get fills v with the answer of a request for data.
func (s *site) get(name string, v any) {
	s.t.Helper()
	w := s.ask("GET", "/api/"+name, "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		s.t.Fatalf("%s: %d %s", name, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, w.Body)
	}
}

// post does an action and returns the status and the answer.
func (s *site) post(name, arg string) (int, string) {
	s.t.Helper()
	w := s.ask("POST", "/api/"+name, arg, "Content-Type", "application/json")
	return w.Code, w.Body.String()
}

// only returns the one session of the peer.
func (s *site) only() (sess erpc.Session) {
	s.peer.RangeSession(func(one erpc.Session) bool { sess = one; return false })
	return sess
}

type object = map[string]any

func TestWhoMayAsk(t *testing.T) {
	refuse := func(r *http.Request) error {
		if r.Method == "POST" || r.Header.Get("Authorization") == "" {
			return errors.New("secret reason")
		}
		return nil
	}
	plain := newSite(t, dashboard.Config{Hosts: []string{"Ops.Example.org"}})
	acting := newSite(t, dashboard.Config{Actions: true, Authorize: anyone})
	guarded := newSite(t, dashboard.Config{Actions: true, Authorize: refuse})
	for name, c := range map[string]struct {
		site           *site
		method, target string
		header         []string
		want           int
	}{
		"page":                          {plain, "GET", "/", nil, 200},
		"page below a path":             {plain, "GET", "/debug/erpc/", nil, 200},
		"script below a path":           {plain, "GET", "/debug/erpc/app.js", nil, 200},
		"data below a path":             {plain, "GET", "/debug/erpc/api/methods", nil, 200},
		"head of a page":                {plain, "HEAD", "/", nil, 200},
		"no such page":                  {plain, "GET", "/nothing.html", nil, 404},
		"file of the program":           {plain, "GET", "/../dashboard.go", nil, 404},
		"no such data":                  {plain, "GET", "/api/nothing", nil, 404},
		"page by POST":                  {plain, "POST", "/", nil, 405},
		"data by POST":                  {plain, "POST", "/api/methods", nil, 405},
		"action by GET":                 {acting, "GET", "/api/kick", nil, 405},
		"action where it is off":        {plain, "POST", "/api/kick", nil, 403},
		"IPv4":                          {plain, "GET", "/", []string{"Host", "192.0.2.1:9091"}, 200},
		"IPv6":                          {plain, "GET", "/", []string{"Host", "[2001:db8::1]:9091"}, 200},
		"IPv6 without port":             {plain, "GET", "/", []string{"Host", "[::1]"}, 200},
		"name of the configuration":     {plain, "GET", "/", []string{"Host", "ops.example.org:443"}, 200},
		"name that resolves to us":      {plain, "GET", "/api/overview", []string{"Host", "evil.example.com:9091"}, 421},
		"name that begins as localhost": {plain, "GET", "/", []string{"Host", "localhost.evil.example.com"}, 421},
		"no name":                       {plain, "GET", "/", []string{"Host", ""}, 421},
		"page of another site":          {acting, "POST", "/api/kick", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"other origin":                  {acting, "POST", "/api/kick", []string{"Origin", "http://evil.example.com"}, 403},
		"same origin":                   {acting, "POST", "/api/kick", []string{"Origin", "http://localhost:9091", "Sec-Fetch-Site", "same-origin"}, 400}, // as there is no body
		"not authorized":                {guarded, "GET", "/", nil, 403},
		"authorized to look":            {guarded, "GET", "/api/methods", []string{"Authorization", "x"}, 200},
		"not authorized to act":         {guarded, "POST", "/api/kick", []string{"Authorization", "x"}, 403},
	} {
		w := c.site.ask(c.method, c.target, "", c.header...)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
		h := w.Header()
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy is %q", name, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, h)
		}
		if strings.Contains(w.Body.String(), "secret reason") {
			t.Errorf("%s: the reason of a refusal is shown", name)
		}
	}
}

// Browsers ask for a password only if they are told to.
func TestChallenge(t *testing.T) {
	s := newSite(t, dashboard.Config{Challenge: `Basic realm="erpc"`, Authorize: func(r *http.Request) error {
		if name, password, _ := r.BasicAuth(); name != "ann" || password != "right" {
			return errors.New("wrong password")
		}
		return nil
	}})
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+password))
	}
	for password, want := range map[string]int{"": 401, "wrong": 401, "right": 200} {
		w := s.ask("GET", "/", "", "Authorization", basic(password))
		if w.Code != want || (w.Header().Get("WWW-Authenticate") != "") != (want == 401) {
			t.Errorf("%q: %d %v", password, w.Code, w.Header())
		}
	}
}

// The mount point without its slash leads to the one with it.
func TestMountPoint(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	mux := http.NewServeMux()
	mux.Handle("/whole/", s.d)
	mux.Handle("/stripped", http.StripPrefix("/stripped", s.d))
	mux.Handle("/stripped/", http.StripPrefix("/stripped", s.d))
	web := httptest.NewServer(mux)
	defer web.Close()
	for _, path := range []string{"/whole", "/whole/", "/stripped", "/stripped/", "/stripped?x=1"} {
		resp, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(page), "<title>erpc</title>") {
			t.Errorf("%s: %d, %v\n%s", path, resp.StatusCode, err, page)
		}
		if !strings.HasSuffix(resp.Request.URL.Path, "/") {
			t.Errorf("%s leads to %s", path, resp.Request.URL)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  dashboard.Config
		want string
	}{
		"zero":              {dashboard.Config{}, ""},
		"loopback":          {dashboard.Config{Listen: "127.0.0.1:9091"}, ""},
		"IPv6":              {dashboard.Config{Listen: "[::1]:0"}, ""},
		"localhost":         {dashboard.Config{Listen: "localhost:9091"}, ""},
		"all addresses":     {dashboard.Config{Listen: ":9091"}, "not a loopback address"},
		"the network":       {dashboard.Config{Listen: "192.0.2.1:9091"}, "not a loopback address"},
		"a name":            {dashboard.Config{Listen: "example.org:9091"}, "not a loopback address"},
		"no port":           {dashboard.Config{Listen: "127.0.0.1"}, "write an address"},
		"actions of anyone": {dashboard.Config{Actions: true}, "Authorize"},
	} {
		err := c.cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if c.want != "" {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: NewPeer takes it", name)
					}
				}()
				erpc.NewPeer(erpc.PeerConfig{}, dashboard.New(c.cfg))
			}()
		}
	}
}

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
	// A page that has points gets those that are new.
	var more struct{ Points []map[string]float64 }
	s.get(fmt.Sprintf("overview?after=%.0f", last["at"]), &more)
	for _, p := range more.Points {
		if p["at"] <= last["at"] {
			t.Errorf("the point of %v comes twice", p["at"])
		}
	}
	if w := s.ask("GET", "/api/overview?after=x", ""); w.Code != 400 {
		t.Errorf("after a time that is none: %d", w.Code)
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

// A stranger who makes up names makes no rows.
func TestNamesOfStrangersMakeNoRows(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	before := len(s.ask("GET", "/api/methods", "").Body.Bytes())
	const batch = 1000
	names := batch * kit.Times(20, 100)
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

type sessionRow struct {
	ID, Key, User, Remote, Protocol string
	Dialed                          bool
	Began                           int64
	BytesIn, Streams                uint64
}

type sessionPage struct {
	Total, Page, Pages int
	Sessions           []sessionRow
}

func TestSessions(t *testing.T) {
	user := func(sess erpc.Session) string { return "user of " + sess.ID() }
	s := newSite(t, dashboard.Config{User: user})
	kit.Answers(t, s.sess)
	id := "<b>\xff\n" + strings.Repeat("é", 500)
	s.only().SetID(id)
	var page sessionPage
	s.get("sessions", &page)
	if page.Total != 1 || page.Pages != 1 || len(page.Sessions) != 1 {
		t.Fatalf("%+v", page)
	}
	one := page.Sessions[0]
	if len(one.ID) > 300 || !strings.HasPrefix(one.ID, "<b>\ufffd\né") || !strings.HasPrefix(one.User, "user of ") || one.Protocol != "raw" || one.Dialed ||
		time.Since(time.UnixMilli(one.Began)) > kit.Bound || one.BytesIn == 0 || one.Remote != s.sess.LocalAddr().String() {
		t.Errorf("%+v", one)
	}
	var view struct {
		sessionRow
		Local     string
		Connected bool
		Groups    []string
	}
	s.peer.Group(hostile).Join(s.only())
	s.get("session?key="+one.Key, &view)
	if view.Key != one.Key || !view.Connected || view.Local != s.addr || len(view.Groups) != 1 || view.Groups[0] != hostile {
		t.Errorf("%+v", view)
	}
	for target, want := range map[string]int{
		"session?key=":    400,
		"session?key=***": 400,
		"session?key=" + strings.Repeat("A", 1<<12):     404,
		"session?key=bm90aGluZw":                        404,
		"sessions?sort=nothing":                         400,
		"sessions?page=-1":                              400,
		"sessions?page=x":                               400,
		"sessions?page=100":                             400,
		"sessions?page=99":                              200,
		"sessions?filter=%00%ff<&sort=age&desc=1":       200,
		"sessions?sort=dropped":                         200,
		"describe?method=/nothing&kind=call":            404,
		"describe?method=/add&kind=push":                404,
		"describe?method=" + strings.Repeat("x", 1<<16): 404,
	} {
		if w := s.ask("GET", "/api/"+target, ""); w.Code != want {
			t.Errorf("%.60s: %d, want %d: %s", target, w.Code, want, w.Body)
		}
	}
	s.get("sessions?filter=USER+OF", &page)
	if page.Total != 1 {
		t.Errorf("the filter finds %d", page.Total)
	}
	s.get("sessions?filter=nobody", &page)
	if page.Total != 0 || len(page.Sessions) != 0 {
		t.Errorf("the filter of nobody finds %+v", page)
	}
}

// Sessions show the identity of plugin/auth.
func TestIdentities(t *testing.T) {
	login := auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		return &auth.Identity{Name: c.Token}, nil
	}})
	d := dashboard.New(dashboard.Config{})
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, login, d)
	kit.Dial(t, kit.Start(t, srv), erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token("ann")))
	s := &site{t: t, d: d, peer: srv}
	var page sessionPage
	kit.Eventually(t, kit.Bound, "the session", func() bool {
		s.get("sessions", &page)
		return page.Total == 1
	})
	if page.Sessions[0].User != "ann" {
		t.Errorf("the user is %q", page.Sessions[0].User)
	}
}

func TestStreams(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	stream, err := erpc.OpenStream[string, string](t.Context(), s.sess, "/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	word := "x"
	if err := stream.Send(&word); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // it is open at the other side
		t.Fatal(err)
	}
	var v struct {
		Open     int
		Methods  []methodRow
		Sessions []sessionRow
	}
	kit.Eventually(t, kit.Bound, "the stream", func() bool {
		s.get("streams", &v)
		return v.Open == 1 && len(v.Sessions) == 1
	})
	if len(v.Methods) != 1 || v.Methods[0].Name != "/echo" || v.Methods[0].Kind != "stream" || v.Methods[0].Open != 1 || v.Sessions[0].Streams != 1 {
		t.Errorf("%+v", v)
	}
}

type fakeCluster struct{}

func (fakeCluster) Node() string                { return "node-<1>" }
func (fakeCluster) Nodes() []string             { return []string{"node-2"} }
func (fakeCluster) Rooms(erpc.Session) []string { return []string{hostile, "lobby"} }
func (fakeCluster) User(erpc.Session) string    { return "ann" }

func TestRooms(t *testing.T) {
	s := newSite(t, dashboard.Config{Cluster: fakeCluster{}})
	for i := range 150 {
		s.peer.Group(fmt.Sprintf("group %03d", i)).Join(s.only())
	}
	var v struct {
		Groups, Rooms []struct {
			Name    string
			Members int
		}
		Cluster struct {
			Node  string
			Nodes []string
		}
	}
	s.get("rooms", &v)
	if len(v.Groups) != 100 || v.Groups[0].Name != "group 000" || v.Groups[0].Members != 1 {
		t.Errorf("%d groups: %+v", len(v.Groups), v.Groups[:1])
	}
	if len(v.Rooms) != 2 || v.Rooms[0].Name != hostile || v.Rooms[1].Name != "lobby" || v.Cluster.Node != "node-<1>" || len(v.Cluster.Nodes) != 1 {
		t.Errorf("%+v %+v", v.Rooms, v.Cluster)
	}
	var page sessionPage
	s.get("sessions", &page)
	if page.Sessions[0].User != "ann" {
		t.Errorf("the user is %q", page.Sessions[0].User)
	}
}

// The rooms and nodes of a cluster are shown.
func TestCluster(t *testing.T) {
	medium := cluster.NewMemory()
	c, other := cluster.New(medium.Engine(), cluster.Options{}), cluster.New(medium.Engine(), cluster.Options{})
	kit.Peer(t, erpc.PeerConfig{}, other)
	s := newSite(t, dashboard.Config{Cluster: c}, c)
	for _, node := range []*cluster.Cluster{c, other} {
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer node.Close()
	}
	if err := c.Join(t.Context(), s.only(), "lobby"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetUser(t.Context(), s.only(), "ann"); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Rooms   []struct{ Name string }
		Cluster struct {
			Node  string
			Nodes []string
		}
	}
	kit.Eventually(t, kit.Bound, "the other node", func() bool {
		s.get("rooms", &v)
		return len(v.Cluster.Nodes) == 1
	})
	if v.Cluster.Node != c.Node() || v.Cluster.Nodes[0] != other.Node() || len(v.Rooms) != 1 || v.Rooms[0].Name != "lobby" {
		t.Errorf("%+v", v)
	}
	var page sessionPage
	s.get("sessions?filter=ann", &page)
	if page.Total != 1 || page.Sessions[0].User != "ann" {
		t.Errorf("%+v", page)
	}
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
	if l := find(v.Sessions, "read_limit"); l.Max != int64(s.peer.Config().ReadLimit) || l.Now != -1 {
		t.Errorf("%+v", l)
	}
	if l := find(v.Times, "write_timeout"); l.Max != s.peer.Config().WriteTimeout.Milliseconds() {
		t.Errorf("%+v", l)
	}
	close(s.kept)
	kit.Await(t, "the call", waiting.Done())
}

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

// A session that goes away fails no call: the one in flight ends, and the next goes
// over a new connection.
func TestGoAway(t *testing.T) {
	s := newSite(t, dashboard.Config{Actions: true, Authorize: anyone})
	cli := kit.Peer(t, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Millisecond})
	sess := kit.Open(t, cli, s.addr)
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	if _, err := erpc.Call[int](ctx, sess, "/add", &kit.Sum{A: 1}); err != nil { // with a timeout: it offers what it understands
		t.Fatal(err)
	}
	old := sess.LocalAddr().String()
	waiting := sess.AsyncCall("/wait", 1, nil, make(chan erpc.CallCmd, 1))
	kit.Eventually(t, kit.Bound, "the call", func() bool { return s.method("/wait", "call").Open == 1 })
	key := base64.RawURLEncoding.EncodeToString([]byte(old))
	for range 3 { // more than once changes nothing
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

// Actions are logged with who did them, and without secrets.
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

// A method that asks for a token gets that of the form.
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

func TestServesItself(t *testing.T) {
	s := newSite(t, dashboard.Config{Listen: "127.0.0.1:0"})
	kit.Eventually(t, kit.Bound, "the address", func() bool { return s.d.Addr() != nil })
	resp, err := http.Get("http://" + s.d.Addr().String() + "/api/overview")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only its status counts
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if err := s.peer.Close(); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, kit.Bound, "the end of the server", func() bool {
		resp, err := http.Get("http://" + s.d.Addr().String() + "/")
		if err == nil {
			_ = resp.Body.Close() // it is asked again
		}
		return err != nil
	})
}

// An address that is taken, such as by the process that this one replaces, is no
// reason not to start.
func TestAddressThatIsTaken(t *testing.T) {
	first := newSite(t, dashboard.Config{Listen: "127.0.0.1:0"})
	kit.Eventually(t, kit.Bound, "the address", func() bool { return first.d.Addr() != nil })
	second := newSite(t, dashboard.Config{Listen: first.d.Addr().String()})
	kit.Answers(t, second.sess)
	if err := first.peer.Close(); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, kit.Bound, "the address of the first", func() bool { return second.d.Addr() != nil })
}

func TestOnePeer(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	defer func() {
		if recover() == nil {
			t.Error("a second peer takes the plugin")
		}
	}()
	erpc.NewPeer(erpc.PeerConfig{}, s.d)
}

// Without a peer there is nothing to see.
func TestWithoutPeer(t *testing.T) {
	s := &site{t: t, d: dashboard.New(dashboard.Config{})}
	if w := s.ask("GET", "/api/overview", ""); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// The counts of a plugin of the program are used, not counted a second time.
func TestUsesStatsOfTheProgram(t *testing.T) {
	counts := stats.New(stats.Config{})
	s := newSite(t, dashboard.Config{}, counts)
	n := 0
	for _, p := range s.peer.PluginContainer().GetAll() {
		if _, ok := p.(*stats.Stats); ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d plugins count", n)
	}
}
