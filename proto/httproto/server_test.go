package httproto_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

var index = template.Must(template.New("index").Parse("<p>{{.}}</p>"))

// Web has the handlers that the tests need besides those of the vectors.
type Web struct{ erpc.CallCtx }

// Tests send on answered when a call of Web.Late has its answer.
var answered = make(chan struct{})

// Header returns a piece of metadata.
func (w *Web) Header(name *string) (string, *erpc.Status) { return string(w.PeekMeta(*name)), nil }

// Query returns a piece of metadata and accepts any argument.
func (w *Web) Query(*struct{}) (string, *erpc.Status) { return string(w.PeekMeta("?q")), nil }

// Status fails with a code.
func (*Web) Status(code *int32) (int, *erpc.Status) {
	return 0, erpc.NewStatus(*code, "no", "because")
}

// Page renders a page.
func (w *Web) Page(*struct{}) ([]byte, *erpc.Status) { return httproto.HTML(w, index, "a<b") }

// BadPage can't be rendered.
func (w *Web) BadPage(*struct{}) ([]byte, *erpc.Status) {
	return httproto.HTML(w, template.Must(template.New("").Parse("{{.Secret.X}}")), 1)
}

// Back calls and pushes to an HTTP client.
func (w *Web) Back(*struct{}) (string, *erpc.Status) {
	st := w.Session().Call("/client/add", []int{1}, nil).Status()
	return st.Cause().Error() + "; " + w.Session().Push("/note/say", "x").Cause().Error(), nil
}

// Long returns a long text.
func (*Web) Long(*struct{}) (string, *erpc.Status) { return strings.Repeat("long ", 1000), nil }

// Late takes longer than the context age: it returns after its caller has an
// answer.
func (w *Web) Late(*struct{}) (string, *erpc.Status) {
	select {
	case <-answered:
	case <-time.After(wiretest.Limit):
	}
	return "late", nil
}

func serve(t *testing.T, h httproto.Config, cfg erpc.PeerConfig) *wiretest.Peer {
	t.Helper()
	h.UnsafeGET = true // the handlers of the vectors are not marked
	cfg.ProtoFunc = httproto.New(h)
	p := wiretest.NewServer(t, cfg)
	p.RouteCall(new(Web))
	p.Listen(t)
	return p
}

// client returns a client of net/http whose connections are closed when the test
// ends.
func client(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: wiretest.Limit}
}

func do(t *testing.T, c *http.Client, method, url, body string, header ...string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
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
	return response{res.StatusCode, res.Header, string(b), res.Close}
}

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, s)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.String()
}

