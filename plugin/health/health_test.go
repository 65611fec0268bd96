package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/health"
	"github.com/goerpc/erpc/socket/memory"
)

func TestMain(m *testing.M) { kit.Main(m) }

func newPeer(t *testing.T, network *memory.Transport, plugins ...erpc.Plugin) erpc.Peer {
	return kit.Peer(t, erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{network}}, plugins...)
}

// asked is what HTTP answers.
func asked(t *testing.T, h http.Handler) (code int, r health.Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return w.Code, r
}

func TestChecksDecideReadiness(t *testing.T) {
	for _, detail := range []bool{false, true} {
		t.Run(fmt.Sprint("detail ", detail), func(t *testing.T) { testReadiness(t, detail) })
	}
}

// Ready answers what the checks say, over HTTP and over erpc; Live answers that the
// process lives, whatever the checks say.
func testReadiness(t *testing.T, detail bool) {
	kit.Bubble(t, func(t *testing.T) {
		network := memory.New()
		h := health.New()
		h.Detail = detail
		says := "it fails"
		if detail {
			says = "it is full"
		}
		var log kit.Log
		log.Min = slog.LevelInfo
		p := kit.Peer(t, erpc.PeerConfig{
			Network: memory.Network, Transports: []erpc.Transport{network}, Logger: slog.New(&log),
		}, h)
		if code, r := asked(t, h.Ready()); code != http.StatusServiceUnavailable || r.Problems["peer"] == "" {
			t.Errorf("before it listens: %d, %+v", code, r)
		}
		lis, err := p.ListenOn(memory.Network, "")
		if err != nil {
			t.Fatal(err)
		}
		sess := kit.Open(t, newPeer(t, network), kit.StartOn(t, p, lis))
		var broken atomic.Bool
		h.Add("disk", func(context.Context) error {
			if broken.Load() {
				return errors.New("it is full")
			}
			return nil
		})
		for _, bad := range []bool{false, true, false} {
			broken.Store(bad)
			time.Sleep(time.Second)
			want := http.StatusOK
			if bad {
				want = http.StatusServiceUnavailable
			}
			code, r := asked(t, h.Ready())
			if code != want || r.Ready == bad || (r.Problems["disk"] == says) != bad {
				t.Errorf("broken %v: %d, %+v", bad, code, r)
			}
			over, err := erpc.Call[health.Report](t.Context(), sess, health.Method, nil)
			if err != nil || over.Ready == bad || over.Problems["disk"] != r.Problems["disk"] {
				t.Errorf("broken %v, over erpc: %+v, %v", bad, over, err)
			}
			if r := h.Check(t.Context()); bad && r.Problems["disk"] != "it is full" {
				t.Errorf("Check returns %+v", r)
			}
			if code, _ := asked(t, h.Live()); code != http.StatusOK {
				t.Errorf("broken %v: not alive: %d", bad, code)
			}
		}
		if fails, well := log.Says("it is full"), log.Says("passes again"); len(fails) != 1 || len(well) != 1 {
			t.Errorf("the log says %q and %q, want a line for each change", fails, well)
		}
	})
}

// A check with the name of the peer's own problems does not hide them.
func TestCheckNamedLikeThePeer(t *testing.T) {
	h := health.New()
	p := newPeer(t, memory.New(), h)
	h.Add("peer", func(context.Context) error { return errors.New("the check fails") })
	if r := h.Check(t.Context()); r.Problems["peer"] != "it does not listen" {
		t.Errorf("before it listens: %+v", r)
	}
	kit.Start(t, p)
	kit.Eventually(t, kit.Bound, "the check is not the problem", func() bool {
		return h.Check(t.Context()).Problems["peer"] == "the check fails"
	})
}

// Shutdown makes a peer not ready while its handlers are still working.
func TestShutdownFlipsReadinessFirst(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		network := memory.New()
		h := health.New()
		p := newPeer(t, network, h)
		begun, end := make(chan struct{}), make(chan struct{})
		erpc.HandleCall(p, "/wait", func(context.Context, *int) (*int, error) {
			close(begun)
			<-end
			return new(int), nil
		})
		lis, err := p.ListenOn(memory.Network, "")
		if err != nil {
			t.Fatal(err)
		}
		sess := kit.Open(t, newPeer(t, network), kit.StartOn(t, p, lis))
		if code, r := asked(t, h.Ready()); code != http.StatusOK {
			t.Errorf("%d, %+v", code, r)
		}
		replied, down := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := erpc.Call[int](context.Background(), sess, "/wait", 1)
			replied <- err
		}()
		<-begun
		go func() { down <- p.Shutdown(context.Background()) }()
		time.Sleep(time.Millisecond)
		if code, r := asked(t, h.Ready()); code != http.StatusServiceUnavailable || r.Ready {
			t.Errorf("while it shuts down: %d, %+v", code, r)
		}
		close(end)
		if err := kit.Await(t, "reply", replied); err != nil {
			t.Error(err)
		}
		if err := kit.Await(t, "shutdown", down); err != nil {
			t.Error(err)
		}
	})
}

