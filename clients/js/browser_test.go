//go:build unix

package js_test

import (
	"net/http"
	"testing"

	"github.com/goerpc/erpc/internal/test/chromium"
)

// TestInChromium runs erpc.test.mjs in a browser.
func TestInChromium(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(".")))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/page.html") })
	endpoints(t, mux)
	if said := chromium.Ask(t, mux); said != allPassed {
		t.Errorf("the tests ended with\n%s", said)
	}
}
