package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

// secretArg is the argument of handlers that get bodies of another shape.
type secretArg struct{ N int }

var errInternal = errors.New("dial tcp 10.1.2.3:5432: " + secret)

// leaks has handlers that fail with errors that callers must not see.
type leaks struct{ erpc.CallCtx }

func (l *leaks) Thrown(*int) (_ int, st *erpc.Status) {
	defer erpc.CatchStatus(&st) //lint:ignore SA1019 erpc v7's handlers throw statuses
	panic(errInternal)
}

func (l *leaks) Bind(*[]byte) (int, *erpc.Status) {
	_, err := l.CallCtx.(erpc.UnknownCallCtx).Bind(new(secretArg))
	return 0, erpc.StatusFromError(err)
}

func leakyServer(p erpc.Peer) {
	failWith(p, errInternal)
	erpc.HandleCall(p, "/wrapped", func(context.Context, *int) (*int, error) {
		return nil, fmt.Errorf("query: %w", errInternal)
	})
	erpc.HandleCall(p, "/late", func(context.Context, *int) (*int, error) {
		return nil, fmt.Errorf("%w: %w", errInternal, context.DeadlineExceeded)
	})
	erpc.HandleCall(p, "/slow", func(context.Context, *int) (*int, error) {
		time.Sleep(time.Second)
		return nil, errInternal
	})
	erpc.HandleCall(p, "/arg", func(context.Context, *secretArg) (*int, error) { return nil, nil })
	erpc.HandleCall(p, "/reply", func(context.Context, *int) (*chan secretArg, error) { return new(chan secretArg), nil })
	erpc.HandleCall(p, "/backend", func(ctx context.Context, _ *int) (*int, error) {
		_, st := erpc.CallCtxFrom(ctx).Peer().(erpc.Peer).Dial(secret)
		return nil, fmt.Errorf("backend: %w", st.Err())
	})
	erpc.HandleCall(p, "/panic", func(context.Context, *int) (*int, error) { panic(secret) })
	p.RouteCall(new(leaks))
	erpc.HandleStream(p, "/stream", func(_ context.Context, s *erpc.Stream[secretArg, int]) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		return errInternal
	})
}

var textWithID = regexp.MustCompile(`(internal error|the body can't be decoded), id ([0-9a-f]{12})`)

// The texts of handler errors, of bodies that can't be decoded and of panics stay in
// the log, however the message is handled; the caller gets the id of the line. With
// ErrorDetail it gets the text.
func TestErrorTextsStayInTheLog(t *testing.T) {
	call := func(method string, arg any) func(context.Context, erpc.Session) *erpc.Status {
		return func(ctx context.Context, s erpc.Session) *erpc.Status {
			return s.Call(method, arg, nil, erpc.WithContext(ctx)).Status()
		}
	}
	stream := func(method string, arg any) func(context.Context, erpc.Session) *erpc.Status {
		return func(ctx context.Context, s erpc.Session) *erpc.Status {
			out, st := s.OpenStream(ctx, method)
			if !st.OK() {
				return st
			}
			if err := out.Send(arg); err != nil && !errors.Is(err, io.EOF) {
				return erpc.StatusFromError(err)
			}
			return out.Status()
		}
	}
	for _, c := range []struct {
		what string
		do   func(context.Context, erpc.Session) *erpc.Status
		code int32
		says string // with ErrorDetail
	}{
		{"typed handler", call("/typed", 1), erpc.CodeUnknownError, secret},
		{"error around another", call("/wrapped", 1), erpc.CodeUnknownError, "query: dial"},
		{"error around the end of a context", call("/late", 1), erpc.CodeHandleTimeout, secret},
		{"handler in order", call("/ordered", 1), erpc.CodeUnknownError, secret},
		{"handler on a worker", call("/slow", 1), erpc.CodeUnknownError, secret},
		{"status of an error", call("/failer/status", 1), erpc.CodeUnknownError, secret},
		{"status that is set", call("/failer/set", 1), erpc.CodeUnknownError, secret},
		{"status of a caught panic", call("/leaks/thrown", 1), erpc.CodeUnknownError, secret},
		{"status of Bind", call("/leaks/bind", []byte(`{"N":"x"}`)), erpc.CodeUnknownError, "secretArg"},
		{"function of a dispatcher", call("/func", 1), erpc.CodeUnknownError, secret},
		{"handler of unknown calls", call("/unknown", 1), erpc.CodeUnknownError, secret},
		{"argument", call("/arg", map[string]string{"N": "x"}), erpc.CodeBadMessage, "secretArg"},
		{"reply", call("/reply", 1), erpc.CodeInternalServerError, "secretArg"},
		{"dial of a backend", call("/backend", 1), erpc.CodeDialFailed, secret},
		{"panic", call("/panic", 1), erpc.CodeInternalServerError, secret},
		{"batch", func(ctx context.Context, s erpc.Session) *erpc.Status {
			b := erpc.NewBatch(s)
			e := b.Call("/typed", 1, nil)
			b.Do(ctx) // its status is checked by the entry
			return e.Status()
		}, erpc.CodeUnknownError, secret},
		{"asynchronous call", func(ctx context.Context, s erpc.Session) *erpc.Status {
			cmd := s.AsyncCall("/typed", 1, nil, nil)
			<-cmd.Done()
			return cmd.Status()
		}, erpc.CodeUnknownError, secret},
		{"stream", stream("/stream", secretArg{1}), erpc.CodeUnknownError, secret},
		{"message of a stream", stream("/stream", map[string]string{"N": "x"}), erpc.CodeBadMessage, "secretArg"},
		{"method of streams", stream("/failer_streams/fail", 1), erpc.CodeUnknownError, secret},
		{"upload", func(ctx context.Context, s erpc.Session) *erpc.Status {
			return erpc.StatusFromError(erpc.Transfer{}.Upload(ctx, s, "/upload", strings.NewReader("x")))
		}, erpc.CodeUnknownError, secret},
	} {
		for _, detail := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, detail %v", c.what, detail), func(t *testing.T) {
				kit.Bubble(t, func(t *testing.T) {
					var log kit.Log
					log.Min = slog.LevelWarn
					network := memory.New()
					on := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{network}}
					cfg := on
					cfg.Logger, cfg.ErrorDetail = slog.New(&log), detail
					server := kit.Peer(t, cfg)
					leakyServer(server)
					lis, err := server.ListenOn(memory.Network, "")
					if err != nil {
						t.Fatal(err)
					}
					s := kit.Open(t, kit.Peer(t, on), kit.StartOn(t, server, lis))
					for range 12 { // first on workers, then inline
						st := c.do(t.Context(), s)
						wantText(t, st, c.code, c.says, detail, &log)
						time.Sleep(time.Second) // to allow another log line
					}
				})
			})
		}
	}
}

