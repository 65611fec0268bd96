package httpgate_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/proto/httproto"
)

func TestMain(m *testing.M) { wait.Main(m) }

const limit = 20 * time.Second // for what should not take long

// User is the argument of a handler.
type User struct {
	ID   int    `json:"id" form:"id"`
	Name string `json:"name" form:"name"`
}

// calls counts how often a handler that changes something has run.
type service struct{ calls atomic.Int32 }

// newPeer returns a peer with a few handlers.
func newPeer(t *testing.T, cfg erpc.PeerConfig, plugins ...erpc.Plugin) (erpc.Peer, *service) {
	t.Helper()
	cfg.LocalIP = "127.0.0.1"
	p := erpc.NewPeer(cfg, plugins...)
	t.Cleanup(func() { _ = p.Close() })
	s := new(service)
	erpc.HandleCall(p, "/change", func(context.Context, *struct{}) (*int, error) {
		n := int(s.calls.Add(1))
		return &n, nil
	})
	erpc.HandleCall(p, "/user", func(ctx context.Context, u *User) (*string, error) {
		c := erpc.CallCtxFrom(ctx)
		s := fmt.Sprintf("%d %s, path %s, query %s", u.ID, u.Name, c.PeekMeta("{id}"), c.PeekMeta("?name"))
		return &s, nil
	}, erpc.Safe())
	erpc.HandleCall(p, "/large", func(context.Context, *struct{}) (*[]byte, error) {
		b := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
		return &b, nil
	}, erpc.Safe())
	erpc.HandleCall(p, "/who", func(ctx context.Context, _ *struct{}) (*string, error) {
		a := erpc.CallCtxFrom(ctx).Session().RemoteAddr().String()
		return &a, nil
	}, erpc.Safe())
	return p, s
}

// serve lets p listen with HTTP.
func serve(t *testing.T, p erpc.Peer, cfg httproto.Config) (addr string) {
	t.Helper()
	lis, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(lis, httproto.New(cfg)) }()
	t.Cleanup(func() {
		_ = p.Close()
		<-done
	})
	return lis.Addr().String()
}

func client(t *testing.T) *http.Client {
	t.Helper()
	tr := new(http.Transport)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: limit}
}

func do(t *testing.T, c *http.Client, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// TestForeignPagesChangeNothing: a page of another origin tries everything that a
// browser sends without a preflight.
func TestForeignPagesChangeNothing(t *testing.T) {
	p, s := newPeer(t, erpc.PeerConfig{})
	url := "http://" + serve(t, p, httproto.Config{})
	foreign := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
	for _, tc := range []struct {
		name, method, body, contentType string
		want                            int
	}{
		{"img", "GET", "", "", 405},
		{"HEAD", "HEAD", "", "", 405},
		{"form", "POST", "id=1", "application/x-www-form-urlencoded", 403},
		{"sendBeacon", "POST", "{}", "text/plain", 403},
		{"blob without a type", "POST", "{}", "", 403},
		{"script", "POST", "{}", "application/json", 403},
		{"preflight", "OPTIONS", "", "", 204},
	} {
		res, body := do(t, client(t), tc.method, url+"/change", tc.body, append(foreign, "Content-Type", tc.contentType)...)
		if res.StatusCode != tc.want || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s %q %v, want %d", tc.name, res.Status, body, res.Header, tc.want)
		}
	}
	if n := s.calls.Load(); n != 0 {
		t.Errorf("a foreign page made the handler run %d times", n)
	}
	// The server's own pages and programs may.
	for _, header := range [][]string{nil, {"Origin", url, "Sec-Fetch-Site", "same-origin"}} {
		if res, body := do(t, client(t), "POST", url+"/change", "{}", header...); res.StatusCode != 200 {
			t.Errorf("%v: %s %s", header, res.Status, body)
		}
	}
	if res, _ := do(t, client(t), "POST", url+"/change", "{}", "Content-Type", ""); res.StatusCode != 415 {
		t.Errorf("JSON without its type: %s, want 415", res.Status)
	}
}

