package stats_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/stats"
	"github.com/goerpc/erpc/socket"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// until waits until a condition holds.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wiretest.Limit); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", wiretest.Limit, what)
		}
	}
}

// TestMethods counts each outcome at both ends.
func TestMethods(t *testing.T) {
	at, from := stats.New(stats.Config{}), stats.New(stats.Config{MaxMethods: 3})
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, at)
	erpc.HandleCall(srv.Peer, "/slow", func(context.Context, *int) (*int, error) {
		time.Sleep(15 * time.Millisecond) // what is measured
		return nil, nil
	})
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, from).MustDial(t, srv.Addr)
	for range 2 {
		if st := sess.Call("/slow", 1, nil).Status(); !st.OK() {
			t.Fatal(st)
		}
	}
	if st := sess.Call("/math/fail", []int{1}, nil).Status(); st.OK() {
		t.Fatal("it did not fail")
	}
	for _, name := range []string{"/made", "/up", "/names"} {
		if st := sess.Call(name, nil, nil).Status(); st.Code() != erpc.CodeNotFound {
			t.Fatal(st)
		}
	}
	if st := sess.Call("/slow", func() {}, nil).Status(); st.Code() != erpc.CodeWriteFailed {
		t.Fatal(st)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = sess.Call("/slow", 1, nil, erpc.WithContext(ctx)).Status()
	for _, body := range []any{"x", "y", 5} { // which is not a string
		if st := sess.Push("/note/say", body); !st.OK() {
			t.Fatal(st)
		}
	}
	until(t, "the last push and reply", func() bool {
		s := at.Snapshot()
		return s.HandledPushes["/note/say"].Ended == 3 && s.HandledCalls[stats.Unknown].Ended == 3 && s.HandledCalls["/slow"].Ended == s.HandledCalls["/slow"].Started
	})
	counts := func(m stats.Method) [4]uint64 { return [4]uint64{m.Started, m.Sent, m.Ended, m.Errors} }
	client, server := from.Snapshot(), at.Snapshot()
	slow := client.Calls["/slow"]
	// Two calls were answered and one could not be encoded; a call whose context
	// has already ended does not begin.
	if slow.Started != 3 || slow.Sent != 2 || slow.Ended != 2 || slow.Errors != 0 {
		t.Errorf("calls of /slow: %v", counts(slow))
	}
	for what, c := range map[string]struct{ got, want [4]uint64 }{
		"failed, here":    {counts(client.Calls["/math/fail"]), [4]uint64{1, 1, 1, 1}},
		"failed, there":   {counts(server.HandledCalls["/math/fail"]), [4]uint64{1, 1, 1, 1}},
		"one more name":   {counts(client.Calls["/made"]), [4]uint64{1, 1, 1, 1}},
		"too many names":  {counts(client.Calls[stats.Other]), [4]uint64{2, 2, 2, 2}},
		"unknown":         {counts(server.HandledCalls[stats.Unknown]), [4]uint64{3, 3, 3, 3}},
		"pushes":          {counts(client.Pushes["/note/say"]), [4]uint64{3, 3, 0, 0}},
		"pushes received": {counts(server.HandledPushes["/note/say"]), [4]uint64{3, 0, 3, 1}},
		"not called":      {counts(server.HandledCalls["/math/add"]), [4]uint64{}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
	for what, h := range map[string]stats.Histogram{"here": slow.Latency, "there": server.HandledCalls["/slow"].Latency} {
		if h.Count < 2 || h.Sum < 30*time.Millisecond || h.Quantile(0.99) < 25*time.Millisecond {
			t.Errorf("latency %s: %d in %s, 99%% within %s", what, h.Count, h.Sum, h.Quantile(0.99))
		}
	}
	if len(client.Calls) != 4 {
		t.Errorf("%d names, want 3 and the others", len(client.Calls))
	}
}

func TestQuantile(t *testing.T) {
	h := stats.Histogram{Count: 100, Buckets: []stats.Bucket{{Bound: time.Millisecond, Count: 50}, {Bound: time.Second, Count: 49}, {Count: 1}}}
	for q, want := range map[float64]time.Duration{0: time.Millisecond, 0.5: time.Millisecond, 0.51: time.Second, 0.99: time.Second, 1: time.Second} {
		if got := h.Quantile(q); got != want {
			t.Errorf("%v: %s, want %s", q, got, want)
		}
	}
	for _, nothing := range []stats.Histogram{{}, {Buckets: []stats.Bucket{{Bound: time.Second}, {}}}} {
		if got := nothing.Quantile(0.5); got != 0 {
			t.Errorf("of nothing: %s", got)
		}
	}
}

// TestSessions follows the counts through a redial and beyond the end.
func TestSessions(t *testing.T) {
	at, from := stats.New(stats.Config{}), stats.New(stats.Config{})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, at)
	cli := wiretest.NewClient(t, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Millisecond}, from)
	sess := cli.MustDial(t, srv.Addr)
	add := func() {
		t.Helper()
		until(t, "a call", func() bool { return sess.Call("/math/add", []int{1}, nil).StatusOK() })
	}
	add()
	one := from.Snapshot()
	if len(one.Sessions) != 1 || one.Sessions[0].ID != sess.ID() || one.Sessions[0].Remote != srv.Addr ||
		one.MessagesOut < 1 || one.MessagesIn < 1 || one.BytesIn < 20 || one.BytesOut < 20 || one.Reads < 1 || one.Writes < 1 {
		t.Errorf("%+v", one)
	}
	for range 3 { // three more connections
		redialed := from.Snapshot().Redialed
		srv.RangeSession(func(s erpc.CtxSession) bool { return s.Close() == nil })
		until(t, "a redial", func() bool { return from.Snapshot().Redialed > redialed })
		add()
	}
	until(t, "the end of the former sessions", func() bool { return at.Snapshot().Disconnects == 3 })
	client, server := from.Snapshot(), at.Snapshot()
	if client.Redialed != 3 || client.Dialed != 1 || client.DialErrors() != 0 || server.Accepted != 4 {
		t.Errorf("redialed %d, dialed %d of %d, accepted %d", client.Redialed, client.Dialed, client.Dials, server.Accepted)
	}
	calls, sent := client.Calls["/math/add"].Ended, client.MessagesOut
	if calls < 4 || client.MessagesIn < calls || sent < calls || server.MessagesIn != sent {
		t.Errorf("%d calls, %d messages sent, %d received; the server read %d", calls, sent, client.MessagesIn, server.MessagesIn)
	}
	if err := sess.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the end", func() bool { return from.Snapshot().Disconnects == 1 })
	if end := from.Snapshot(); end.MessagesOut != sent || len(end.Sessions) != 0 {
		t.Errorf("at the end %d messages, before %d", end.MessagesOut, sent)
	}
}

