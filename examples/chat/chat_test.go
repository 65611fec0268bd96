package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// patience bounds each wait of the tests.
const patience = 30 * time.Second

var quiet = slog.New(slog.DiscardHandler)

const secret = "a secret for tests"

// testConfig has users whose passwords are their names.
func testConfig() config {
	c := config{
		web: "127.0.0.1:0", raw: "127.0.0.1:0", origins: []string{"http://app.test"},
		logins:   logins{map[string]string{}, []byte(secret)},
		perUser:  limit.Rate{Per: limit.PerIdentity, Limit: 1000},
		perLogin: limit.Rate{Per: limit.PerIP, Limit: 1000},
		log:      quiet,
	}
	for _, name := range []string{"rita", "walt", "rob", "Anna", "Ben", "gopher", "walker"} {
		c.logins.users[name] = name
	}
	return c
}

func serve(t *testing.T) *server { return serveWith(t, testConfig()) }

func serveWith(t *testing.T, cfg config) *server {
	t.Helper()
	s, err := start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		for range cap(s.done) {
			<-s.done
		}
	})
	return s
}

// ask sends an HTTP request and returns the response with its body. A body of
// the request is JSON.
func ask(t *testing.T, method, url, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// token logs in like a client.
func token(t *testing.T, s *server, name string) string {
	t.Helper()
	resp, body := ask(t, http.MethodPost, "http://"+s.webAddr+"/login", fmt.Sprintf(`{"name":%q,"password":%q}`, name, name), nil)
	var got Token
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s logs in: %s %s", name, resp.Status, body)
	}
	if left := time.Until(time.UnixMilli(got.Expires)); left > tokenLife || left < tokenLife-patience {
		t.Errorf("the token expires in %v", left)
	}
	return got.Token
}

// A goGuest is a guest that is a Go program.
type goGuest struct {
	t        *testing.T
	name     string
	sess     erpc.Session
	messages chan Message
	members  chan Members
}

func newGuest(t *testing.T, name string, p erpc.Peer, dial func() (erpc.Session, *erpc.Status)) *goGuest {
	t.Helper()
	g := &goGuest{t: t, name: name, messages: make(chan Message, 100), members: make(chan Members, 100)}
	erpc.HandlePush(p, "/chat/message", func(_ context.Context, m *Message) error { g.messages <- *m; return nil }, limit.Ordered())
	erpc.HandlePush(p, "/chat/members", func(_ context.Context, m *Members) error { g.members <- *m; return nil }, limit.Ordered())
	sess, st := dial()
	if !st.OK() {
		t.Fatal(st)
	}
	g.sess = sess
	t.Cleanup(func() { _ = p.Close() }) // the server may be gone
	return g
}

// comeRaw returns a guest over raw TCP.
func comeRaw(t *testing.T, s *server, name string) *goGuest {
	t.Helper()
	p := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token(token(t, s, name))))
	return newGuest(t, name, p, func() (erpc.Session, *erpc.Status) { return p.Dial(s.rawAddr) })
}

// comeWeb returns a guest over WebSocket, like the page.
func comeWeb(t *testing.T, s *server, name string) *goGuest {
	t.Helper()
	c := websocket.NewClient("/ws", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token(token(t, s, name))))
	return newGuest(t, name, c.Peer, func() (erpc.Session, *erpc.Status) { return c.DialJSON(s.webAddr) })
}

func (g *goGuest) call(method string, arg, result any) *erpc.Status {
	return g.sess.Call(method, arg, result, erpc.WithTimeout(patience)).Status()
}

// join also checks the members that the reply names.
func (g *goGuest) join(room string, want ...string) {
	g.t.Helper()
	var got Members
	if st := g.call("/chat/join", Join{room}, &got); !st.OK() || got.Room != room || !slices.Equal(got.Members, want) {
		g.t.Fatalf("%s joins %s: %v, %+v, want %v", g.name, room, st, got, want)
	}
}

// say sends a text, which is to reach n guests.
func (g *goGuest) say(text string, n int) {
	g.t.Helper()
	var got int
	if st := g.call("/chat/say", Say{text}, &got); !st.OK() || got != n {
		g.t.Fatalf("%q reached %d, want %d: %v", text, got, n, st)
	}
}

