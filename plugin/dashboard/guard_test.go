package dashboard_test

import (
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
)

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

// Browsers ask for a password only when the response tells them to.
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

// A stranger that asks again and again does not fill the log.
func TestRefusalsFillNoLog(t *testing.T) {
	var log kit.Log
	d := dashboard.New(dashboard.Config{Authorize: func(*http.Request) error { return errors.New("nobody may") }})
	s := &site{t: t, d: d, peer: kit.Peer(t, erpc.PeerConfig{Logger: slog.New(&log)}, d)}
	begin := time.Now()
	for range 1000 {
		s.ask("GET", "/"+strings.Repeat("x", 1000), "")
	}
	lines := log.Says("nobody may")
	if max := 2 + int(time.Since(begin)/time.Second); len(lines) < 1 || len(lines) > max || len(lines[0]) > 600 {
		t.Errorf("%d lines, want 1 to %d: %.700q", len(lines), max, lines)
	}
}

// The mount point without its slash redirects to the one with it.
func TestMountPoint(t *testing.T) {
	s := newSite(t, dashboard.Config{})
	mux := http.NewServeMux()
	mux.Handle("/whole/", s.d)
	mux.Handle("/stripped", http.StripPrefix("/stripped", s.d))
	mux.Handle("/stripped/", http.StripPrefix("/stripped", s.d))
	mux.Handle("/", http.StripPrefix("/", s.d))
	web := httptest.NewServer(mux)
	defer web.Close()
	for _, path := range []string{"/", "/whole", "/whole/", "/stripped", "/stripped/", "/stripped?x=1"} {
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

// Without a peer the dashboard has nothing to show.
func TestWithoutPeer(t *testing.T) {
	s := &site{t: t, d: dashboard.New(dashboard.Config{})}
	if w := s.ask("GET", "/api/overview", ""); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