// A peer that only dials, or that the program's own HTTP server serves, is ready
// from the start until it ends, if it is configured so and its checks pass.
func TestReadinessWithoutAListener(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(erpc.Peer) error
	}{
		{"Close", erpc.Peer.Close},
		{"Shutdown", func(p erpc.Peer) error { return p.Shutdown(context.Background()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				network := memory.New()
				server := newPeer(t, network)
				lis, err := server.ListenOn(memory.Network, "")
				if err != nil {
					t.Fatal(err)
				}
				h := health.New()
				h.NoListener = true
				p := newPeer(t, network, h)
				sess := kit.Open(t, p, kit.StartOn(t, server, lis))
				h.Add("server", func(context.Context) error {
					if !sess.Connected() {
						return errors.New("not connected to 10.0.0.1")
					}
					return nil
				})
				if code, r := asked(t, h.Ready()); code != http.StatusOK || !r.Ready {
					t.Errorf("%d, %+v", code, r)
				}
				over, err := erpc.Call[health.Report](t.Context(), accepted(t, server), health.Method, nil) // the other way
				if err != nil || !over.Ready {
					t.Errorf("over erpc: %+v, %v", over, err)
				}
				if err := server.Close(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if code, r := asked(t, h.Ready()); code != http.StatusServiceUnavailable || r.Problems["server"] != "it fails" || r.Problems["peer"] != "" {
					t.Errorf("without a server: %d, %+v", code, r)
				}
				if err := c.end(p); err != nil {
					t.Fatal(err)
				}
				if code, r := asked(t, h.Ready()); code != http.StatusServiceUnavailable || r.Problems["peer"] != "it is closed or shutting down" {
					t.Errorf("at the end: %d, %+v", code, r)
				}
			})
		})
	}
}

// A peer without a listener is not ready as soon as Shutdown begins, while its
// handlers are still working.
func TestShutdownFlipsReadinessWithoutAListener(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		network := memory.New()
		server := newPeer(t, network)
		lis, err := server.ListenOn(memory.Network, "")
		if err != nil {
			t.Fatal(err)
		}
		h := health.New()
		h.NoListener = true
		p := newPeer(t, network, h)
		begun, end := make(chan struct{}), make(chan struct{})
		erpc.HandlePush(p, "/wait", func(context.Context, *int) error {
			close(begun)
			<-end
			return nil
		})
		kit.Open(t, p, kit.StartOn(t, server, lis))
		if st := accepted(t, server).Push("/wait", 1); !st.OK() {
			t.Fatal(st)
		}
		<-begun
		down := make(chan error, 1)
		go func() { down <- p.Shutdown(context.Background()) }()
		time.Sleep(time.Millisecond)
		if code, r := asked(t, h.Ready()); code != http.StatusServiceUnavailable || r.Problems["peer"] == "" {
			t.Errorf("while it shuts down: %d, %+v", code, r)
		}
		close(end)
		if err := kit.Await(t, "shutdown", down); err != nil {
			t.Error(err)
		}
	})
}

// accepted is the only session of a peer.
func accepted(t *testing.T, p erpc.Peer) (sess erpc.Session) {
	t.Helper()
	synctest.Wait() // the dialing side may have its session first
	p.RangeSession(func(s erpc.Session) bool { sess = s; return false })
	if sess == nil {
		t.Fatal("no session")
	}
	return sess
}

// Frequent queries cost one check a second, and a check that hangs is cut off.
func TestChecksAreNotRunForEachQuestion(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		h := health.New()
		var runs atomic.Int64
		h.Add("slow", func(ctx context.Context) error {
			runs.Add(1)
			<-ctx.Done()
			return ctx.Err()
		})
		before := time.Now()
		done := make(chan health.Report, 100)
		for range cap(done) {
			go func() { done <- h.Check(t.Context()) }()
		}
		for range cap(done) {
			if r := kit.Await(t, "check", done); r.Ready || r.Problems["slow"] == "" {
				t.Errorf("%+v", r)
			}
		}
		if n := runs.Load(); n != 1 || time.Since(before) != 2*time.Second {
			t.Errorf("%d runs for a hundred questions, in %v", n, time.Since(before))
		}
	})
}

func TestHealthIsForOnePeer(t *testing.T) {
	h := health.New()
	p := kit.Peer(t, erpc.PeerConfig{}, h)
	if err := h.PostNewPeer(p); err == nil {
		t.Error("a plugin of two peers")
	}
}
