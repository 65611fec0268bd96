package peer_test

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// headerGuard refuses what the caller's metadata does not allow, before anything
// is decoded. It counts what it has seen.
type headerGuard struct {
	calls, pushes atomic.Int32
	to            string // not "": it changes the service method
}

func (*headerGuard) Name() string { return "header guard" }

func (g *headerGuard) check(ctx session.ReadCtx) *message.Status {
	if g.to != "" {
		ctx.ResetServiceMethod(g.to)
	}
	if string(ctx.PeekMeta("who")) != "admin" {
		return message.NewStatus(message.CodeUnauthorized, "admins only")
	}
	return nil
}

func (g *headerGuard) PostReadCallHeader(ctx session.ReadCtx) *message.Status {
	g.calls.Add(1)
	return g.check(ctx)
}

func (g *headerGuard) PostReadPushHeader(ctx session.ReadCtx) *message.Status {
	g.pushes.Add(1)
	return g.check(ctx)
}

// Header hooks of a group or a route run for the methods below it and for no
// others, on every path that a message takes, and guard the handlers behind them.
func TestHeaderHooksOfARoute(t *testing.T) {
	on := memory.New()
	srv, g := newPeer(t, on, peer.Config{}), new(headerGuard)
	var served atomic.Int32
	pushed := make(chan int, 10)
	handle := func(context.Context, *int) (*int, error) { served.Add(1); return new(int), nil }
	group := srv.SubRoute("/admin", g)
	router.HandleCall(group, "/drop", handle)
	router.HandlePush(group, "/note", func(_ context.Context, n *int) error { pushed <- *n; return nil })
	router.HandleCall(srv, "/one", handle, g)
	router.HandleCall(srv, "/free", handle)
	router.HandleStream(group, "/stream", func(context.Context, *session.TypedStream[int, int]) error { return nil })
	srv.SetUnknownCall(func(session.UnknownCallCtx) (any, *message.Status) { return nil, nil })
	serve(t, srv, "a")
	s, st := newPeer(t, on, peer.Config{}).Dial("a")
	if !st.OK() {
		t.Fatal(st)
	}
	admin := message.WithSetMeta("who", "admin")
	calls := int32(0)
	for i := range 30 { // the first are handled by workers, later ones where the connection is read
		for _, method := range []string{"/admin/drop", "/one"} {
			if st := s.Call(method, i, nil).Status(); st.Code() != message.CodeUnauthorized {
				t.Fatalf("%s: %v", method, st)
			}
			if st := s.Call(method, i, nil, admin).Status(); !st.OK() {
				t.Fatalf("%s: %v", method, st)
			}
			calls += 2
		}
		for _, method := range []string{"/free", "/nothing"} {
			if st := s.Call(method, i, nil).Status(); !st.OK() {
				t.Fatalf("%s: %v", method, st)
			}
		}
	}
	if n := g.calls.Load(); n != calls || served.Load() != calls/2+30 {
		t.Errorf("the guard saw %d calls, want %d, and %d were served", n, calls, served.Load())
	}
	for st := (*message.Status)(nil); g.pushes.Load() == 0; st = s.Push("/admin/note", 1) {
		if !st.OK() {
			t.Fatal(st)
		}
		runtime.Gosched()
	}
	checkStreamGuard(t, s)
	if st := s.Push("/admin/note", 1); !st.OK() {
		t.Error(st)
	}
	if st := s.Push("/admin/note", 2, admin); !st.OK() {
		t.Error(st)
	}
	if n := receive(t, "the push", pushed); n != 2 {
		t.Errorf("push %d was served", n)
	}
}