func TestHosts(t *testing.T) {
	p, _ := newPeer(t, erpc.PeerConfig{})
	url := "http://" + serve(t, p, httproto.Config{Hosts: []string{"Good.example", "other.example:81"}})
	for host, want := range map[string]int{
		"good.example": 200, "good.example:8080": 200, "other.example:81": 200,
		"other.example": 421, "evil.example": 421, "good.example.evil": 421, "127.0.0.1": 421,
	} {
		if res, body := do(t, client(t), "GET", url+"/user", "", "Host", host); res.StatusCode != want {
			t.Errorf("%s: %s %s, want %d", host, res.Status, body, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	p, _ := newPeer(t, erpc.PeerConfig{})
	url := "http://" + serve(t, p, httproto.Config{Routes: []httproto.Route{
		{Pattern: "GET /users/{id}", Method: "/user"}, {Pattern: "POST /users/{id}/rename", Method: "/user"},
		{Pattern: "GET /changes/{id}", Method: "/change"}, {Pattern: "GET /elsewhere/{id}", Method: "/change", Safe: true},
		{Pattern: "PUT /users/{id}", Method: "/user"}, {Pattern: "GET /{any}", Method: "/user"},
	}})
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/users/7?name=anna", "", 200, `"7 anna, path 7, query anna"`},
		{"GET", "/users/7?id=8", "", 200, `"7 , path 7, query "`},
		{"POST", "/users/7/rename", `{"id":3,"name":"ben"}`, 200, `"3 ben, path 7, query "`},
		{"GET", "/users/7/rename", "", 405, "POST, OPTIONS"},
		{"POST", "/users/7", "{}", 405, "GET, HEAD, PUT, OPTIONS"},
		{"DELETE", "/users/7", "", 405, "GET, HEAD, PUT, OPTIONS"},
		{"PUT", "/users/7", `{"id":3}`, 200, `"3 , path 7, query "`},
		{"GET", "/no/such/path", "", 404, ""},
		{"POST", "/no/such/path", "{}", 404, ""},
		{"GET", "/user?id=5", "", 200, `"5 , path , query "`},
		{"POST", "/user", `{"id":5}`, 200, `"5 , path , query "`}, // a method of its own, though GET /{any} has that path
		{"GET", "/changes/1", "", 405, ""},
		{"GET", "/elsewhere/1", "", 200, "1"},
	} {
		res, body := do(t, client(t), tc.method, url+tc.path, tc.body)
		got := body
		if tc.status == 405 {
			got = res.Header.Get("Allow")
		}
		if res.StatusCode != tc.status || tc.want != "" && got != tc.want {
			t.Errorf("%s %s: %s %s, Allow %q; want %d %s", tc.method, tc.path, res.Status, body, res.Header.Get("Allow"), tc.status, tc.want)
		}
	}
	if _, body := do(t, client(t), "GET", url+"/user", "", "Id", "9"); body != `"0 , path , query "` {
		t.Errorf("a header field passes for a parameter: %s", body)
	}
}

// TestEscapedSlashIsNoSeparator: a path that a proxy takes for one name does not get
// around the proxy's rules for paths.
func TestEscapedSlashIsNoSeparator(t *testing.T) {
	p, _ := newPeer(t, erpc.PeerConfig{})
	erpc.HandleCall(p, "/admin/stop", func(context.Context, *struct{}) (*int, error) { return new(int), nil }, erpc.Safe())
	erpc.HandleCall(p, "/a b", func(context.Context, *struct{}) (*int, error) { return new(int), nil }, erpc.Safe())
	url, c := "http://"+serve(t, p, httproto.Config{}), client(t)
	for path, want := range map[string]int{
		"/admin/stop": 200, "/admin%2Fstop": 404, "/admin%2fstop": 404, "/%2Fadmin/stop": 404, "/a%20b": 200, "/adm%69n/stop": 200,
	} {
		if res, body := do(t, c, "GET", url+path, ""); res.StatusCode != want {
			t.Errorf("%s: %s %s, want %d", path, res.Status, body, want)
		}
	}
}

// TestCodings: an answer is compressed for clients that accept that, and a body
// may be compressed in several gzip members.
func TestCodings(t *testing.T) {
	p, _ := newPeer(t, erpc.PeerConfig{})
	erpc.HandleCall(p, "/length", func(_ context.Context, s *string) (*int, error) { n := len(*s); return &n, nil })
	url, c := "http://"+serve(t, p, httproto.Config{}), client(t)
	c.Transport.(*http.Transport).DisableCompression = true
	for accept, want := range map[string]bool{
		"gzip": true, "*": true, "br, gzip;q=0.1": true, "*;q=0, gzip": true, "X-GZIP": true,
		"": false, "br": false, "gzip;q=0": false, "*, gzip;q=0": false, "gzip;q=0, *": false, "*;q=0": false,
	} {
		res, _ := do(t, c, "GET", url+"/large", "", "Accept-Encoding", accept)
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != want || res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: compressed %v, want %v; %v", accept, got, want, res.Header)
		}
	}
	var body bytes.Buffer
	for _, member := range []string{`"abc`, `defg"`} {
		z := gzip.NewWriter(&body)
		if _, err := io.WriteString(z, member); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if res, got := do(t, c, "POST", url+"/length", body.String(), "Content-Encoding", "gzip"); res.StatusCode != 200 || strings.TrimSpace(got) != "7" {
		t.Errorf("two members: %s %s", res.Status, got)
	}
}

func TestHandlerInAnotherServer(t *testing.T) {
	p, _ := newPeer(t, erpc.PeerConfig{})
	gate := erpc.HTTPHandler(p, erpc.HTTPConfig{})
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", gate))
	srv := httptest.NewUnstartedServer(mux)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	c := srv.Client()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			res, body := do(t, c, "GET", fmt.Sprintf("%s/api/user?id=%d", srv.URL, i), "")
			if want := fmt.Sprintf(`"%d , path , query "`, i); res.ProtoMajor != 2 || body != want {
				t.Errorf("%s %s %s, want %s", res.Proto, res.Status, body, want)
			}
		})
	}
	wg.Wait()
	rec := httptest.NewRecorder()
	gate.ServeHTTP(rec, httptest.NewRequest("GET", "/user?id=1", nil))
	if rec.Code != 200 {
		t.Errorf("a recorder gets %d %s", rec.Code, rec.Body)
	}
	for end := time.Now().Add(limit); p.CountSession() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d sessions are left", p.CountSession())
		}
		time.Sleep(time.Millisecond) // they end after the answers
	}
}

