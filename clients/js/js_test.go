package js_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/clients/js"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// allPassed is what is said when every test of erpc.test.mjs has passed.
const allPassed = "# pass 38"

// endpoints adds those that erpc.test.mjs connects to: the second wants a token, and at
// the third logins expire.
func endpoints(t *testing.T, mux *http.ServeMux) {
	mux.Handle("/ws", websocket.NewJSONServeHandler(newPeer(t), nil))
	check := websocket.NewHandshakeAuthPlugin(func(r *http.Request) (string, *erpc.Status) {
		if websocket.Token(r) != "good" {
			return "", erpc.NewStatus(erpc.CodeUnauthorized, "who are you?")
		}
		return "", nil
	}, nil)
	mux.Handle("/auth", websocket.NewJSONServeHandler(newPeer(t, check), nil))
	mux.Handle("/expiring", websocket.NewJSONServeHandler(newExpiring(t), nil))
	r := &restarted{peer: newPeer(t)}
	mux.HandleFunc("/down", r.serve)
	mux.HandleFunc("/restart", func(w http.ResponseWriter, req *http.Request) { r.restart(t, w, req) })
}

// newExpiring returns a peer that takes any token but "bad", and where a client can let its login
// expire.
func newExpiring(t *testing.T) erpc.Peer {
	p := newPeer(t, auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		if c.Token == "bad" {
			return nil, nil
		}
		return &auth.Identity{Name: c.Token, Expires: time.Now().Add(time.Hour)}, nil
	}}))
	erpc.HandleCall(p, "/expire", func(ctx context.Context, _ *int) (*int, error) {
		auth.SetIdentity(erpc.CallCtxFrom(ctx).Session(), &auth.Identity{Expires: time.Now()})
		return nil, nil
	})
	return p
}

// A restarted is a peer that is shut down when a test asks for it, and followed by another.
type restarted struct {
	mu   sync.Mutex // guards the following
	peer erpc.Peer
}

func (r *restarted) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	p := r.peer
	r.mu.Unlock()
	websocket.NewJSONServeHandler(p, nil).ServeHTTP(w, req)
}

func (r *restarted) restart(t *testing.T, w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	old := r.peer
	r.peer = newPeer(t)
	r.mu.Unlock()
	if err := old.Shutdown(req.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// newPeer returns one with the handlers that erpc.test.mjs asks for.
func newPeer(t *testing.T, plugins ...erpc.Plugin) erpc.Peer {
	p := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}, plugins...)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	handlers(p)
	streamHandlers(p)
	return p
}

// TestInNode runs erpc.test.mjs in Node.js.
func TestInNode(t *testing.T) {
	node := kit.Program(t, "node")
	if out, err := exec.Command(node, "--experimental-websocket", "--version").CombinedOutput(); err != nil {
		t.Skipf("this node has no WebSocket, which comes with 20.10: %s", out)
	}
	mux := http.NewServeMux()
	endpoints(t, mux)
	web := httptest.NewServer(mux)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--experimental-websocket", "--no-warnings", "--test", "erpc.test.mjs")
	cmd.Env = append(os.Environ(), "ERPC_URL=ws"+strings.TrimPrefix(web.URL, "http")+"/ws")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), allPassed) {
		t.Errorf("not all tests were run:\n%s", out)
	}
}

