package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// errAround has a status for the caller, and text around it that is not.
var errAround = fmt.Errorf("order 7 of "+secret+": %w", erpc.NewStatus(1001, "no such account", "id 7").Err())

type aroundPushes struct{ erpc.PushCtx }

func (a *aroundPushes) Status(*int) *erpc.Status { return erpc.StatusFromError(errAround) }

// aroundHook fails in one hook.
func aroundHook(hook string) *erpc.PluginImpl {
	fail := func(erpc.ReadCtx) *erpc.Status { return erpc.StatusFromError(errAround) }
	p := &erpc.PluginImpl{PluginName: "fails in " + hook}
	switch hook {
	case "header":
		p.OnPostReadCallHeader = fail
	case "body":
		p.OnPreReadCallBody = fail
	case "argument":
		p.OnPostReadCallBody = fail
	case "reply":
		p.OnPreWriteReply = func(erpc.WriteCtx) *erpc.Status { return erpc.StatusFromError(errAround) }
	}
	return p
}

func aroundServer(p erpc.Peer) {
	failWith(p, errAround)
	fine := func(context.Context, *int) (*int, error) { return new(int), nil }
	for _, hook := range []string{"header", "body", "argument", "reply"} {
		erpc.HandleCall(p, "/hook/"+hook, fine, aroundHook(hook))
	}
	p.RoutePush(new(aroundPushes))
	erpc.HandlePush(p, "/push", func(context.Context, *int) error { return errAround })
	erpc.HandleStream(p, "/stream", func(context.Context, *erpc.Stream[int, int]) error { return errAround })
}

// wantAround wants st to be the status in errAround. The text around it is in log, and
// in st with detail alone.
func wantAround(t *testing.T, st *erpc.Status, detail bool, log *kit.Log) {
	t.Helper()
	if st.Code() != 1001 || st.Msg() != "no such account" || st.Cause() == nil {
		t.Fatalf("the caller gets %v", st)
	}
	if detail {
		if st.Cause().Error() != errAround.Error() {
			t.Errorf("the caller gets %v, want the text %q", st, errAround)
		}
		return
	}
	if st.Cause().Error() != "id 7" {
		t.Errorf("the caller gets %v", st)
	}
	if lines := log.Says(errAround.Error()); len(lines) != 1 || !strings.HasPrefix(lines[0], "INFO failed ") || !strings.Contains(lines[0], "method=") {
		t.Errorf("the log says %q, want a line with %q and the method", lines, errAround)
	}
}

// The text around the status of an error is in the log, and goes to the caller if that
// is asked for, whatever the handler or hook is.
func TestTextAroundAStatus(t *testing.T) {
	call := func(method string) func(context.Context, erpc.Session) *erpc.Status {
		return func(ctx context.Context, s erpc.Session) *erpc.Status {
			return s.Call(method, 1, nil, erpc.WithContext(ctx)).Status()
		}
	}
	stream := func(method string) func(context.Context, erpc.Session) *erpc.Status {
		return func(ctx context.Context, s erpc.Session) *erpc.Status {
			out, st := s.OpenStream(ctx, method)
			if !st.OK() {
				return st
			}
			return out.Status()
		}
	}
	for what, do := range map[string]func(context.Context, erpc.Session) *erpc.Status{
		"typed handler":            call("/typed"),
		"handler in order":         call("/ordered"),
		"method":                   call("/failer/status"),
		"status that is set":       call("/failer/set"),
		"function of a dispatcher": call("/func"),
		"handler of unknown calls": call("/nobody"),
		"header hook":              call("/hook/header"),
		"body hook":                call("/hook/body"),
		"argument hook":            call("/hook/argument"),
		"reply hook":               call("/hook/reply"),
		"stream":                   stream("/stream"),
		"method of streams":        stream("/failer_streams/fail"),
		"status of a stream":       stream("/failer_streams/status"),
		"upload": func(ctx context.Context, s erpc.Session) *erpc.Status {
			return erpc.StatusFromError(erpc.Transfer{}.Upload(ctx, s, "/upload", strings.NewReader("x")))
		},
	} {
		for _, detail := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, detail %v", what, detail), func(t *testing.T) {
				var log kit.Log
				srv, addr := kit.Serve(t, erpc.PeerConfig{Logger: slog.New(&log), ErrorDetail: detail})
				aroundServer(srv)
				_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
				wantAround(t, do(t.Context(), sess), detail, &log)
			})
		}
	}
}