// A header hook of a route can't redirect a message to another route and so bypass
// the hooks of that one.
func TestHeaderHookOfARouteKeepsTheRoute(t *testing.T) {
	on, log := memory.New(), new(logbook)
	srv := newPeer(t, on, peer.Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
	router.HandleCall(srv, "/a", func(context.Context, *int) (*int, error) { return new(int), nil }, &headerGuard{to: "/b"})
	serve(t, srv, "a")
	s, st := newPeer(t, on, peer.Config{}).Dial("a")
	if !st.OK() {
		t.Fatal(st)
	}
	if st := s.Call("/a", 1, nil, message.WithSetMeta("who", "admin")).Status(); st.Code() != message.CodeInternalServerError {
		t.Error(st)
	}
	if !strings.Contains(log.String(), "only a hook of the peer can do that") {
		t.Errorf("the log says %s", log)
	}
}

// In the mode for v7 programs, plugins are accepted where they have no effect, with
// a warning, and header hooks of routes do not run.
func TestIdleRouteHooks(t *testing.T) {
	on, log, g := memory.New(), new(logbook), new(headerGuard)
	srv := newPeer(t, on, peer.Config{IdleRouteHooks: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
	group := srv.SubRoute("/x", g, acceptHook(func(session.PreSession) *message.Status { return nil }))
	router.HandleCall(group, "/a", func(context.Context, *int) (*int, error) { return new(int), nil })
	serve(t, srv, "a")
	s, st := newPeer(t, on, peer.Config{}).Dial("a")
	if !st.OK() {
		t.Fatal(st)
	}
	if st := s.Call("/x/a", 1, nil).Status(); !st.OK() || g.calls.Load() != 0 {
		t.Errorf("%v; the hook was called %d times", st, g.calls.Load())
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "PostAccept") {
		t.Errorf("the log says %s", log)
	}
}

// The error of a typed Call names a method that nobody handles, and so does the
// server if the method is registered for the other kind of message; otherwise the
// reply has the same bytes as v7's.
func TestNotFoundNamesTheMethod(t *testing.T) {
	on := memory.New()
	srv := newPeer(t, on, peer.Config{})
	router.HandlePush(srv, "/only/push", func(context.Context, *int) error { return nil })
	router.HandleStream(srv, "/only/stream", func(context.Context, *session.TypedStream[int, int]) error { return nil })
	serve(t, srv, "a")
	s, st := newPeer(t, on, peer.Config{}).Dial("a")
	if !st.OK() {
		t.Fatal(st)
	}
	for _, c := range []struct{ method, typed, plain string }{
		{"/only/stream", `no handler of a CALL for "/only/stream", only one of a STREAM`, `no handler of a CALL for "/only/stream", only one of a STREAM`},
		{"/none", `the other side has no handler of a CALL for "/none"`, ""},
		{"/only/push", `no handler of a CALL for "/only/push", only one of a PUSH`, `no handler of a CALL for "/only/push", only one of a PUSH`},
		{"/" + strings.Repeat("é", 100), `the other side has no handler of a CALL for "/` + strings.Repeat("é", 63) + `…"`, ""},
	} {
		st := s.Call(c.method, 1, nil).Status()
		if st.Code() != message.CodeNotFound || st.Msg() != message.CodeText(message.CodeNotFound) || text(st.Cause()) != c.plain {
			t.Errorf("%s: %v, want %q", c.method, st, c.plain)
		}
		_, err := session.Call[int](t.Context(), s, c.method, 1)
		if st := message.FromError(err); st.Code() != message.CodeNotFound || text(st.Cause()) != c.typed {
			t.Errorf("%s: %v, want %q", c.method, err, c.typed)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// checkStreamGuard checks that a stream below a guarded group is refused.
func checkStreamGuard(t *testing.T, s session.Session) {
	t.Helper()
	for who, code := range map[string]int32{"nobody": message.CodeUnauthorized, "admin": message.CodeOK} {
		opener := s.(session.StreamOpener)
		stream, err := session.OpenStream[int, int](t.Context(), opener, "/admin/stream", message.WithSetMeta("who", who))
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		if err == io.EOF {
			err = nil
		}
		if st := message.FromError(err); st.Code() != code {
			t.Errorf("a stream of %s: %v", who, err)
		}
	}
}
