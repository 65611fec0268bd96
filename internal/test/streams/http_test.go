package streams

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/httproto"
)

// overHTTP runs f with a server of net/http and with a listener of httproto.
func overHTTP(t *testing.T, register func(erpc.Peer), f func(t *testing.T, url string)) {
	t.Run("handler", func(t *testing.T) {
		p := kit.Peer(t, erpc.PeerConfig{})
		register(p)
		web := httptest.NewServer(erpc.HTTPHandler(p, erpc.HTTPConfig{}))
		t.Cleanup(web.Close)
		f(t, web.URL)
	})
	t.Run("listener", func(t *testing.T) {
		p := kit.Peer(t, erpc.PeerConfig{ListenAddress: "127.0.0.1:0", ProtoFunc: httproto.NewHTTProtoFunc()})
		register(p)
		f(t, "http://"+kit.Start(t, p))
	})
}

func request(t *testing.T, method, url, contentType, accept string, body io.Reader) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

func httpHandlers(p erpc.Peer) {
	register(p)
	erpc.HandleStream(p, "/feed", func(ctx context.Context, s *erpc.Stream[struct{ N int }, note]) error {
		arg, err := s.Recv()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		n := 3
		if arg != nil {
			n = arg.N
		}
		for i := range n {
			if err := s.Send(&note{i}); err != nil {
				return err
			}
		}
		if n == 5 {
			return erpc.NewStatus(1005, "five").Err()
		}
		return nil
	}, erpc.Safe())
}

func TestHTTPClientsReceiveStreams(t *testing.T) {
	overHTTP(t, httpHandlers, func(t *testing.T, url string) {
		for _, c := range []struct {
			name, method, path, contentType, accept, body string
			code                                          int
			form, want                                    string
		}{
			{"lines", "POST", "/feed", "application/json", "", `{"N":2}`, 200, "application/x-ndjson", "{\"N\":0}\n{\"N\":1}\n"},
			{"events", "POST", "/feed", "application/json", "text/event-stream", `{"N":2}`, 200, "text/event-stream", "data: {\"N\":0}\n\ndata: {\"N\":1}\n\nevent: end\ndata: \n\n"},
			{"events by GET", "GET", "/feed?N=1", "", "text/event-stream", "", 200, "text/event-stream", "data: {\"N\":0}\n\nevent: end\ndata: \n\n"},
			{"GET without a parameter", "GET", "/feed", "", "", "", 200, "application/x-ndjson", "{\"N\":0}\n{\"N\":1}\n{\"N\":2}\n"},
			{"GET of a handler that is not safe", "GET", "/count", "", "", "", 405, "application/json", ""},
			{"a failure at once", "POST", "/fail", "application/json", "", "{}", 500, "application/json", ""},
			{"a failure later", "POST", "/feed", "application/json", "", `{"N":5}`, 200, "application/x-ndjson",
				"{\"N\":0}\n{\"N\":1}\n{\"N\":2}\n{\"N\":3}\n{\"N\":4}\n{\"error\":{\"code\":1005,\"msg\":\"five\",\"cause\":\"\"}}\n"},
			{"a failure of events", "POST", "/fail", "application/json", "text/event-stream", "{}", 500, "application/json", ""},
			{"lines both ways", "POST", "/sum", "application/x-ndjson", "", "{\"N\":4}\n\n{\"N\":5}\n{\"N\":6}", 200, "application/x-ndjson", "{\"N\":15}\n"},
			{"a line that is not JSON", "POST", "/sum", "application/x-ndjson", "", "{\"N\":4}\nnonsense\n", 400, "application/json", ""},
			{"nobody is there", "POST", "/none", "application/json", "", "{}", 404, "application/json", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				resp := request(t, c.method, url+c.path, c.contentType, c.accept, strings.NewReader(c.body))
				got := text(t, resp)
				form, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
				if resp.StatusCode != c.code || form != c.form || c.want != "" && got != c.want {
					t.Errorf("%d %s %q\nwant %d %s %q", resp.StatusCode, form, got, c.code, c.form, c.want)
				}
			})
		}
	})
}

