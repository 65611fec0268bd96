package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
)

// traceKey is the key under which a tracing plugin keeps its span.
type traceKey struct{}

// A strictLog checks the shape of each line, and keeps the line with its trace.
type strictLog struct {
	t testing.TB

	mu    sync.Mutex // guards the following
	lines []string   // with their attributes flattened
}

func (*strictLog) Enabled(context.Context, slog.Level) bool { return true }
func (j *strictLog) WithAttrs([]slog.Attr) slog.Handler     { return j }
func (j *strictLog) WithGroup(string) slog.Handler          { return j }

func (j *strictLog) Handle(ctx context.Context, r slog.Record) error {
	line := fmt.Sprintf("%v %s trace=%v", r.Level, r.Message, ctx.Value(traceKey{}))
	if r.PC == 0 {
		j.t.Errorf("%s: no place in the code", line)
	}
	if strings.Contains(r.Message, "code=") || strings.Contains(r.Message, "127.0.0.1") {
		j.t.Errorf("%s: an address or a status in the text", line)
	}
	seen := map[string]bool{slog.TimeKey: true, slog.LevelKey: true, slog.MessageKey: true, slog.SourceKey: true}
	r.Attrs(func(a slog.Attr) bool {
		line += j.look(line, "", a, seen)
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	return nil
}

// look returns an attribute as text, and fails the test if its shape is wrong.
func (j *strictLog) look(line, in string, a slog.Attr, seen map[string]bool) string {
	if a.Equal(slog.Attr{}) {
		return ""
	}
	if seen[a.Key] {
		j.t.Errorf("%s: the key %s%s twice", line, in, a.Key)
	}
	seen[a.Key] = true
	switch v := a.Value.Any().(type) {
	case *erpc.Status:
		if a.Key != "status" {
			j.t.Errorf("%s: a status under %s%s", line, in, a.Key)
		}
	case *erpc.StatusError:
		j.t.Errorf("%s: a status as an error under %s%s", line, in, a.Key)
	case net.Addr:
		j.t.Errorf("%s: %s%s is an address that JSON writes as %T", line, in, a.Key, v)
	}
	v := a.Value.Resolve()
	if (a.Key == "status") != (v.Kind() == slog.KindGroup && in == "" && strings.HasPrefix(v.String(), "[code=")) && in == "" && a.Key == "status" {
		j.t.Errorf("%s: %s is %v, not a group of code, msg and cause", line, a.Key, v)
	}
	if _, _, err := net.SplitHostPort(v.String()); a.Key == "remote" && err != nil {
		j.t.Errorf("%s: remote is %v", line, v)
	}
	if v.Kind() != slog.KindGroup {
		return fmt.Sprintf(" %s%s=%v", in, a.Key, v)
	}
	text, inner := "", map[string]bool{}
	for _, b := range v.Group() {
		text += j.look(line, in+a.Key+".", b, inner)
	}
	return text
}

// await waits for a line that has all of the parts.
func (j *strictLog) await(parts ...string) {
	j.t.Helper()
	kit.Eventually(j.t, kit.Bound, "a line with "+strings.Join(parts, ", "), func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, l := range j.lines {
			n := 0
			for _, p := range parts {
				if strings.Contains(l+" ", p+" ") {
					n++
				}
			}
			if n == len(parts) {
				return true
			}
		}
		return false
	})
}

// dump returns all lines, for failures.
func (j *strictLog) dump() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

// tracer is a plugin that does what a tracing plugin does: it puts a span into the
// context of the handler.
type tracer struct{}

func (tracer) Name() string { return "tracer" }

func (tracer) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status { return trace(ctx) }
func (tracer) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status { return trace(ctx) }

func trace(ctx erpc.ReadCtx) *erpc.Status {
	ctx.SetContext(context.WithValue(ctx.Context(), traceKey{}, "in"))
	return nil
}

// TestLinesHaveOneShape makes peers log everything that they log in the life of a
// session, and checks each line.
func TestLinesHaveOneShape(t *testing.T) {
	server, client := &strictLog{t: t}, &strictLog{t: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server:\n%s\nclient:\n%s", server.dump(), client.dump())
		}
	})
	login := auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		if c.Token != "good" {
			return nil, erpc.NewStatus(erpc.CodeUnauthorized, "who?", "nobody with that token")
		}
		return &auth.Identity{Name: "ann"}, nil
	}})
	rules := acl.New(acl.Config{Rules: []acl.Rule{{Methods: []string{"/secret"}, Allow: []string{"root"}}, {Methods: []string{"*"}, Allow: []string{acl.Anyone}}}})
	srv, addr := kit.Serve(t, erpc.PeerConfig{Logger: slog.New(server), PrintDetail: true, CountTime: true}, login, tracer{}, rules)
	erpc.HandleCall(srv, "/ok", func(ctx context.Context, n *int) (*int, error) {
		c := erpc.CallCtxFrom(ctx)
		c.Infof("handler of %d", *n)
		c.Log(slog.LevelInfo, "handler with attributes", slog.Any("status", erpc.NewStatus(1001, "no", "because")))
		return n, nil
	})
	erpc.HandleCall(srv, "/fails", func(context.Context, *int) (*int, error) { return nil, erpc.NewStatus(1001, "no", "because").Err() })
	erpc.HandleCall(srv, "/plain", func(context.Context, *int) (*int, error) { return nil, errors.New("disk full") })
	erpc.HandleCall(srv, "/panics", func(context.Context, *int) (*int, error) { panic("a secret") })
	erpc.HandleCall(srv, "/secret", func(context.Context, *int) (*int, error) { return nil, nil })
	erpc.HandlePush(srv, "/push/ok", func(context.Context, *int) error { return nil })
	erpc.HandlePush(srv, "/push/fails", func(context.Context, *int) error { return errors.New("not now") })
	erpc.HandleStream(srv, "/stream", func(_ context.Context, s *erpc.Stream[int, int]) error {
		n, err := s.Recv()
		if err != nil {
			return err
		}
		return s.Send(n)
	})
	cli := kit.Peer(t, erpc.PeerConfig{Logger: slog.New(client), PrintDetail: true, CountTime: true, RedialTimes: -1, RedialInterval: time.Millisecond},
		auth.NewBearerPlugin(auth.Token("good")))
	sess := kit.Open(t, cli, addr)
	client.await("INFO auth: passed trace=<nil>")
	server.await("INFO auth: passed trace=<nil>", "identity=ann")

	ctx := context.WithValue(t.Context(), traceKey{}, "out")
	for method, code := range map[string]int32{"/ok": 0, "/fails": 1001, "/plain": erpc.CodeUnknownError, "/panics": 500, "/secret": acl.CodeForbidden, "/nowhere": 404} {
		kit.WantCode(t, method, sess.Call(method, 1, nil, erpc.WithContext(ctx)).Status(), code)
	}
	server.await("INFO handler of 1 trace=in", "method=/ok", "session="+sess.LocalAddr().String(), "remote="+sess.LocalAddr().String())
	server.await("INFO handler with attributes trace=in", "method=/ok", "status.code=1001", "status.msg=no", "status.cause=because")
	server.await("CALL<- trace=in", "method=/fails", "send.status.code=1001", "send.status.cause=because")
	client.await("CALL-> trace=out", "method=/fails", "recv.status.code=1001", "remote="+addr)
	server.await("ERROR panic trace=in", "panic=a secret", "method=/panics", "where=/panics", "session="+sess.LocalAddr().String())
	server.await("WARN acl: the session may not use the method trace=in", "method=/secret", "identity=ann")
	client.await("CALL-> trace=out", "method=/nowhere", "recv.status.code=404")
	for _, method := range []string{"/push/ok", "/push/fails", "/push/nowhere"} {
		if st := sess.Push(method, 1, erpc.WithContext(ctx)); !st.OK() {
			t.Error(st)
		}
	}
	client.await("PUSH-> trace=out", "method=/push/ok")
	server.await("PUSH<- trace=in", "method=/push/ok")
	server.await("PUSH<- trace=in", "method=/push/fails", "status.code=-1", "status.cause=not now")
	server.await("WARN push failed trace=in") // one of the two; the log has one line a second with a count
	s, err := erpc.OpenStream[int, int](ctx, sess, "/stream")
	if err != nil {
		t.Fatal(err)
	}
	one := 1
	if err := s.Send(&one); err != nil {
		t.Error(err)
	}
	for _, err := range s.All() {
		if err != nil {
			t.Error(err)
		}
	}
	client.await("STREAM-> trace=out", "method=/stream", "sent=1", "received=1")
	server.await("STREAM<- trace=in", "method=/stream")

	// The connection breaks, and the client redials.
	srv.RangeSession(func(s erpc.Session) bool { return s.CloseWith(erpc.NewStatus(1009, "have a break"), true) != nil })
	server.await("DEBUG session ended trace=<nil>", "session="+sess.LocalAddr().String(), "status.code=1009")
	client.await("INFO session lost; redialing trace=<nil>", "session="+sess.ID(), "remote="+addr, "status.code=1009")
	client.await("INFO session is back trace=<nil>", "session="+sess.ID(), "remote="+addr)
	kit.WantCode(t, "a call behind the redial", sess.Call("/ok", 1, nil).Status(), 0)

	bad := kit.Peer(t, erpc.PeerConfig{Logger: slog.New(client)}, auth.NewBearerPlugin(auth.Token("bad")))
	if _, st := bad.Dial(addr); st.Code() != erpc.CodeUnauthorized {
		t.Error(st)
	}
	server.await("WARN auth: refused trace=<nil>", "status.code=401", "status.cause=nobody with that token")
	server.await("INFO connection refused trace=<nil>", "status.code=401", "also_refused=0")
	if _, st := kit.Peer(t, erpc.PeerConfig{Logger: slog.New(client), RedialTimes: 1, RedialInterval: time.Millisecond}).Dial("127.0.0.1:1"); st.Code() != erpc.CodeDialFailed {
		t.Error(st)
	}
	client.await("WARN dial failed; trying again trace=<nil>", "status.code=105", "remote=127.0.0.1:1")

	// There is no server to redial.
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	client.await("WARN redial failed; trying again trace=<nil>", "status.code=105", "attempt=1")
}