// TestErrors counts dials that fail, and sessions that send nonsense.
func TestErrors(t *testing.T) {
	at := stats.New(stats.Config{})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, at)
	s := wiretest.DialScript(t, "tcp", srv.Addr)
	s.Send([]byte{0, 0, 0, 12, 0, 255, 255, 255, 255, 255, 255, 255})
	until(t, "the end", func() bool { return at.Snapshot().Disconnects == 1 })
	if got := at.Snapshot(); got.ReadErrors != 1 || got.WriteErrors != 0 {
		t.Errorf("%+v", got.Ends)
	}
	from := stats.New(stats.Config{})
	nobody := erpc.CustomTransport{Nets: []string{"tcp"}, DialFunc: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("nobody is there")
	}}
	if _, st := wiretest.NewClient(t, erpc.PeerConfig{Transports: []erpc.Transport{nobody}}, from).Dial("127.0.0.1:1"); st.OK() {
		t.Fatal("dialed nobody")
	}
	if got := from.Snapshot(); got.DialErrors() != 1 {
		t.Errorf("%d of %d dials failed", got.DialErrors(), got.Dials)
	}
}

// TestSlowReader: the other side of a session does not read. Messages that wait and
// messages that were dropped are counted for the session and for the peer, which
// keeps the count of dropped ones after the session has ended. A session that ends
// because of this counts as a failed write.
func TestSlowReader(t *testing.T) {
	for _, policy := range []erpc.QueuePolicy{socket.DropNew, socket.DropOld, socket.Disconnect} {
		t.Run(string(policy), func(t *testing.T) {
			at := stats.New(stats.Config{})
			const limit = 64 << 10 // bytes
			srv := wiretest.Serve(t, erpc.PeerConfig{QueueLimit: limit, QueuePolicy: policy, SocketWriteBuffer: limit}, at)
			s := wiretest.DialScript(t, "tcp", srv.Addr)
			until(t, "the session", func() bool { return srv.CountSession() == 1 })
			var sess erpc.CtxSession
			srv.RangeSession(func(s erpc.CtxSession) bool { sess = s; return true })
			body := make([]byte, 4<<10)
			const enough = 100 << 20 // bytes: more than a kernel buffers
			failed, got := uint64(0), at.Snapshot()
			for sent := 0; sent < enough && got.Disconnects == 0 && (got.Dropped == 0 || got.Queued() == 0); sent += len(body) {
				if st := sess.Push("/x", body); !st.OK() {
					failed++
				}
				got = at.Snapshot() // the kernel may have made room meanwhile
			}
			if policy == socket.Disconnect {
				until(t, "the end", func() bool { return at.Snapshot().Disconnects == 1 })
				if got := at.Snapshot(); failed == 0 || got.WriteErrors != 1 || got.ReadErrors != 0 {
					t.Errorf("%d pushes failed; %+v", failed, got.Ends)
				}
				return
			}
			if len(got.Sessions) != 1 || got.Dropped == 0 || got.Sessions[0].Dropped != got.Dropped || policy == socket.DropNew && failed != got.Dropped {
				t.Fatalf("%d pushes failed; %+v", failed, got)
			}
			if q := got.Sessions[0].Queued; q == 0 || q > limit || q != got.Queued() {
				t.Errorf("%d bytes wait at the session and %d in all, want up to %d", q, got.Queued(), limit)
			}
			for _, line := range []string{
				fmt.Sprintf("erpc_dropped_total %d\n", got.Dropped), fmt.Sprintf("erpc_queued_bytes %d\n", got.Queued()),
			} {
				if text := string(got.AppendPrometheus(nil)); !strings.Contains(text, line) {
					t.Errorf("no %q in\n%s", line, text)
				}
			}
			s.Close()
			until(t, "the end", func() bool { return at.Snapshot().Disconnects == 1 })
			if end := at.Snapshot(); end.Dropped != got.Dropped || end.Queued() != 0 {
				t.Errorf("at the end %d were dropped and %d bytes wait, before %d", end.Dropped, end.Queued(), got.Dropped)
			}
		})
	}
}

