package websocket

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestCredentials(t *testing.T) {
	in := func(token string) string { return TokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(token)) }
	for _, tc := range []struct {
		name   string
		header http.Header
		token  string
		ok     bool
	}{
		{"none", http.Header{}, "", false},
		{"bearer", http.Header{"Authorization": {"Bearer a.b-c"}}, "a.b-c", true},
		{"bearer in another case", http.Header{"Authorization": {"bearer  x "}}, "x", true},
		{"another scheme", http.Header{"Authorization": {"Basic YTpi"}}, "Basic YTpi", true},
		{"sub-protocol", http.Header{"Sec-Websocket-Protocol": {"erpc, " + in("ü&=\x00")}}, "ü&=\x00", true},
		{"sub-protocol, second line", http.Header{"Sec-Websocket-Protocol": {"erpc", in("t")}}, "t", true},
		{"sub-protocol without a token", http.Header{"Sec-Websocket-Protocol": {"erpc, chat"}}, "", false},
		{"empty token", http.Header{"Sec-Websocket-Protocol": {in("")}}, "", true},
		{"no base64", http.Header{"Sec-Websocket-Protocol": {TokenPrefix + "%%%"}}, "", false},
		{"the header takes precedence", http.Header{"Authorization": {"Bearer h"}, "Sec-Websocket-Protocol": {in("s")}}, "h", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token, ok := credentials(&http.Request{Header: tc.header})
			if ok != tc.ok || ok && token != tc.token {
				t.Errorf("%q, %t, want %q, %t", token, ok, tc.token, tc.ok)
			}
		})
	}
}

// A browser that offers sub-protocols gets one of them, and never the token back.
func TestSubprotocolIsChosen(t *testing.T) {
	tokens := make(chan string, 1)
	srv := httptest.NewServer(&Handler{Serve: func(c net.Conn, _ *http.Request) {
		token, _ := c.(interface{ Credentials() (string, bool) }).Credentials()
		tokens <- token
	}})
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), handshakeTime)
	defer cancel()
	offers := []string{Subprotocol, TokenPrefix + base64.RawURLEncoding.EncodeToString([]byte("secret"))}
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(srv.URL, "http"), &websocket.DialOptions{Subprotocols: offers})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if ws.Subprotocol() != Subprotocol {
		t.Errorf("sub-protocol %q", ws.Subprotocol())
	}
	if token := <-tokens; token != "secret" {
		t.Errorf("token %q", token)
	}
}