func (g *goGuest) hears(want Message) {
	g.t.Helper()
	select {
	case got := <-g.messages:
		if got != want {
			g.t.Fatalf("heard %+v, want %+v", got, want)
		}
	case <-time.After(patience):
		g.t.Fatalf("%+v did not arrive", want)
	}
}

// sees waits until the room has these members.
func (g *goGuest) sees(room string, want ...string) {
	g.t.Helper()
	late := time.After(patience)
	var last Members
	for {
		select {
		case last = <-g.members:
			if last.Room == room && slices.Equal(last.Members, want) {
				return
			}
		case <-late:
			g.t.Fatalf("last saw %+v, want %v in %s", last, want, room)
		}
	}
}

func TestTCPAndWebSocketTalk(t *testing.T) {
	s := serve(t)
	raw, web := comeRaw(t, s, "rita"), comeWeb(t, s, "walt")
	raw.join("tea", "rita")
	web.join("tea", "rita", "walt")
	raw.sees("tea", "rita", "walt")
	web.sees("tea", "rita", "walt")

	raw.say("hello over <TCP> & \"co\"", 2)
	web.say("grüße vom 🕸", 2)
	for _, g := range []*goGuest{raw, web} {
		g.hears(Message{"tea", "rita", "hello over <TCP> & \"co\""})
		g.hears(Message{"tea", "walt", "grüße vom 🕸"})
	}

	// Another room hears nothing of it. A user with two sessions can be in two
	// rooms.
	other := comeRaw(t, s, "rita")
	other.join("coffee", "rita")
	other.say("anybody?", 1)
	other.hears(Message{"coffee", "rita", "anybody?"})
	web.join("coffee", "rita", "walt")
	raw.sees("tea", "rita")
	raw.say("where did they go?", 1)
	raw.hears(Message{"tea", "rita", "where did they go?"})
	other.say("hello walt", 2)
	web.hears(Message{"coffee", "rita", "hello walt"})

	// A guest that hangs up is gone, on either transport; a user is gone with the
	// last session.
	if err := web.sess.Close(); err != nil {
		t.Error(err)
	}
	other.sees("coffee", "rita")
	rob := comeRaw(t, s, "rob")
	rob.join("tea", "rita", "rob")
	other.join("tea", "rita", "rob")
	rob.say("two sessions of rita hear this", 3)
	if err := raw.sess.Close(); err != nil {
		t.Error(err)
	}
	other.sees("tea", "rita", "rob")
	if err := other.sess.Close(); err != nil {
		t.Error(err)
	}
	rob.sees("tea", "rob")
}