// wantText checks that st has code and, with detail, the text says; else the id of
// a log line with the text.
func wantText(t *testing.T, st *erpc.Status, code int32, says string, detail bool, log *kit.Log) {
	t.Helper()
	text := st.String()
	if st.Cause() != nil {
		text = st.Msg() + " " + st.Cause().Error()
	}
	if st.Code() != code {
		t.Fatalf("%v, want code %d", st, code)
	}
	if detail {
		if !strings.Contains(text, says) {
			t.Fatalf("%s, want %q in it", text, says)
		}
		return
	}
	id := textWithID.FindStringSubmatch(text)
	if strings.Contains(text, says) || strings.Contains(text, secret) || strings.Contains(text, "10.1.2.3") || id == nil {
		t.Fatalf("the caller gets %s", text)
	}
	lines := log.Says("id=" + id[2])
	if len(lines) != 1 || !strings.Contains(lines[0], says) {
		t.Fatalf("%s: the log says %q, want a line with %q", text, lines, says)
	}
}

// The same over HTTP, for stock clients and streams.
func TestErrorTextsStayInTheLogOverHTTP(t *testing.T) {
	for _, detail := range []bool{false, true} {
		var log kit.Log
		log.Min = slog.LevelWarn
		p := kit.Peer(t, erpc.PeerConfig{Logger: slog.New(&log), ErrorDetail: detail})
		leakyServer(p)
		srv := httptest.NewServer(erpc.HTTPHandler(p, erpc.HTTPConfig{}))
		defer srv.Close()
		for _, c := range []struct{ method, path, body, says string }{
			{http.MethodPost, "/typed", "1", secret},
			{http.MethodPost, "/arg", `{"N":"x"}`, "secretArg"},
			{http.MethodPost, "/panic", "1", secret},
			{http.MethodGet, "/typed", "", secret},
			{http.MethodPost, "/stream", `{"N":1}`, secret},
			{http.MethodPost, "/stream", `{"N":"x"}`, "secretArg"},
		} {
			req, err := http.NewRequest(c.method, srv.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			_ = res.Body.Close() // all of it was read
			if err != nil || res.StatusCode < 400 {
				t.Fatalf("%s: %d %q %v", c.path, res.StatusCode, b, err)
			}
			text := string(b)
			id := textWithID.FindStringSubmatch(text)
			switch {
			case detail && !strings.Contains(text, c.says):
				t.Errorf("%s: with detail %s", c.path, text)
			case !detail && (strings.Contains(text, c.says) || id == nil || len(log.Says("id="+id[2])) != 1):
				t.Errorf("%s: %s", c.path, text)
			}
		}
	}
}

// A handler's own statuses are sent unchanged, and the number of log lines is
// bounded however many calls fail.
func TestStatusesOfHandlersAreSentAsTheyAre(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		var log kit.Log
		log.Min = slog.LevelWarn
		network := memory.New()
		on := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{network}}
		cfg := on
		cfg.Logger = slog.New(&log)
		server := kit.Peer(t, cfg)
		leakyServer(server)
		meant := erpc.NewStatus(1001, "no such account", errInternal)
		returns := map[int]error{
			1: meant.Err(), 2: fmt.Errorf("load: %w", meant.Err()), 3: context.Canceled,
			4: erpc.NewStatus(1001, "no such account", errInternal).HideCause().Err(),
			5: erpc.NewStatusByCodeText(erpc.CodeUnknownError, errInternal, false).Err(),
		}
		erpc.HandleCall(server, "/meant", func(_ context.Context, n *int) (*int, error) { return nil, returns[*n] })
		lis, err := server.ListenOn(memory.Network, "")
		if err != nil {
			t.Fatal(err)
		}
		s := kit.Open(t, kit.Peer(t, on), kit.StartOn(t, server, lis))
		for n, want := range map[int]string{
			1: meant.String(), 2: meant.String(), 3: `code=499 msg="Canceled" cause="context canceled"`,
			5: erpc.NewStatus(erpc.CodeUnknownError, "Unknown Error", errInternal).String(),
		} {
			if st := s.Call("/meant", n, nil).Status(); st.String() != want {
				t.Errorf("%d: %v, want %s", n, st, want)
			}
		}
		if lines := log.Says(""); len(lines) > 0 {
			t.Errorf("the log says %q", lines)
		}
		hidden := s.Call("/meant", 4, nil).Status()
		if hidden.Msg() != "no such account" {
			t.Errorf("%v, want its own message", hidden)
		}
		wantText(t, hidden, 1001, secret, false, &log)

		time.Sleep(time.Second)
		before := len(log.Says(""))
		var without int
		for range 500 {
			if st := s.Call("/typed", 1, nil).Status(); textWithID.FindString(st.String()) == "" {
				without++
			}
		}
		if n := len(log.Says("")) - before; n != 10 || without != 490 {
			t.Errorf("500 calls that fail at once make %d lines, and %d of them have no id; want 10 and 490", n, without)
		}
		time.Sleep(time.Second)
		s.Call("/typed", 1, nil)
		if len(log.Says("left_out=490")) != 1 {
			t.Error("the next line does not say how many were left out")
		}
	})
}