func handlers(p erpc.Peer) {
	erpc.HandleCall(p, "/math/add", func(_ context.Context, numbers *[]int) (*int, error) {
		sum := 0
		for _, n := range *numbers {
			sum += n
		}
		return &sum, nil
	})
	erpc.HandleCall(p, "/fail", func(context.Context, *int) (*int, error) {
		return nil, erpc.NewStatus(1001, "bad thing", `a "cause" & 100 %`).Err()
	})
	erpc.HandleCall(p, "/meta", func(ctx context.Context, _ *int) (*string, error) {
		author := string(erpc.CallCtxFrom(ctx).PeekMeta("author"))
		return &author, nil
	})
	erpc.HandleCall(p, "/echo", func(_ context.Context, s *string) (*string, error) { return s, nil })
	erpc.HandleCall(p, "/callback", func(ctx context.Context, n *int) (*int, error) {
		s := erpc.CallCtxFrom(ctx).Session()
		if st := s.Push("/note", "hello", erpc.WithAddMeta("from", "srv")); !st.OK() {
			return nil, st.Err()
		}
		return erpc.Call[int](ctx, s, "/client/double", *n)
	})
	erpc.HandleCall(p, "/callback/fail", func(ctx context.Context, n *int) (*int, error) {
		return erpc.Call[int](ctx, erpc.CallCtxFrom(ctx).Session(), "/client/fail", *n)
	})
	var last sync.Map
	erpc.HandlePush(p, "/note/say", func(_ context.Context, s *string) error { last.Store("text", *s); return nil })
	erpc.HandleCall(p, "/note/last", func(ctx context.Context, _ *int) (*string, error) {
		for {
			if v, ok := last.Load("text"); ok {
				s := v.(string)
				return &s, nil
			}
			select {
			case <-time.After(time.Millisecond): // the push may still be on its way
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	})
	var hung atomic.Int32
	ended := make(chan struct{}, 3)
	erpc.HandleCall(p, "/hang", func(ctx context.Context, _ *int) (*int, error) {
		<-ctx.Done()
		hung.Add(1)
		ended <- struct{}{}
		return nil, ctx.Err()
	})
	erpc.HandleCall(p, "/hung", func(ctx context.Context, n *int) (*int, error) {
		for range *n {
			select {
			case <-ended:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		got := int(hung.Load())
		return &got, nil
	})
	erpc.HandleCall(p, "/end", func(ctx context.Context, why *struct {
		Code      int32
		Msg       string
		Reconnect bool
	}) (*int, error) {
		return nil, erpc.CallCtxFrom(ctx).Session().CloseWith(erpc.NewStatus(why.Code, why.Msg), why.Reconnect)
	})
	erpc.HandleCall(p, "/cut", func(ctx context.Context, n *int) (*int, error) {
		return n, erpc.CallCtxFrom(ctx).Session().Close()
	})
}

// streamHandlers are the other ends of the streams of erpc.test.mjs.
func streamHandlers(p erpc.Peer) {
	erpc.HandleStream(p, "/stream/count", func(ctx context.Context, s *erpc.Stream[int, int]) error {
		n, err := s.Recv()
		if err != nil {
			return err
		}
		for i := range *n {
			if err := s.Send(&i); err != nil {
				return err
			}
		}
		return nil
	})
	erpc.HandleStream(p, "/stream/length", func(ctx context.Context, s *erpc.Stream[string, int]) error {
		sum := 0
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			sum += len(*m)
		}
		return s.Send(&sum)
	})
	erpc.HandleStream(p, "/stream/echo", func(ctx context.Context, s *erpc.Stream[string, string]) error {
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	erpc.HandleStream(p, "/stream/fail", func(context.Context, *erpc.Stream[int, int]) error {
		return erpc.NewStatus(1001, "bad thing", "because").Err()
	})
	release, hung := make(chan struct{}), make(chan struct{}, 1)
	erpc.HandleStream(p, "/stream/hang", func(ctx context.Context, s *erpc.Stream[string, int]) error {
		select {
		case <-ctx.Done():
			hung <- struct{}{}
			return ctx.Err()
		case <-release:
		}
		n := 0
		for _, err := range s.All() {
			if err != nil {
				return err
			}
			n++
		}
		return s.Send(&n)
	})
	erpc.HandleStream(p, "/stream/drain", func(ctx context.Context, s *erpc.Stream[string, int]) error {
		s.Drain()
		_, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	erpc.HandleStream(p, "/stream/drained", func(ctx context.Context, s *erpc.Stream[string, int]) error {
		if err := s.Send(new(int)); err != nil {
			return err
		}
		select {
		case <-s.Draining():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	erpc.HandlePush(p, "/stream/feed", func(ctx context.Context, _ *int) error {
		s, err := erpc.OpenStream[int, int](ctx, erpc.PushCtxFrom(ctx).Session(), "/client/drain")
		if err != nil {
			return err
		}
		defer s.Close()
		s.Drain()
		_, err = s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	erpc.HandleCall(p, "/stream/release", func(context.Context, *int) (*int, error) { close(release); return new(int), nil })
	erpc.HandleCall(p, "/stream/hung", func(ctx context.Context, n *int) (*int, error) {
		select {
		case <-hung:
			return n, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	erpc.HandleCall(p, "/stream/back", func(ctx context.Context, n *int) (*int, error) {
		s, err := erpc.OpenStream[int, int](ctx, erpc.CallCtxFrom(ctx).Session(), "/client/sum")
		if err != nil {
			return nil, err
		}
		defer s.Close()
		for i := range *n {
			if err := s.Send(&i); err != nil {
				return nil, err
			}
		}
		return s.CloseAndRecv()
	})
}

func TestFiles(t *testing.T) {
	for _, name := range []string{"erpc.js", "streams.js", "erpc.d.ts"} {
		b, err := js.Files.ReadFile(name)
		if err != nil || !strings.Contains(string(b), "class Stream") && name != "erpc.js" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
