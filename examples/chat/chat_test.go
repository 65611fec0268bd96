package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/limit"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// patience bounds each wait of the tests.
const patience = 30 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func serve(t *testing.T) *server {
	t.Helper()
	const any = "127.0.0.1:0"
	s, err := start(any, any, any, quiet)
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

// A goGuest is a guest that is a Go program.
type goGuest struct {
	t        *testing.T
	sess     erpc.Session
	messages chan Message
	members  chan Members
}

func newGuest(t *testing.T, p erpc.Peer, dial func() (erpc.Session, *erpc.Status)) *goGuest {
	t.Helper()
	g := &goGuest{t: t, messages: make(chan Message, 100), members: make(chan Members, 100)}
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

// comeRaw is a guest over raw TCP.
func comeRaw(t *testing.T, s *server) *goGuest {
	t.Helper()
	p := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
	return newGuest(t, p, func() (erpc.Session, *erpc.Status) { return p.Dial(s.rawAddr) })
}

// comeWeb is a guest over WebSocket, as the page is.
func comeWeb(t *testing.T, s *server) *goGuest {
	t.Helper()
	c := websocket.NewClient("/ws", erpc.PeerConfig{Logger: quiet})
	return newGuest(t, c.Peer, func() (erpc.Session, *erpc.Status) { return c.DialJSON(s.webAddr) })
}

func (g *goGuest) call(method string, arg, result any) *erpc.Status {
	return g.sess.Call(method, arg, result, erpc.WithTimeout(patience)).Status()
}

// join also sees that the reply says who is there.
func (g *goGuest) join(room, name string, want ...string) {
	g.t.Helper()
	var got Members
	if st := g.call("/chat/join", Join{room, name}, &got); !st.OK() || got.Room != room || !slices.Equal(got.Members, want) {
		g.t.Fatalf("%v joins %v: %+v, want %v", name, st, got, want)
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
			g.t.Fatalf("saw %+v at last, want %v in %s", last, want, room)
		}
	}
}

func TestTCPAndWebSocketTalk(t *testing.T) {
	s := serve(t)
	raw, web := comeRaw(t, s), comeWeb(t, s)
	raw.join("tea", "rita", "rita")
	web.join("tea", "walt", "rita", "walt")
	raw.sees("tea", "rita", "walt")
	web.sees("tea", "rita", "walt")

	raw.say("hello over <TCP> & \"co\"", 2)
	web.say("grüße vom 🕸", 2)
	for _, g := range []*goGuest{raw, web} {
		g.hears(Message{"tea", "rita", "hello over <TCP> & \"co\""})
		g.hears(Message{"tea", "walt", "grüße vom 🕸"})
	}

	// Another room hears nothing of it.
	other := comeRaw(t, s)
	other.join("coffee", "rita", "rita")
	other.say("anybody?", 1)
	other.hears(Message{"coffee", "rita", "anybody?"})
	web.join("coffee", "walt", "rita", "walt")
	raw.sees("tea", "rita")
	raw.say("where did they go?", 1)
	raw.hears(Message{"tea", "rita", "where did they go?"})
	other.say("hello walt", 2)
	web.hears(Message{"coffee", "rita", "hello walt"})

	// Who hangs up is gone, by whatever way they came.
	if err := web.sess.Close(); err != nil {
		t.Error(err)
	}
	other.sees("coffee", "rita")
	other.join("tea", "rob", "rita", "rob")
	if err := raw.sess.Close(); err != nil {
		t.Error(err)
	}
	other.sees("tea", "rob")
	other.join("tea", "rita", "rita") // the name is free again
}

func TestOrderOfTexts(t *testing.T) {
	s := serve(t)
	raw, web := comeRaw(t, s), comeWeb(t, s)
	raw.join("tea", "rita", "rita")
	web.join("tea", "walt", "rita", "walt")
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
	rita, other := comeRaw(t, s), comeRaw(t, s)
	rita.join("tea", "rita", "rita")
	for _, tc := range []struct {
		name, method string
		arg          any
		code         int32
	}{
		{"no name", "/chat/join", Join{"tea", "  "}, codeBadInput},
		{"no room", "/chat/join", Join{"", "rob"}, codeBadInput},
		{"long name", "/chat/join", Join{"tea", strings.Repeat("ä", longestName+1)}, codeBadInput},
		{"name taken", "/chat/join", Join{"tea", " rita "}, codeNameTaken},
		{"not in a room", "/chat/say", Say{"hello"}, codeNoRoom},
		{"no text", "/chat/say", Say{""}, codeBadInput},
		{"long text", "/chat/say", Say{strings.Repeat("x", longestText+1)}, codeBadInput},
	} {
		if st := other.call(tc.method, tc.arg, nil); st.Code() != tc.code {
			t.Errorf("%s: %v, want code %d", tc.name, st, tc.code)
		}
	}
	other.join("tea", strings.Repeat("ä", longestName), "rita", strings.Repeat("ä", longestName))
	rita.join("tea", "rita", strings.Repeat("ä", longestName), "rita") // again is no fault
}

func TestPageAndAPI(t *testing.T) {
	s := serve(t)
	comeRaw(t, s).join("tea", "rita", "rita")
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	get := func(url, origin string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := io.Copy(&b, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp, b.String()
	}
	_, apiPort, _ := strings.Cut(s.apiAddr, ":")
	for _, f := range []struct{ path, kind, has string }{
		{"/", "text/html; charset=utf-8", `data-api-port="` + apiPort + `"`},
		{"/chat.js", "text/javascript; charset=utf-8", `from "./erpc.js"`},
		{"/erpc.js", "text/javascript; charset=utf-8", "export function connect"},
	} {
		resp, body := get("http://"+s.webAddr+f.path, "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != f.kind || !strings.Contains(body, f.has) {
			t.Errorf("%s: %s, %v\n%.200s", f.path, resp.Status, resp.Header, body)
		}
	}
	if resp, _ := get("http://"+s.webAddr+"/index.html", ""); resp.StatusCode != 404 {
		t.Errorf("the unfilled template is served: %s", resp.Status)
	}
	resp, body := get("http://"+s.apiAddr+"/chat/rooms", "http://"+s.webAddr)
	var rooms map[string]int
	if err := json.Unmarshal([]byte(body), &rooms); err != nil || rooms["tea"] != 1 || len(rooms) != 1 {
		t.Errorf("rooms %q, %v", body, err)
	}
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("the page may not read that: %q", got)
	}
	if resp, _ := get("http://"+s.apiAddr+"/chat/join?room=tea&name=eve", ""); resp.StatusCode != 404 {
		t.Errorf("the API lets join who can't be pushed to: %s", resp.Status)
	}
}

func TestStartFails(t *testing.T) {
	s := serve(t)
	const any = "127.0.0.1:0"
	for _, a := range [][3]string{{s.webAddr, any, any}, {any, s.rawAddr, any}, {any, any, s.apiAddr}} {
		if _, err := start(a[0], a[1], a[2], quiet); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%v: %v", a, err)
		}
	}
}