// TestHTTP2 uses HTTP/2 on listeners of httproto, with TLS and without.
func TestHTTP2(t *testing.T) {
	for _, secure := range []bool{false, true} {
		p, _ := newPeer(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "look", OnPostAccept: func(s erpc.PreSession) *erpc.Status {
			if got := hasTLS(s.NetConn()); got != secure {
				t.Errorf("a hook sees TLS: %v, want %v", got, secure)
			}
			return nil
		}})
		scheme := "http"
		if secure {
			scheme = "https"
			cfg := erpc.GenerateTLSConfigForServer()
			cfg.NextProtos = []string{"h2", "http/1.1"}
			p.SetTLSConfig(cfg)
		}
		addr := serve(t, p, httproto.Config{})
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols), MaxConnsPerHost: 1}
		tr.Protocols.SetHTTP2(secure)
		tr.Protocols.SetUnencryptedHTTP2(!secure)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				res, body := do(t, &http.Client{Transport: tr, Timeout: limit}, "GET", fmt.Sprintf("%s://%s/user?id=%d", scheme, addr, i), "")
				if want := fmt.Sprintf(`"%d , path , query "`, i); res.ProtoMajor != 2 || body != want {
					t.Errorf("TLS %v: %s %s %s, want %s", secure, res.Proto, res.Status, body, want)
				}
			})
		}
		wg.Wait()
		if n := p.CountSession(); n > 1 {
			t.Errorf("TLS %v: %d sessions for one client", secure, n)
		}
		tr.CloseIdleConnections()
	}
}

