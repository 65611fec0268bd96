package httproto_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

// webServer is a server that knows nothing of erpc.
func webServer(t *testing.T) (addr string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /double", func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Author", r.Header.Get("Author"))
		fmt.Fprint(w, 2*n)
	})
	mux.HandleFunc("POST /chunked", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for range 100 {
			fmt.Fprint(w, "0123456789")
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("POST /zipped", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `"zipped"`)
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "not you", http.StatusForbidden) })
	mux.HandleFunc("POST /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"code":1234,"msg":"taken","cause":"by me"}`)
	})
	mux.HandleFunc("POST /empty", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /early", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "late")
	})
	mux.HandleFunc("POST /slow", func(w http.ResponseWriter, r *http.Request) {
		<-time.After(50 * time.Millisecond) // the caller has given up by then
		fmt.Fprint(w, "slow")
	})
	mux.HandleFunc("POST /close", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "bye")
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// TestNetHTTPServer calls a server of the standard library over one connection.
func TestNetHTTPServer(t *testing.T) {
	addr := webServer(t)
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	sess := p.MustDial(t, addr)
	for _, call := range []wiretest.Call{
		{Method: "/double", Arg: 21, Want: 42},
		{Method: "/double?a=b", Arg: 1, Want: 2},
		{Method: "/double", Arg: "x", Code: 400},
		{Method: "/chunked", Want: strings.Repeat("0123456789", 100)},
		{Method: "/zipped", Want: "zipped"},
		{Method: "/fail", Status: "code=403&msg=Forbidden&cause=not%20you%0A"},
		{Method: "/status", Status: "code=1234&msg=taken&cause=by%20me"},
		{Method: "/no/such", Code: 404},
		{Method: "/empty"},
		{Method: "/early", Want: "late"},
		{Method: "/chunked", Want: []byte(strings.Repeat("0123456789", 100))},
	} {
		if err := call.Do(sess); err != nil {
			t.Errorf("%s: %v", call.Method, err)
		}
	}
	for method, host := range map[string]string{"/double": addr, "http://x.example:81/double": "x.example:81"} {
		var n int
		cmd := sess.Call(method, 1, &n, erpc.WithAddMeta("author", "me"))
		if m := cmd.InputMeta(); n != 2 || m.Get("X-Host") != host || m.Get("X-Author") != "me" {
			t.Errorf("%s: %d, metadata %q, status %v", method, n, m, cmd.Status())
		}
	}
	if st := sess.Push("/double", 1); st.Code() != erpc.CodeWriteFailed {
		t.Errorf("a push gets %v", st)
	}
	var started [100]*wiretest.Started
	for i := range started {
		started[i] = wiretest.Call{Method: "/double", Arg: i, Want: 2 * i}.Start(sess)
	}
	for i, s := range started {
		if err := s.End(); err != nil {
			t.Errorf("call %d of those in flight: %v", i, err)
		}
	}
}

// TestConcurrentCallers calls a server without sequence numbers from many
// goroutines, some of which give up: each of the others gets its own reply.
func TestConcurrentCallers(t *testing.T) {
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	sess := p.MustDial(t, webServer(t))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 50 {
				if i == 0 && k%10 == 0 {
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
					sess.Call("/slow", nil, nil, erpc.WithContext(ctx))
					cancel()
				}
				if err := (wiretest.Call{Method: "/double", Arg: i*1000 + k, Want: 2 * (i*1000 + k)}).Do(sess); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestServerCloses: the session ends with the connection, or dials again.
func TestServerCloses(t *testing.T) {
	addr := webServer(t)
	for _, redial := range []int32{0, 3} {
		p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc(), RedialTimes: redial})
		sess := p.MustDial(t, addr)
		for range 3 {
			if err := (wiretest.Call{Method: "/close", Want: "bye"}).Do(sess); err != nil {
				t.Error(err)
			}
			if redial == 0 {
				break
			}
		}
		if redial == 0 {
			select {
			case <-sess.CloseNotify():
			case <-time.After(wiretest.Limit):
				t.Error("the session goes on")
			}
		}
	}
}

// TestPushToStranger sends a push before it knows what the server is, and then
// can't match its answers.
func TestPushToStranger(t *testing.T) {
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	sess := p.MustDial(t, webServer(t))
	if st := sess.Push("/double", 1); !st.OK() {
		t.Fatal(st)
	}
	if err := (wiretest.Call{Method: "/double", Arg: 1, Code: erpc.CodeConnClosed}).Do(sess); err != nil {
		t.Error(err)
	}
}

// TestFoldedReply: a server may fold the lines of its head.
func TestFoldedReply(t *testing.T) {
	lis := listenRaw(t)
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	sess := p.MustDial(t, lis.Addr().String())
	c := acceptRaw(t, lis)
	started := wiretest.Call{Method: "/x", Want: "new", Meta: "K=a%20b%20c&Content-Type=text%2Fplain", Codec: 's', Exact: true}.Start(sess)
	c.frame()
	c.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nK: a\r\n  b\r\n\tc \r\nContent-Type: \r\n text/plain\r\n\r\nnew")
	if err := started.End(); err != nil {
		t.Error(err)
	}
}

// TestOldServer: a server of HTTP/1.0 ends its body with the connection.
func TestOldServer(t *testing.T) {
	lis := listenRaw(t)
	p := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	sess := p.MustDial(t, lis.Addr().String())
	c := acceptRaw(t, lis)
	started := wiretest.Call{Method: "/x", Want: "old"}.Start(sess)
	c.frame()
	c.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")
	_ = c.conn.Close() // ends the body
	if err := started.End(); err != nil {
		t.Error(err)
	}
}
