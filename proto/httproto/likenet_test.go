package httproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
)

// An answer is what a server did with a request: it passed it on, or refused it
// with a status.
type answer struct {
	status int // 0: passed on
	close  bool
}

// answers sends said, closes the sending side, and returns the answers until the
// server closes the connection.
func answers(t *testing.T, addr, said string, passed func(*http.Response) bool) []answer {
	t.Helper()
	c := dialRaw(t, addr)
	go func() {
		_, _ = io.WriteString(c.conn, said)    // the server may close before all of it is sent
		_ = c.conn.(*net.TCPConn).CloseWrite() // or it would wait for more
	}()
	var got []answer
	method, _, _ := strings.Cut(strings.TrimLeft(said, "\r\n"), " ")
	for {
		res, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				t.Fatalf("still open after %s, having said %v", wiretest.Limit, got)
			}
			return got
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return got // cut off by a reset, as may happen to what was answered early
		}
		a := answer{status: res.StatusCode, close: res.Close}
		if passed(res) {
			a.status = 0
		}
		got = append(got, a)
		method = "GET"
	}
}

// plain is a server of net/http that does nothing but read bodies.
func plain(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{MaxHeaderBytes: httproto.DefaultMaxHead - 4<<10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Passed", "1")
		if _, err := io.ReadAll(http.MaxBytesReader(w, r.Body, hostileLimit)); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = srv.Close() // its error does not matter
		<-done
	})
	return lis.Addr().String()
}

// TestLikeNetHTTP sends the requests of hostile and the files of testdata/cases to
// our server and to one of net/http. It expects that both accept the same number
// of requests and refuse the others alike. So our server never reads a request
// where net/http does not.
func TestLikeNetHTTP(t *testing.T) {
	cases := maps.Clone(hostile)
	files, err := filepath.Glob("testdata/cases/*.req")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases[filepath.Base(file)] = string(b)
	}
	ours := serve(t, httproto.Config{MaxFields: 10_000}, erpc.PeerConfig{ReadLimit: hostileLimit})
	theirs := plain(t)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			said := cases[name]
			if name == "HTTP/2" {
				t.Skip("the server of net/http speaks only HTTP/1.1")
			}
			if !strings.HasSuffix(name, ".req") {
				said += good
			}
			want := answers(t, theirs, said, func(r *http.Response) bool { return r.Header.Get("X-Passed") != "" })
			got := answers(t, ours.Addr, said, func(r *http.Response) bool {
				return r.Header.Get("X-Mtype") != "" || r.StatusCode == http.StatusNoContent || strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
			})
			if !slices.Equal(got, want) {
				t.Errorf("%.300q\ngets %v, from net/http %v", said, got, want)
			}
		})
	}
}

// TestRefusals tests what the gateway itself refuses.
func TestRefusals(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{ReadLimit: hostileLimit})
	for name, want := range map[string]int{
		"length of 4e9": 413, "length above the limit": 413, "gzip bomb": 413, "body encoding": 415, "invalid gzip": 400,
		"many fields": 431, "two types": 400, "reply for a request": 400, "unknown type of message": 400, "type of message that is not a number": 400,
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, p.Addr)
			c.send(hostile[name] + "\r\n")
			got := c.response("POST")
			if st := new(erpc.Status); got.status != want || st.UnmarshalJSON([]byte(got.body)) != nil || st.OK() {
				t.Errorf("got %d %q, want %d and a status", got.status, got.body, want)
			}
		})
	}
}

// TestFirstBytes sends the head of the first request in pieces of every size:
// recognising an erpc peer does not depend on how the head arrives.
func TestFirstBytes(t *testing.T) {
	p := serve(t, httproto.Config{}, erpc.PeerConfig{})
	direct := vectors(t)[0].Messages[0].Bytes
	for _, size := range []int{1, 2, 3, 7, 64, len(direct)} {
		c := dialRaw(t, p.Addr)
		for b := range slices.Chunk(direct, size) {
			c.send(string(b))
			time.Sleep(50 * time.Microsecond) // so that most of them arrive alone
		}
		if got := c.frame(); !bytes.Contains(got, []byte("X-Mtype: 2\r\n")) || bytes.Contains(got, []byte("Date:")) {
			t.Errorf("pieces of %d bytes: an erpc peer gets %q", size, got)
		}
	}
	// The same head with a field that a proxy adds is answered by net/http.
	for _, added := range []string{"Via: 1.1 p\r\n", "X-Forwarded-For: 1.2.3.4\r\n", "Connection: close\r\n"} {
		c := dialRaw(t, p.Addr)
		line, rest, _ := bytes.Cut(direct, []byte("\r\n"))
		c.send(string(line) + "\r\nHost: x\r\n" + added + string(rest))
		res, err := http.ReadResponse(bufio.NewReader(c.conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.Header.Get("X-Mtype") != "2" || res.Header.Get("Date") == "" {
			t.Errorf("behind a proxy that adds %q: %v", added, res.Header)
		}
		_ = res.Body.Close() // it was not read
	}
}