// Nobody is told what became of a push, so the line in the log is all there is.
func TestTextAroundTheStatusOfAPush(t *testing.T) {
	for _, method := range []string{"/push", "/around_pushes/status", "/func"} {
		var log kit.Log
		srv, addr := kit.Serve(t, erpc.PeerConfig{Logger: slog.New(&log)})
		aroundServer(srv)
		_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
		if st := sess.Push(method, 1); !st.OK() {
			t.Fatal(st)
		}
		kit.Eventually(t, kit.Bound, "a line about "+method, func() bool {
			lines := log.Says(errAround.Error())
			return len(lines) == 1 && strings.HasPrefix(lines[0], "WARN push failed ")
		})
	}
}

func TestTextAroundAStatusOverHTTP(t *testing.T) {
	for _, detail := range []bool{false, true} {
		for _, method := range []string{"/typed", "/stream", "/hook/header"} {
			var log kit.Log
			p := kit.Peer(t, erpc.PeerConfig{Logger: slog.New(&log), ErrorDetail: detail})
			aroundServer(p)
			srv := httptest.NewServer(erpc.HTTPHandler(p, erpc.HTTPConfig{}))
			res, err := srv.Client().Post(srv.URL+method, "application/json", strings.NewReader("1"))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			_ = res.Body.Close() // all of it was read
			srv.Close()
			text := string(b)
			if err != nil || res.StatusCode != http.StatusInternalServerError || !strings.Contains(text, "no such account") || strings.Contains(text, secret) != detail {
				t.Errorf("%s, detail %v: %d %s %v", method, detail, res.StatusCode, text, err)
			}
			if lines := log.Says(errAround.Error()); !detail && len(lines) != 1 {
				t.Errorf("%s: the log says %q", method, log.Says(""))
			}
		}
	}
}

// Connect hooks, the closing of a session and what a client answers its server with keep
// to the same.
func TestTextAroundAStatusOfSessions(t *testing.T) {
	for _, detail := range []bool{false, true} {
		var log kit.Log
		cfg := erpc.PeerConfig{Logger: slog.New(&log), ErrorDetail: detail}
		srv, addr := kit.Serve(t, cfg, &erpc.PluginImpl{PluginName: "refuse", OnPostAccept: func(s erpc.PreSession) *erpc.Status {
			call := s.PreReceive(func(erpc.Header) any { return new(string) })
			if st := s.PreReply(call, nil, erpc.StatusFromError(errAround)); !st.OK() {
				t.Error(st)
			}
			return nil
		}})
		erpc.HandleCall(srv, "/back", func(ctx context.Context, _ *int) (*int, error) {
			return erpc.Call[int](ctx, erpc.CallCtxFrom(ctx).Session(), "/typed", 1)
		})
		erpc.HandleCall(srv, "/end", func(ctx context.Context, _ *int) (*int, error) {
			go erpc.CallCtxFrom(ctx).Session().CloseWith(erpc.StatusFromError(errAround), false)
			return new(int), nil
		})
		var answered *erpc.Status
		client := kit.Peer(t, cfg, &erpc.PluginImpl{PluginName: "ask", OnPostDial: func(s erpc.PreSession, _ bool) *erpc.Status {
			answered = s.PreCall("/hello", "x", new(string))
			return nil
		}})
		aroundServer(client)
		sess := kit.Open(t, client, addr)
		back := sess.Call("/back", 1, new(int)).Status() // the status of the client's own handler
		_ = sess.Call("/end", 1, new(int)).Status()      // it may end with the session
		kit.Await(t, "the end", sess.CloseNotify())
		var why *erpc.ClosedError
		if !errors.As(sess.Err(), &why) {
			t.Fatalf("the session ended with %v", sess.Err())
		}
		for what, st := range map[string]*erpc.Status{"a connect hook": answered, "the client's handler": back, "the end": why.Status} {
			if text := st.String(); st.Code() != 1001 || strings.Contains(text, secret) != detail {
				t.Errorf("detail %v: %s says %v", detail, what, st)
			}
		}
		if lines := log.Says("INFO failed "); !detail && len(lines) != 3 {
			t.Errorf("%d lines, want one of each: %q", len(lines), log.Says(""))
		}
	}
}

// Callers who fail in a loop cost 10 lines a second, and hide no other failures.
func TestTextAroundAStatusFloodsNoLog(t *testing.T) {
	var log kit.Log
	srv, addr := kit.Serve(t, erpc.PeerConfig{Logger: slog.New(&log)})
	aroundServer(srv)
	erpc.HandleCall(srv, "/hidden", func(context.Context, *int) (*int, error) { return nil, errInternal })
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for range 200 {
		kit.WantCode(t, "the call", sess.Call("/typed", 1, nil).Status(), 1001)
	}
	if n := len(log.Says(errAround.Error())); n < 10 || n > 100 { // 10 in each second that passes
		t.Errorf("200 calls that fail make %d lines", n)
	}
	st := sess.Call("/hidden", 1, nil).Status()
	wantText(t, st, erpc.CodeUnknownError, errInternal.Error(), false, &log)
}