func TestOrderOfTexts(t *testing.T) {
	s := serve(t)
	raw, web := comeRaw(t, s, "rita"), comeWeb(t, s, "walt")
	raw.join("tea", "rita")
	web.join("tea", "rita", "walt")
	const n = 20
	done := make(chan erpc.CallCmd, 2*n)
	for i := range n {
		raw.sess.AsyncCall("/chat/say", Say{fmt.Sprint(i)}, nil, done)
		web.sess.AsyncCall("/chat/say", Say{fmt.Sprint(i)}, nil, done)
	}
	var seen [2][]Message
	next := map[string]int{}
	for i, g := range []*goGuest{raw, web} {
		for range 2 * n {
			select {
			case m := <-g.messages:
				seen[i] = append(seen[i], m)
			case <-time.After(patience):
				t.Fatalf("after %d texts no other arrived", len(seen[i]))
			}
		}
	}
	if !slices.Equal(seen[0], seen[1]) {
		t.Errorf("two guests of a room saw different orders:\n%v\n%v", seen[0], seen[1])
	}
	for _, m := range seen[0] {
		if m.Text != fmt.Sprint(next[m.From]) {
			t.Fatalf("%s said %s, want %d", m.From, m.Text, next[m.From])
		}
		next[m.From]++
	}
	for range 2 * n {
		if st := (<-done).Status(); !st.OK() {
			t.Error(st)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t)
	rita := comeRaw(t, s, "rita")
	for _, tc := range []struct {
		name, method string
		arg          any
		code         int32
	}{
		{"no room", "/chat/join", Join{"  "}, codeBadInput},
		{"long room", "/chat/join", Join{strings.Repeat("ä", longestName+1)}, codeBadInput},
		{"not in a room", "/chat/say", Say{"hello"}, codeNoRoom},
		{"no text", "/chat/say", Say{""}, codeBadInput},
		{"long text", "/chat/say", Say{strings.Repeat("x", longestText+1)}, codeBadInput},
	} {
		if st := rita.call(tc.method, tc.arg, nil); st.Code() != tc.code {
			t.Errorf("%s: %v, want code %d", tc.name, st, tc.code)
		}
	}
	rita.join(strings.Repeat("ä", longestName), "rita")
	rita.join("tea", "rita")
	rita.join("tea", "rita") // joining again is not an error
}

func TestPageAndAPI(t *testing.T) {
	s := serve(t)
	comeRaw(t, s, "rita").join("tea", "rita")
	web := "http://" + s.webAddr
	for _, f := range []struct{ path, kind, has string }{
		{"/", "text/html; charset=utf-8", `<script type="module" src="chat.js">`},
		{"/chat.js", "text/javascript; charset=utf-8", `from "./erpc.js"`},
		{"/erpc.js", "text/javascript; charset=utf-8", "export function connect"},
		{"/streams.js", "text/javascript; charset=utf-8", "export class Stream"},
	} {
		resp, body := ask(t, http.MethodGet, web+f.path, "", nil)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != f.kind || !strings.Contains(body, f.has) {
			t.Errorf("%s: %s, %v\n%.200s", f.path, resp.Status, resp.Header, body)
		}
	}
	bearer := "Bearer " + token(t, s, "walt")
	resp, body := ask(t, http.MethodGet, web+"/chat/rooms", "", map[string]string{"Authorization": bearer, "Origin": "http://app.test"})
	var rooms map[string]int
	if err := json.Unmarshal([]byte(body), &rooms); err != nil || rooms["tea"] != 1 || len(rooms) != 1 {
		t.Errorf("rooms %q, %v", body, err)
	}
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "http://app.test" {
		t.Errorf("the page may not read that: %q", got)
	}
	if resp, _ := ask(t, http.MethodPost, web+"/chat/join", `{"room":"tea"}`, map[string]string{"Authorization": bearer}); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("the API lets a client join that can't be pushed to: %s", resp.Status)
	}
}

// Shutdown ends feeds without an error, ends the sessions, and closes the listeners.
func TestShutdown(t *testing.T) {
	s := serve(t)
	raw, web := comeRaw(t, s, "rita"), comeWeb(t, s, "walt")
	raw.join("tea", "rita")
	web.join("tea", "rita", "walt")
	fed := make(chan error, 1)
	go func() {
		var err error
		for _, err = range erpc.Subscribe[Message](t.Context(), raw.sess, "/chat/feed", &Feed{"tea"}) {
		}
		fed <- err
	}()
	followed(t, s.rooms, "tea", 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-fed; err != nil {
		t.Errorf("the feed ended with %v", err)
	}
	for _, g := range []*goGuest{raw, web} {
		<-g.sess.CloseNotify()
	}
	for _, addr := range []string{s.rawAddr, s.webAddr} {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close() // it should not exist
			t.Errorf("%s still accepts", addr)
		}
	}
}

// The program runs until it is told to end.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	said, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-web", "127.0.0.1:0", "-raw", "127.0.0.1:0"}, out) }()
	lines := bufio.NewScanner(said)
	for _, want := range []string{"the page is http://127.0.0.1:", "log in as Anna", "log in as Ben", "log in as Gopher"} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("said %q, want %q", lines.Text(), want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-no-such-flag"}, io.Discard); err == nil {
		t.Error("an unknown flag was accepted")
	}
}

func TestStartFails(t *testing.T) {
	s := serve(t)
	for _, addr := range []string{s.webAddr, s.rawAddr} {
		web, raw := testConfig(), testConfig()
		web.web, raw.raw = addr, addr
		for _, cfg := range []config{web, raw} {
			if _, err := start(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
				t.Errorf("%+v: %v", cfg, err)
			}
		}
	}
}
