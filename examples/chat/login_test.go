package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
)

// One check decides for raw TCP, WebSocket and HTTP.
func TestLogin(t *testing.T) {
	s := serve(t)
	l := logins{secret: []byte(secret)}
	good := l.mint("rita", time.Now().Add(time.Minute))
	other := logins{secret: []byte("another secret")}
	for name, tc := range map[string]struct {
		token string
		code  int32
	}{
		"good":              {good, 0},
		"none":              {"", erpc.CodeUnauthorized},
		"not a token":       {"rita", erpc.CodeUnauthorized},
		"another user":      {strings.Replace(good, "rita", "walt", 1), erpc.CodeUnauthorized},
		"another secret":    {other.mint("rita", time.Now().Add(time.Minute)), erpc.CodeUnauthorized},
		"expired":           {l.mint("rita", time.Now().Add(-time.Minute)), erpc.CodeUnauthorized},
		"not a time":        {strings.Replace(good, ":", ":x", 1), erpc.CodeUnauthorized},
		"written otherwise": {strings.Replace(good, ":", ":0", 1), erpc.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			p := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token(tc.token)))
			defer p.Close()
			if _, st := p.Dial(s.rawAddr); st.Code() != tc.code {
				t.Errorf("raw: %v", st)
			}
			c := websocket.NewClient("/ws", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token(tc.token)))
			defer c.Close()
			if _, st := c.DialJSON(s.webAddr); st.Code() != tc.code {
				t.Errorf("WebSocket: %v", st)
			}
			resp, body := ask(t, http.MethodGet, "http://"+s.webAddr+"/chat/rooms", "", map[string]string{"Authorization": "Bearer " + tc.token})
			if want := max(int(tc.code), http.StatusOK); resp.StatusCode != want {
				t.Errorf("HTTP: %s %s", resp.Status, body)
			}
		})
	}
	refused := s.login.Stats().Refused
	for _, body := range []string{`{"name":"rita","password":"walt"}`, `{"name":"nobody","password":""}`, `{}`} {
		if resp, got := ask(t, http.MethodPost, "http://"+s.webAddr+"/login", body, nil); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(got, "wrong name or password") {
			t.Errorf("%s: %s %s", body, resp.Status, got)
		}
	}
	if got := s.login.Stats().Refused - refused; got != 3 {
		t.Errorf("%d refused logins are counted", got)
	}
}

// A user who sends too much is refused on all sessions; other users are not.
// Attempts to log in are limited by address.
func TestRates(t *testing.T) {
	cfg := testConfig()
	cfg.perUser = limit.Rate{Per: limit.PerIdentity, Limit: 0.001, Burst: 3}
	cfg.perLogin = limit.Rate{Per: limit.PerIP, Limit: 0.001, Burst: 3}
	s := serveWith(t, cfg)
	raw, web, walt := comeRaw(t, s, "rita"), comeWeb(t, s, "rita"), comeRaw(t, s, "walt")
	raw.join("tea", "rita")
	web.join("tea", "rita")
	raw.say("the third message", 2)
	for _, g := range []*goGuest{raw, web} {
		if st := g.call("/chat/say", Say{"one too many"}, nil); st.Code() != erpc.CodeExhausted {
			t.Errorf("the fourth message of a user: %v", st)
		}
	}
	walt.join("tea", "rita", "walt")
	if resp, body := ask(t, http.MethodPost, "http://"+s.webAddr+"/login", `{"name":"rita","password":"rita"}`, nil); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the fourth login from an address: %s %s", resp.Status, body)
	}
}

// Pages of other hosts are refused, except the allowed ones.
func TestOrigins(t *testing.T) {
	s := serve(t)
	for origin, ok := range map[string]bool{"http://" + s.webAddr: true, "http://app.test": true, "http://evil.test": false} {
		resp, body := ask(t, http.MethodPost, "http://"+s.webAddr+"/login", `{"name":"rita","password":"rita"}`, map[string]string{"Origin": origin})
		if got := resp.StatusCode == http.StatusOK; got != ok {
			t.Errorf("a page of %s logs in: %s %s", origin, resp.Status, body)
		}
		resp, body = ask(t, http.MethodGet, "http://"+s.webAddr+"/ws", "", map[string]string{
			"Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", // no key: refused, but for another reason
		})
		if refused := resp.StatusCode == http.StatusForbidden; refused == ok {
			t.Errorf("a page of %s connects: %s %s", origin, resp.Status, body)
		}
	}
}