// The log record of a call has the text, however many calls fail.
func TestErrorTextsAreInTheRecordOfACall(t *testing.T) {
	var log kit.Log
	server, addr := kit.Serve(t, erpc.PeerConfig{Logger: slog.New(&log), CountTime: true})
	leakyServer(server)
	_, s := kit.Dial(t, addr, erpc.PeerConfig{})
	const calls = 30
	for range calls {
		s.Call("/typed", 1, nil)
	}
	kit.Eventually(t, kit.Bound, "the records", func() bool { return len(log.Says("CALL<-")) == calls })
	for _, line := range log.Says("CALL<-") {
		if !strings.Contains(line, secret) {
			t.Fatalf("%q, want the text of the error", line)
		}
	}
}

// A connect hook that answers, and a session that is closed with a reason, keep causes
// hidden as handlers do, with and without ErrorDetail.
func TestErrorTextsOfHooksAndClosings(t *testing.T) {
	for _, detail := range []bool{false, true} {
		var log kit.Log
		refuse := &erpc.PluginImpl{PluginName: "refuse", OnPostAccept: func(s erpc.PreSession) *erpc.Status {
			call := s.PreReceive(func(erpc.Header) any { return new(string) })
			if st := s.PreReply(call, nil, erpc.StatusFromError(errInternal)); !st.OK() {
				t.Error(st)
			}
			return nil
		}}
		srv, addr := kit.Serve(t, erpc.PeerConfig{ErrorDetail: detail, Logger: slog.New(&log)}, refuse)
		erpc.HandleCall(srv, "/end", func(ctx context.Context, _ *int) (*int, error) {
			s := erpc.CallCtxFrom(ctx).Session()
			go s.CloseWith(erpc.StatusFromError(errInternal), false)
			return new(int), nil
		})
		var answered *erpc.Status
		ask := &erpc.PluginImpl{PluginName: "ask", OnPostDial: func(s erpc.PreSession, _ bool) *erpc.Status {
			answered = s.PreCall("/hello", "x", new(string))
			return nil
		}}
		_, sess := kit.Dial(t, addr, erpc.PeerConfig{}, ask)
		if told := strings.Contains(answered.String(), secret); told != detail || answered.OK() {
			t.Errorf("detail %v: the hook answers %v", detail, answered)
		}
		ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
		for range 2 { // the first proves that the other side is erpc
			_, _ = erpc.Call[int](ctx, sess, "/end", 1) // it may end with the session
		}
		kit.Await(t, "the end", sess.CloseNotify())
		cancel()
		var why *erpc.ClosedError
		if !errors.As(sess.Err(), &why) || strings.Contains(why.Error(), secret) != detail {
			t.Errorf("detail %v: the session ended with %v", detail, sess.Err())
		}
		if !detail && len(log.Says(secret)) < 2 {
			t.Errorf("the log has the text in %q, want a line of the hook and one of the closing", log.Says(secret))
		}
	}
}
