//go:build unix

package chromium

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Ask opens a page that files serves at /, and returns what its script posts to
// /done. The page has at least half a minute for that.
func Ask(t *testing.T, files http.Handler) string {
	t.Helper()
	said := make(chan string, 1)
	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.HandleFunc("POST /done", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("what the page says can't be read: %v", err)
		}
		select {
		case said <- string(b):
		default: // it has posted before
		}
	})
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	_, ended := Start(t, web.URL)
	select {
	case text := <-said:
		return text
	case <-ended:
		t.Fatal("chromium ended before the page was done")
	case <-time.After(2 * patience):
		t.Fatal("the page is never done")
	}
	return ""
}
