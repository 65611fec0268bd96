package httproto_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

// proxies are the ways in which net/http's reverse proxy reveals itself.
var proxies = map[string]func(to *url.URL) *httputil.ReverseProxy{
	"forwarded for": httputil.NewSingleHostReverseProxy,
	"silent": func(to *url.URL) *httputil.ReverseProxy {
		return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	},
}

// TestBehindAProxy: erpc clients with deadlines, cancellable contexts and redial
// call through a reverse proxy that they share with a browser. The proxy puts
// requests of all of them on the same connections and accepts only responses on
// them.
func TestBehindAProxy(t *testing.T) {
	for name, make := range proxies {
		t.Run(name, func(t *testing.T) {
			p := serve(t, httproto.Config{}, erpc.PeerConfig{})
			complaints := new(complaint)
			proxy := make(&url.URL{Scheme: "http", Host: p.Addr})
			tr := &http.Transport{MaxConnsPerHost: 2}
			proxy.Transport = tr
			proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
				complaints.add(err)
				w.WriteHeader(http.StatusBadGateway)
			}
			front := httptest.NewServer(proxy)
			t.Cleanup(func() {
				front.Close()
				tr.CloseIdleConnections()
			})
			addr := front.Listener.Addr().String()
			var wg sync.WaitGroup
			for i := range 4 {
				cfg := erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()}
				if i%2 == 0 {
					cfg.RedialTimes = -1
				}
				sess := wiretest.NewClient(t, cfg).MustDial(t, addr)
				wg.Go(func() {
					for k := range 20 {
						ctx, cancel := context.WithTimeout(context.Background(), wiretest.Limit)
						c := wiretest.Call{Method: "/math/add", Arg: []int{i, k}, Want: i + k}.With(erpc.WithContext(ctx), erpc.WithAddMeta("k", "v"))
						if k%5 == 0 {
							c = c.With(erpc.WithXferPipe('g'))
						}
						if err := c.Do(sess); err != nil {
							t.Errorf("client %d, call %d: %v", i, k, err)
						}
						cancel()
						if st := sess.Push("/note/say", "hi"); !st.OK() {
							t.Error(st)
						}
					}
				})
			}
			browser := client(t)
			wg.Go(func() {
				for k := range 20 {
					if got := do(t, browser, "POST", "http://"+addr+"/math/add", fmt.Sprintf("[%d,1]", k)); got.body != fmt.Sprint(k+1) {
						t.Errorf("the browser got %d %q", got.status, got.body)
					}
				}
			})
			// Pushes of the server do not pass a proxy, and do no harm.
			for range 20 {
				_, _ = p.Broadcast("/note/say", "to all")
				time.Sleep(time.Millisecond) // spread over the calls
			}
			wg.Wait()
			if s := complaints.String(); s != "" {
				t.Errorf("the proxy complains: %s", s)
			}
		})
	}
}

// TestClientGone: the handler's context ends when the caller goes away, although
// nothing more was sent on the connection.
func TestClientGone(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	started, ended := make(chan struct{}), make(chan error, 1)
	erpc.HandleCall(p.Peer, "/wait", func(ctx context.Context, _ *struct{}) (*int, error) {
		close(started)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return new(int), nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+p.Addr+"/wait", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	go func() {
		<-started
		cancel()
	}()
	if res, err := client(t).Do(req); err == nil {
		_ = res.Body.Close() // only if the test has failed
		t.Errorf("got %s", res.Status)
	}
	select {
	case <-ended:
	case <-time.After(wiretest.Limit):
		t.Error("the handler goes on after its client is gone")
	}
}

type complaint struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *complaint) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(&c.text, err)
}

func (c *complaint) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}
