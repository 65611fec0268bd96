package auth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

// A plain HTTP client logs in with the header Authorization, through the same
// plugin.
func TestLoginOverHTTP(t *testing.T) {
	login, _ := newLogin()
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, login)
	whoami(srv)
	lis, err := srv.Peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis, httproto.NewHTTProtoFunc()) // says that the peer was closed
	}()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	client := &http.Client{Transport: &http.Transport{}, Timeout: wiretest.Limit}
	t.Cleanup(client.CloseIdleConnections)
	for token, want := range map[string]string{"t-ann": `"ann"`, "t-bob": `"bob"`, "wrong": "", "": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+lis.Addr().String()+"/whoami", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // it was read to its end
		switch {
		case want == "" && resp.StatusCode != http.StatusUnauthorized:
			t.Errorf("with the token %q: %s %s", token, resp.Status, body)
		case want != "" && (resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != want):
			t.Errorf("with the token %q: %s %s, want %s", token, resp.Status, body, want)
		}
	}
}