// hasTLS looks for TLS below the wrappers of a connection.
func hasTLS(conn net.Conn) bool {
	for {
		if _, ok := conn.(*tls.Conn); ok {
			return true
		}
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return false
		}
		conn = wrapper.NetConn()
	}
}

// TestLimitsHold: the limits of a peer apply to HTTP clients too.
func TestLimitsHold(t *testing.T) {
	const clients, allowed = 30, 3
	t.Run("handlers", func(t *testing.T) {
		p, _ := newPeer(t, erpc.PeerConfig{MaxHandlers: allowed})
		var at, most atomic.Int32
		release := make(chan struct{})
		erpc.HandleCall(p, "/wait", func(context.Context, *struct{}) (*int, error) {
			n := at.Add(1)
			defer at.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
			return new(int), nil
		}, erpc.Safe())
		addr := serve(t, p, httproto.Config{})
		var served, refused atomic.Int32
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				switch res, _ := do(t, client(t), "GET", "http://"+addr+"/wait", ""); res.StatusCode {
				case 200:
					served.Add(1)
				case 429:
					if refused.Add(1) == clients-allowed {
						close(release)
					}
				}
			})
		}
		wg.Wait()
		if served.Load() != allowed || most.Load() > allowed {
			t.Errorf("%d served, %d at work, want %d", served.Load(), most.Load(), allowed)
		}
	})
	t.Run("sessions", func(t *testing.T) {
		p, _ := newPeer(t, erpc.PeerConfig{MaxSessions: allowed})
		addr := serve(t, p, httproto.Config{})
		for i := range 2 * allowed {
			c := client(t)
			res, err := c.Get("http://" + addr + "/user")
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body) // so that the connection is kept
				_ = res.Body.Close()
			}
			if ok := err == nil && res.StatusCode == 200; ok != (i < allowed) {
				t.Errorf("client %d of %d allowed ones: %v, %v", i, allowed, res, err)
			}
		}
	})
	t.Run("bytes", func(t *testing.T) {
		p, _ := newPeer(t, erpc.PeerConfig{ReadLimit: 64 << 10})
		addr := serve(t, p, httproto.Config{})
		for _, size := range []int{60 << 10, 64 << 10, 65 << 10} {
			res, body := do(t, client(t), "POST", "http://"+addr+"/user", `{"name":"`+strings.Repeat("x", size)+`"}`)
			if want := map[bool]int{true: 200, false: 413}[size < 62<<10]; res.StatusCode != want {
				t.Errorf("%d bytes: %s %.100s, want %d", size, res.Status, body, want)
			}
		}
	})
}

// TestAuthorization: the login plugin of all protocols reads the header, and every
// request has its own credentials, on whatever connection it arrives.
func TestAuthorization(t *testing.T) {
	p, _ := newPeer(t, erpc.PeerConfig{}, auth.NewLogin(auth.LoginConfig{
		Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
			if c.Token != "anna" && c.Token != "ben" {
				return nil, erpc.NewStatus(erpc.CodeUnauthorized, "who?")
			}
			return &auth.Identity{Name: c.Token}, nil
		},
	}))
	erpc.HandleCall(p, "/me", func(ctx context.Context, _ *struct{}) (*string, error) {
		id := auth.IdentityOf(erpc.CallCtxFrom(ctx).Session())
		return &id.Name, nil
	}, erpc.Safe())
	url := "http://" + serve(t, p, httproto.Config{}) + "/me"
	c := client(t)
	for _, tc := range []struct {
		header, want string
		status       int
	}{
		{"Bearer anna", `"anna"`, 200}, {"bearer ben", `"ben"`, 200}, {"Bearer anna", `"anna"`, 200},
		{"Bearer eve", "", 401}, {"", "", 401}, {"Basic YW5uYTo=", "", 401}, {"Bearer ben", `"ben"`, 200},
	} {
		res, body := do(t, c, "GET", url, "", "Authorization", tc.header)
		if res.StatusCode != tc.status || tc.want != "" && body != tc.want {
			t.Errorf("%q: %s %s, want %d %s", tc.header, res.Status, body, tc.status, tc.want)
		}
		if res.StatusCode == 401 && res.Header.Get("Www-Authenticate") != "Bearer" {
			t.Errorf("%q: 401 without a challenge: %v", tc.header, res.Header)
		}
	}
}

