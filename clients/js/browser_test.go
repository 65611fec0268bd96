//go:build unix

package js_test

import (
	"net/http"
	"testing"

	"github.com/goerpc/erpc/internal/test/chromium"
	"github.com/goerpc/erpc/mixer/websocket"
)

// TestInChromium runs erpc.test.mjs in a browser.
func TestInChromium(t *testing.T) {
	p := newPeer(t)
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(".")))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/page.html") })
	mux.Handle("/ws", websocket.NewJSONServeHandler(p, nil))
	if said := chromium.Ask(t, mux); said != allPassed {
		t.Errorf("the tests ended with\n%s", said)
	}
}