// TestNetHTTPClient calls with the client of the standard library, all over one
// connection.
func TestNetHTTPClient(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	c := client(t)
	const (
		typ   = "Content-Type"
		ajson = "application/json"
		form  = "application/x-www-form-urlencoded"
	)
	for _, tc := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string
		wantHeader               []string
	}{
		{"JSON", "POST", "/math/add", "[1,2,3]", []string{typ, ajson}, 200, "6", []string{typ, "application/json;charset=utf-8", "X-Mtype", "", "X-Seq", ""}},
		{"parameters and case of the type", "POST", "/math/add", "[1,2]", []string{typ, "Application/JSON ; charset=UTF-8"}, 200, "3", nil},
		{"+json", "POST", "/math/add", "[1,2]", []string{typ, "application/vnd.x+json"}, 200, "3", nil},
		{"no type", "POST", "/math/add", "[4]", []string{typ, ""}, 415, "", nil},
		{"PUT", "PUT", "/math/add", "[4]", nil, 200, "4", nil},
		{"plain", "POST", "/enc/plain", "text é", []string{typ, "text/plain"}, 200, "text é", []string{typ, "text/plain;charset=utf-8"}},
		{"bytes", "POST", "/enc/bytes", "\x00\xff", []string{typ, "application/octet-stream"}, 200, "\x00\xff", nil},
		{"bytes of any type", "POST", "/enc/bytes", "\x00\xff", []string{typ, "image/png"}, 200, "\x00\xff", nil},
		{"XML", "POST", "/enc/form", "<F><a>1</a><b>x</b></F>", []string{typ, "text/xml"}, 200, "<F><a>1</a><b>x</b></F>", []string{typ, "text/xml;charset=utf-8"}},
		{"application/xml", "POST", "/enc/form", "<F><a>1</a></F>", []string{typ, "application/xml"}, 200, "<F><a>1</a><b></b></F>", nil},
		{"form", "POST", "/enc/form", "a=1&b=x+y&l=p&l=q", []string{typ, form}, 200, `{"A":1,"B":"x y","L":["p","q"]}`, nil},
		{"form in XML", "POST", "/enc/form", "a=1", []string{typ, form, "Accept", "text/xml;q=0.9, application/json;q=0.5"}, 200, "<F><a>1</a><b></b></F>", nil},
		{"protobuf", "POST", "/enc/pb", "\x0a\x02v1", []string{typ, "application/x-protobuf"}, 200, "\x0a\x02v1", nil},
		{"what a browser accepts", "GET", "/enc/form?a=1", "", []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, 200, `{"A":1,"B":"","L":null}`, nil},
		{"query as the argument", "GET", "/enc/form?a=7&b=%C3%A9&l=1&l=2", "", nil, 200, `{"A":7,"B":"é","L":["1","2"]}`, nil},
		{"query as metadata", "GET", "/web/query?q=a%20b", "", nil, 200, `"a b"`, nil},
		{"query with a body", "POST", "/web/query?q=1", "{}", []string{typ, ajson}, 200, `"1"`, nil},
		{"GET without a query", "GET", "/math/add", "", nil, 200, "0", nil},
		{"header in its usual form", "POST", "/web/header", "X-Some-Thing", []string{typ, "text/plain", "x-some-thing", "v"}, 200, "v", nil},
		{"type as metadata", "POST", "/web/header", "Content-Type", []string{typ, "text/plain"}, 200, "text/plain", nil},
		{"real IP", "POST", "/math/real_ip", "[]", []string{"X-Real-Ip", "1.2.3.4"}, 200, `"1.2.3.4"`, nil},
		{"a header takes precedence over the query", "POST", "/math/real_ip?X-Real-IP=6.6.6.6", "[]", []string{"X-Real-Ip", "1.2.3.4"}, 200, `"1.2.3.4"`, nil},
		{"reply metadata", "POST", "/math/meta", "[1]", nil, 200, "1", []string{"Server", "s 1", "K", "v1"}},
		{"gzip in", "POST", "/math/add", zip("[1,2,3]"), []string{"Content-Encoding", "gzip"}, 200, "6", nil},
		{"gzip out", "GET", "/web/long", "", nil, 200, `"` + strings.Repeat("long ", 1000) + `"`, nil},
		{"filters of the handler", "POST", "/math/gz", "[1]", nil, 200, "3", nil},
		{"HEAD", "HEAD", "/math/add", "", nil, 200, "", []string{"Content-Length", "1"}},
		{"OPTIONS", "OPTIONS", "/math/add", "", nil, 204, "", []string{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
		{"page", "GET", "/web/page", "", nil, 200, "<p>a&lt;b</p>", []string{typ, "text/html; charset=utf-8"}},
		{"page that is not there", "GET", "/web/badpage", "", nil, 404, `{"code":404,"msg":"Not Found","cause":""}`, nil},
		{"page that fails", "GET", "/web/bad_page", "", nil, 500, `{"code":500,"msg":"Internal Server Error","cause":"the page could not be rendered"}`, []string{typ, ajson}},
		{"push back", "GET", "/web/back", "", nil, 200, `"socket: message not sent: ` + errClient + `; socket: message not sent: ` + errClient + `"`, nil},

		{"business error", "POST", "/math/fail", "[1]", nil, 500, `{"code":1001,"msg":"bad thing","cause":"cause & x=1 100%"}`, []string{typ, ajson}},
		{"panic", "POST", "/math/boom", "[1]", nil, 500, `{"code":500,"msg":"Internal Server Error","cause":"internal error"}`, nil},
		{"bad body", "POST", "/math/add", "[1,", nil, 400, "", nil},
		{"not found", "GET", "/no/such", "", nil, 404, `{"code":404,"msg":"Not Found","cause":""}`, nil},
		{"401", "POST", "/web/status", "401", nil, 401, "", []string{"Www-Authenticate", "Bearer"}},
		{"query for a header", "POST", "/web/header?X-Token=secret", `"X-Token"`, nil, 200, `""`, nil},
		{"405", "POST", "/web/status", "405", nil, 405, "", []string{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
		{"408", "POST", "/web/status", "408", nil, 408, "", nil},
		{"413", "POST", "/web/status", "413", nil, 413, "", nil},
		{"429", "POST", "/web/status", "429", nil, 429, "", nil},
		{"502", "POST", "/web/status", "502", nil, 502, "", nil},
		{"-1", "POST", "/web/status", "-1", nil, 500, `{"code":-1,"msg":"no","cause":"because"}`, nil},
		{"no method of ours", "LINK", "/math/add", "[1]", nil, 405, "", []string{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := do(t, c, tc.method, "http://"+p.Addr+tc.path, tc.body, tc.header...)
			if got.status != tc.status || tc.want != "" && got.body != tc.want || got.close {
				t.Errorf("got %d %q (close: %v), want %d %q", got.status, got.body, got.close, tc.status, tc.want)
			}
			if tc.status >= 400 && tc.method != "HEAD" {
				if st := new(erpc.Status); json.Unmarshal([]byte(got.body), st) != nil || st.OK() {
					t.Errorf("%q is not a status", got.body)
				}
			}
			for i := 0; i < len(tc.wantHeader); i += 2 {
				if v := got.header.Get(tc.wantHeader[i]); v != tc.wantHeader[i+1] {
					t.Errorf("%s: %q, want %q", tc.wantHeader[i], v, tc.wantHeader[i+1])
				}
			}
		})
	}
	if n := p.CountSession(); n != 1 {
		t.Errorf("%d connections, want one that is kept", n)
	}
}

const errClient = "httproto: the other side is an HTTP client, which takes no calls or pushes"

// TestChunkedUpload sends a body of unknown length, as net/http does for a reader
// of an unknown type.
func TestChunkedUpload(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	want := strings.Repeat("0123456789", 100_000)
	res, err := client(t).Post("http://"+p.Addr+"/enc/bytes", "application/octet-stream", io.MultiReader(strings.NewReader(want)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != want {
		t.Errorf("got %d bytes (%v), want %d", len(b), err, len(want))
	}
}

// TestContextAge: the server answers for a handler that takes too long.
func TestContextAge(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{DefaultContextAge: 30 * time.Millisecond})
	c := client(t)
	for range 2 {
		if got := do(t, c, "GET", "http://"+p.Addr+"/web/late", ""); got.status != 408 {
			t.Errorf("got %d %q, want 408", got.status, got.body)
		}
		answered <- struct{}{}
	}
}

// TestConfig sets all fields of the configuration.
func TestConfig(t *testing.T) {
	var printed bytes.Buffer
	p := serve(t, httproto.Config{
		Methods:  []string{"POST"},
		GzipFrom: -1,
		Status:   func(code int32) int { return 422 },
		Print:    func(_ bool, text []byte) { printed.Write(text) }, // one connection, one message at a time
	}, erpc.PeerConfig{})
	c := client(t)
	if got := do(t, c, "GET", "http://"+p.Addr+"/math/add", ""); got.status != 405 || got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: got %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	if got := do(t, c, "POST", "http://"+p.Addr+"/math/fail", "[]"); got.status != 422 {
		t.Errorf("got %d, want 422", got.status)
	}
	if got := do(t, c, "POST", "http://"+p.Addr+"/web/long", "{}", "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "" {
		t.Errorf("compressed: %v", got.header)
	}
	if !strings.Contains(printed.String(), "POST /math/fail HTTP/1.1\r\n") || !strings.Contains(printed.String(), "422 Unprocessable") {
		t.Errorf("printed %q", printed.String())
	}
}

func TestCORS(t *testing.T) {
	p := serve(t, httproto.Config{CORS: &httproto.CORS{
		Origins: []string{"https://good.example"}, Headers: []string{"X-Token"}, Expose: []string{"K"}, Credentials: true, MaxAge: time.Minute,
	}}, erpc.PeerConfig{})
	c := client(t)
	url := "http://" + p.Addr + "/math/add"
	for origin, allowed := range map[string]string{"https://good.example": "https://good.example", "https://evil.example": "", "": ""} {
		header := []string{"Access-Control-Request-Method", "POST"}
		if origin != "" {
			header = append(header, "Origin", origin)
		}
		for _, got := range []response{do(t, c, "OPTIONS", url, "", header...), do(t, c, "POST", url, "[1]", header...), do(t, c, "POST", url, "[", header...)} {
			if v := got.header.Get("Access-Control-Allow-Origin"); v != allowed || got.header.Get("Vary") != "Origin" {
				t.Errorf("origin %q: allowed is %q, Vary %q", origin, v, got.header.Get("Vary"))
			}
			if v := got.header.Get("Access-Control-Allow-Headers"); got.status == 204 && allowed != "" && v != "Content-Type, X-Token" {
				t.Errorf("headers %q", v)
			}
		}
	}
	open := serve(t, httproto.Config{CORS: &httproto.CORS{Origins: []string{"*"}}}, erpc.PeerConfig{})
	if got := do(t, c, "POST", "http://"+open.Addr+"/math/add", "[1]", "Origin", "null"); got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %v, want any", got.header)
	}
	defer func() {
		if recover() == nil {
			t.Error("credentials for any origin are taken")
		}
	}()
	httproto.New(httproto.Config{CORS: &httproto.CORS{Origins: []string{"*"}, Credentials: true}})
}

// TestRegBodyCodec registers a type while requests are served.
func TestRegBodyCodec(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	httproto.RegBodyCodec("text/x-httproto-test; v=1", 's')
	defer httproto.RegBodyCodec("text/plain;charset=utf-8", 's')
	got := do(t, client(t), "POST", "http://"+p.Addr+"/enc/plain", "x", "Content-Type", "text/x-httproto-test")
	if got.body != "x" || got.header.Get("Content-Type") != "text/x-httproto-test; v=1" {
		t.Errorf("got %q as %q", got.body, got.header.Get("Content-Type"))
	}
	if id := httproto.GetBodyCodec("no/such", 'j'); id != 'j' {
		t.Errorf("the codec of an unknown type is %q", id)
	}
	if s := httproto.GetContentType(200, "x/y"); s != "x/y" {
		t.Errorf("the type of an unknown codec is %q", s)
	}
}

// TestShuttingDown: a client that calls while the server shuts down gets 503, or
// no connection.
func TestShuttingDown(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	c := dialRaw(t, p.Addr)
	c.send("POST /math/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]")
	if got := c.response("POST"); got.body != "1" {
		t.Fatalf("got %+v", got)
	}
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), wiretest.Limit)
		defer cancel()
		done <- p.Shutdown(ctx)
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	c.wantEnd()
}