// TestSlowReadersGetAllOfIt: clients whose connection is about to be closed, for
// several reasons, read a large answer slowly.
func TestSlowReadersGetAllOfIt(t *testing.T) {
	for name, tc := range map[string]struct {
		request         string
		half, shutsDown bool
	}{
		"close":      {request: "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
		"HTTP/1.0":   {request: "GET /large HTTP/1.0\r\n\r\n"},
		"half-close": {request: "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", half: true},
		"shutdown":   {request: "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", shutsDown: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it takes two seconds
			p, _ := newPeer(t, erpc.PeerConfig{IdleTimeout: time.Second, SocketWriteBuffer: 64 << 10})
			addr := serve(t, p, httproto.Config{GzipFrom: -1})
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10) // a hint
			if _, err := io.WriteString(conn, tc.request); err != nil {
				t.Fatal(err)
			}
			if tc.half {
				err = conn.(*net.TCPConn).CloseWrite()
			}
			res, readErr := http.ReadResponse(bufio.NewReader(conn), nil)
			if err = errors.Join(err, readErr); err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			down := make(chan error, 1)
			if tc.shutsDown {
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), limit)
					defer cancel()
					down <- p.Shutdown(ctx)
				}()
			} else {
				down <- nil
			}
			n := 0
			for buf := make([]byte, 64<<10); ; {
				k, err := res.Body.Read(buf)
				n += k
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%v after %d of %d bytes", err, n, res.ContentLength)
				}
				time.Sleep(20 * time.Millisecond * time.Duration(k) / (64 << 10)) // 3 MB/s
			}
			if int64(n) != res.ContentLength {
				t.Errorf("%d bytes of %d", n, res.ContentLength)
			}
			if err := <-down; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSessionOfAClient: the session of a client is like any other: hooks see it,
// with the address of the client, and ending it ends the connection.
func TestSessionOfAClient(t *testing.T) {
	accepted, gone := make(chan string, 1), make(chan struct{})
	p, _ := newPeer(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "watch",
		OnPostAccept:     func(s erpc.PreSession) *erpc.Status { accepted <- s.RemoteAddr().String(); return nil },
		OnPostDisconnect: func(erpc.BaseSession) *erpc.Status { close(gone); return nil },
	})
	addr := serve(t, p, httproto.Config{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for range 3 {
		if _, err := io.WriteString(conn, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || string(b) != `"`+conn.LocalAddr().String()+`"` {
			t.Errorf("the handler sees %s, %v; want %v", b, err, conn.LocalAddr())
		}
	}
	if got := <-accepted; got != conn.LocalAddr().String() {
		t.Errorf("the hook saw %s", got)
	}
	sent, failed := p.Broadcast("/note", "x")
	if sent != 0 || len(failed) != 1 {
		t.Errorf("a push to an HTTP client: sent %d, failed %v", sent, failed)
	}
	p.RangeSession(func(s erpc.Session) bool { _ = s.Close(); return true })
	if b, err := r.ReadByte(); err == nil {
		t.Errorf("read %q, want the end of the connection", b)
	}
	select {
	case <-gone:
	case <-time.After(limit):
		t.Error("the hook of its end was not called")
	}
}
