package dashboard_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/dashboard"
)

var _ dashboard.Cluster = (*cluster.Cluster)(nil)

// hostile is text that a stranger would like to see run in a browser or a terminal.
const hostile = "/<img src=x onerror=alert(1)>\x1b[31m\n\"'&</script>"

// anyone lets everybody use the actions.
func anyone(*http.Request) error { return nil }

// A site is a peer with a dashboard, and a client of the peer.
type site struct {
	t     *testing.T
	d     *dashboard.Dashboard
	peer  erpc.Peer
	addr  string
	sess  erpc.Session  // of the client
	heard chan string   // pushes to the client
	kept  chan struct{} // lets the handler of /wait return
}

func newSite(t *testing.T, cfg dashboard.Config, plugins ...erpc.Plugin) *site {
	t.Helper()
	s := &site{t: t, d: dashboard.New(cfg), heard: make(chan string, 10), kept: make(chan struct{})}
	s.peer = kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1", MaxSessions: 50}, append(plugins, s.d)...)
	erpc.HandleCall(s.peer, "/add", kit.Add)
	erpc.HandleCall(s.peer, "/fail", func(_ context.Context, code *int32) (*int, error) {
		return nil, erpc.NewStatus(*code, "failed", hostile).Err()
	})
	erpc.HandleCall(s.peer, "/wait", func(ctx context.Context, _ *int) (*int, error) {
		<-s.kept
		return nil, nil
	})
	erpc.HandlePush(s.peer, "/note", func(context.Context, *string) error { return nil })
	erpc.HandleStream(s.peer, "/echo", func(_ context.Context, st *erpc.Stream[string, string]) error {
		for m, err := range st.All() {
			if err != nil {
				return err
			}
			if err := st.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	s.addr = kit.Start(t, s.peer)
	cli := kit.Peer(t, erpc.PeerConfig{})
	erpc.HandlePush(cli, "/heard", func(_ context.Context, line *string) error {
		s.heard <- *line
		return nil
	})
	s.sess = kit.Open(t, cli, s.addr)
	kit.Eventually(t, kit.Bound, "the session at the peer", func() bool { return s.peer.CountSession() == 1 })
	return s
}

// ask makes a request of the handler.
func (s *site) ask(method, target, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:9091"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	s.d.ServeHTTP(w, r)
	return w
}

// get fills v with the answer of a request for data.
func (s *site) get(name string, v any) {
	s.t.Helper()
	w := s.ask("GET", "/api/"+name, "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		s.t.Fatalf("%s: %d %s", name, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, w.Body)
	}
}

// post performs an action and returns the status and the answer.
func (s *site) post(name, arg string) (int, string) {
	s.t.Helper()
	w := s.ask("POST", "/api/"+name, arg, "Content-Type", "application/json")
	return w.Code, w.Body.String()
}

// only returns the peer's only session.
func (s *site) only() (sess erpc.Session) {
	s.peer.RangeSession(func(one erpc.Session) bool { sess = one; return false })
	return sess
}

type object = map[string]any