// Bytes are sent unchanged: in an upload as curl -T makes it, and in a download.
func TestHTTPClientsTransferBytes(t *testing.T) {
	data := make([]byte, 2<<20+5)
	_, _ = rand.Read(data) // it never fails
	overHTTP(t, func(p erpc.Peer) {
		erpc.HandleStream(p, "/put", func(_ context.Context, s *erpc.Stream[[]byte, note]) error {
			n := 0
			for m, err := range s.All() {
				if err != nil {
					return err
				}
				n += len(*m)
			}
			return s.Send(&note{n})
		})
		erpc.HandleDownload(p, "/get", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(data)
			return err
		}, erpc.Safe())
		erpc.HandleDownload(p, "/torn", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(data)
			return errors.Join(err, errors.New("disk"))
		}, erpc.Safe())
	}, func(t *testing.T, url string) {
		resp := request(t, "POST", url+"/put", "application/octet-stream", "", bytes.NewReader(data))
		if got := text(t, resp); got != fmt.Sprintf("{\"N\":%d}\n", len(data)) {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
		resp = request(t, "GET", url+"/get", "", "application/octet-stream", nil)
		if got := text(t, resp); got != string(data) {
			t.Errorf("%d bytes of %d", len(got), len(data))
		}
		resp = request(t, "GET", url+"/torn", "", "application/octet-stream", nil)
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a download that failed looks whole: %d bytes", len(b))
		}
	})
}

// A client that goes away ends the handler's context.
func TestHTTPClientGoesAway(t *testing.T) {
	ended := make(chan error, 1)
	overHTTP(t, func(p erpc.Peer) {
		erpc.HandleStream(p, "/feed", func(ctx context.Context, s *erpc.Stream[note, note]) error {
			if err := s.Send(&note{1}); err != nil {
				return err
			}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}, erpc.Safe())
	}, func(t *testing.T, url string) {
		resp := request(t, "GET", url+"/feed", "", "text/event-stream", nil)
		if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "data: {\"N\":1}\n" {
			t.Fatalf("%q, %v", line, err)
		}
		_ = resp.Body.Close()
		if err := kit.Await(t, "the handler's end", ended); code(err) != erpc.CodeCanceled {
			t.Errorf("%v", err)
		}
	})
}

// A client that reads slowly holds the handler back.
func TestHTTPClientIsSlow(t *testing.T) {
	var sent atomic.Int64
	count := int64(max(1500, scaled(5000))) // 48 MiB: more than the buffers of the system
	overHTTP(t, func(p erpc.Peer) {
		erpc.HandleStream(p, "/flood", func(ctx context.Context, s *erpc.Stream[note, []byte]) error {
			sent.Store(0)
			line, _ := json.Marshal(strings.Repeat("x", 32<<10)) // it never fails
			for range count {
				if err := s.Send(&line); err != nil {
					return err
				}
				sent.Add(1)
			}
			return nil
		}, erpc.Safe())
	}, func(t *testing.T, url string) {
		resp := request(t, "GET", url+"/flood", "", "", nil)
		if _, err := io.ReadFull(resp.Body, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		last := int64(-1)
		kit.Eventually(t, kit.Bound, "that the handler stops", func() bool {
			now := sent.Load()
			stopped := now == last
			last = now
			time.Sleep(50 * time.Millisecond) // between two checks
			return stopped
		})
		if last >= count {
			t.Error("the handler sent everything to a client that does not read")
		}
		rest, err := io.Copy(io.Discard, resp.Body)
		if want := count*(32<<10+3) - 1<<20; err != nil || rest != want {
			t.Errorf("%d bytes, want %d: %v", rest, want, err)
		}
	})
}