// A troubled listener fails once.
type troubled struct {
	net.Listener
	failed atomic.Bool
}

func (l *troubled) Accept() (net.Conn, error) {
	if !l.failed.Swap(true) {
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

// TestAcceptErrors counts failures of the listener, which do not end it.
func TestAcceptErrors(t *testing.T) {
	at := stats.New(stats.Config{})
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, at)
	lis, err := srv.Peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(&troubled{Listener: lis}) }()
	wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, lis.Addr().String())
	until(t, "the session", func() bool { return at.Snapshot().Accepted == 1 })
	got := at.Snapshot()
	if peer := srv.Stats(); got.AcceptErrors != 1 || peer.AcceptErrors != 1 || peer.Accepts != 1 {
		t.Errorf("%d failures, the peer says %d and accepted %d", got.AcceptErrors, peer.AcceptErrors, peer.Accepts)
	}
	if text := string(got.AppendPrometheus(nil)); !strings.Contains(text, "\nerpc_accept_errors_total 1\n") {
		t.Errorf("not in\n%s", text)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, erpc.ErrClosed) {
		t.Error(err)
	}
}

// TestFormats: expvar gets JSON, Prometheus gets its text format.
func TestFormats(t *testing.T) {
	at := stats.New(stats.Config{})
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, at)
	erpc.HandleCall(srv.Peer, "/a\"\\b", func(_ context.Context, n *int) (*int, error) { return n, nil })
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for range 2 {
		if st := sess.Call("/a\"\\b", 1, nil).Status(); !st.OK() {
			t.Fatal(st)
		}
	}
	var _ expvar.Var = at
	var back stats.Snapshot
	until(t, "both replies", func() bool { return at.Snapshot().HandledCalls["/a\"\\b"].Sent == 2 })
	if err := json.Unmarshal([]byte(at.String()), &back); err != nil || back.HandledCalls["/a\"\\b"].Sent != 2 || len(back.Sessions) != 1 {
		t.Errorf("%v %+v", err, back)
	}
	w := httptest.NewRecorder()
	at.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for _, want := range []string{
		"# TYPE erpc_handled_calls_started_total counter\n",
		`erpc_handled_calls_started_total{method="/a\"\\b"} 2` + "\n",
		`erpc_handled_calls_seconds_bucket{method="/a\"\\b",le="+Inf"} 2` + "\n",
		`erpc_handled_calls_seconds_bucket{method="/a\"\\b",le="0.00025"} `,
		`erpc_handled_calls_seconds_count{method="/a\"\\b"} 2` + "\n",
		"erpc_accepts_total 1\n", "erpc_sessions 1\n", "# TYPE erpc_queued_bytes gauge\n", "erpc_dropped_total 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Errorf("content type %s", got)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		name, _, ok := strings.Cut(line, " ")
		if !ok || !strings.HasPrefix(line, "#") && seen[name] {
			t.Errorf("line %q", line)
		}
		seen[name] = !strings.HasPrefix(line, "#")
	}
}

func Example() {
	counts := stats.New(stats.Config{})
	srv := erpc.NewPeer(erpc.PeerConfig{}, counts)
	defer srv.Close()
	expvar.Publish("erpc", counts) // and http.Handle("/metrics", counts.Handler())
	fmt.Println(counts.Snapshot().Accepted, expvar.Get("erpc") != nil)
	// Output: 0 true
}
