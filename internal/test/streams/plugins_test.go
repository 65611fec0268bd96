package streams

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/plugin/ignorecase"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/plugin/overloader"
	"github.com/goerpc/erpc/plugin/secure"
	"github.com/goerpc/erpc/plugin/stats"
	"github.com/goerpc/erpc/plugin/tps"
)

// A plugged has a server and a client with plugins, and a session between them.
type plugged struct {
	t    *testing.T
	ctx  context.Context
	srv  erpc.Peer
	sess erpc.Session
	log  *lines // of the server
}

func plug(t *testing.T, server, client []erpc.Plugin) *plugged {
	t.Helper()
	p := &plugged{t: t, log: new(lines)}
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	cfg := erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.NewTextHandler(p.log, nil))}
	p.srv = kit.Peer(t, cfg, server...)
	register(p.srv)
	registerEnds(p.srv)
	_, p.sess = kit.Dial(t, kit.Start(t, p.srv), erpc.PeerConfig{}, client...)
	return p
}

// registerEnds registers handlers that end in each way.
func registerEnds(srv erpc.Peer) {
	erpc.HandleStream(srv, "/panic", func(context.Context, *erpc.Stream[note, note]) error { panic("no") })
	erpc.HandleStream(srv, "/goexit", func(context.Context, *erpc.Stream[note, note]) error { runtime.Goexit(); return nil })
	erpc.HandleStream(srv, "/wait", func(ctx context.Context, s *erpc.Stream[note, note]) error {
		if err := s.Send(&note{}); err != nil { // so that the opener knows that it waits
			return err
		}
		<-ctx.Done()
		return context.Cause(ctx)
	})
}

// echo sends n messages over a stream, receives them back, and ends it.
func (p *plugged) echo(method string, n int, settings ...erpc.MessageSetting) error {
	p.t.Helper()
	s, err := erpc.OpenStream[note, note](p.ctx, p.sess, method, settings...)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range n {
		if err := s.Send(&note{i}); err != nil {
			return err
		}
		m, err := s.Recv()
		if err != nil {
			return err
		}
		if m.N != i {
			p.t.Errorf("%d arrived back as %d", i, m.N)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	_, err = s.Recv()
	return err
}

// waiting returns a stream whose handler is running.
func (p *plugged) waiting(ctx context.Context) *erpc.Stream[note, note] {
	p.t.Helper()
	s := open[note, note](p.t, ctx, p.sess, "/wait")
	if _, err := s.Recv(); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// ends are the ways in which a stream can end, with the codes that its two ends
// see.
var ends = []struct {
	name            string
	method          string
	end             func(p *plugged, s *erpc.Stream[note, note], cancel context.CancelFunc)
	opener, handler int32
}{
	{"the handler returns", "/echo", func(_ *plugged, s *erpc.Stream[note, note], _ context.CancelFunc) { _ = s.CloseSend() }, 0, 0},
	{"it fails", "/fail", nil, 1001, 1001},
	{"it panics", "/panic", nil, erpc.CodeInternalServerError, erpc.CodeInternalServerError},
	{"it ends its goroutine", "/goexit", nil, erpc.CodeInternalServerError, erpc.CodeInternalServerError},
	{"there is none", "/none", nil, erpc.CodeNotFound, erpc.CodeNotFound},
	{"the opener closes", "/wait", func(_ *plugged, s *erpc.Stream[note, note], _ context.CancelFunc) { _ = s.Close() }, erpc.CodeCanceled, erpc.CodeCanceled},
	{"the opener's context ends", "/wait", func(_ *plugged, _ *erpc.Stream[note, note], cancel context.CancelFunc) { cancel() }, erpc.CodeCanceled, erpc.CodeCanceled},
	{"the connection is lost", "/wait", func(p *plugged, _ *erpc.Stream[note, note], _ context.CancelFunc) {
		p.srv.RangeSession(func(s erpc.Session) bool { _ = s.Close(); return true })
	}, erpc.CodeConnClosed, erpc.CodeConnClosed},
}

// run opens the stream and ends it in that way.
func run(p *plugged, i int) {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	e := ends[i]
	s := open[note, note](p.t, ctx, p.sess, e.method)
	defer s.Close()
	if e.method == "/wait" || e.method == "/echo" {
		if e.method == "/echo" {
			_ = s.Send(&note{}) // what Recv says counts
		}
		if _, err := s.Recv(); err != nil {
			p.t.Fatal(err)
		}
	}
	if e.end != nil {
		e.end(p, s, cancel)
	}
	err := error(nil)
	for err == nil {
		_, err = s.Recv()
	}
	wantCode(p.t, "the opener", err, e.opener)
}

// PostEndStream runs once for each stream at each end, however it ends, with the
// values that the opening hooks have stored, its status and its messages.
func TestHooksOfTheEndOfAStream(t *testing.T) {
	type end struct {
		opener         bool
		method         string
		code           int32
		sent, received uint64
		mark           any
		over           bool
	}
	for i, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			seen := make(chan end, 10)
			plugin := func() []erpc.Plugin {
				return []erpc.Plugin{&erpc.PluginImpl{
					PluginName: "ends",
					OnPreWriteCall: func(ctx erpc.WriteCtx) *erpc.Status {
						ctx.Swap().Store("mark", "here")
						return nil
					},
					OnPostReadCallHeader: func(ctx erpc.ReadCtx) *erpc.Status {
						ctx.Swap().Store("mark", "there")
						return nil
					},
					OnPreWriteReply: func(ctx erpc.WriteCtx) *erpc.Status {
						if got := ctx.Output().ServiceMethod(); got != e.method {
							t.Errorf("PreWriteReply sees %q", got)
						}
						return nil
					},
					OnPostWriteReply: func(ctx erpc.WriteCtx) *erpc.Status {
						if got := ctx.Output().ServiceMethod(); got != e.method {
							t.Errorf("PostWriteReply sees %q", got)
						}
						return nil
					},
					OnPostEndStream: func(ctx erpc.StreamEndCtx) {
						mark, _ := ctx.Swap().Load("mark")
						sent, received := ctx.Counts()
						seen <- end{ctx.Opener(), ctx.ServiceMethod(), ctx.Status().Code(), sent, received, mark, ctx.Context().Err() != nil}
					},
				}}
			}
			p := plug(t, plugin(), plugin())
			run(p, i)
			here := end{true, e.method, e.opener, 0, 0, "here", true}
			there := end{false, e.method, e.handler, 0, 0, "there", true}
			switch e.method {
			case "/echo":
				here.sent, here.received, there.sent, there.received = 1, 1, 1, 1
			case "/wait":
				here.received, there.sent = 1, 1
			}
			for range 2 {
				if got := receive(t, "a hook", seen); got != here && got != there {
					t.Errorf("the hook saw %+v; want %+v or %+v", got, here, there)
				} else if got == here {
					here = end{}
				} else {
					there = end{}
				}
			}
			if err := p.srv.Close(); err != nil {
				t.Error(err)
			}
			if len(seen) > 0 {
				t.Errorf("the hook ran again: %+v", <-seen)
			}
		})
	}
}

// A stream that is not opened has an end too.
func TestHooksOfAStreamThatIsNotOpened(t *testing.T) {
	ended := make(chan int32, 10)
	refuse := false
	p := plug(t, nil, []erpc.Plugin{&erpc.PluginImpl{
		PluginName: "ends",
		OnPreWriteCall: func(erpc.WriteCtx) *erpc.Status {
			if refuse {
				return erpc.NewStatus(1003, "no")
			}
			return nil
		},
		OnPostEndStream: func(ctx erpc.StreamEndCtx) { ended <- ctx.Status().Code() },
	}})
	refuse = true
	_, err := erpc.OpenStream[note, note](p.ctx, p.sess, "/echo")
	wantCode(t, "a hook refuses it", err, 1003)
	wantCode(t, "its end", erpc.NewStatus(receive(t, "the hook", ended), "").Err(), 1003)
	refuse = false
	if err := p.sess.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = erpc.OpenStream[note, note](p.ctx, p.sess, "/echo"); err == nil {
		t.Fatal("a stream over a closed session")
	}
	if got := receive(t, "the hook", ended); got != code(err) {
		t.Errorf("the hook saw %d, OpenStream returned %v", got, err)
	}
}

// Stats count a stream as one call, with its messages, however it ends.
func TestStatsOfStreams(t *testing.T) {
	for i, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			at, from := stats.New(stats.Config{}), stats.New(stats.Config{})
			p := plug(t, []erpc.Plugin{at}, []erpc.Plugin{from})
			run(p, i)
			method := e.method
			if method == "/none" {
				method = stats.Unknown
			}
			kit.Eventually(t, bound, "the end in both counts", func() bool {
				return at.Snapshot().HandledCalls[method].Ended == 1 && from.Snapshot().Calls[e.method].Ended == 1
			})
			server, client := at.Snapshot().HandledCalls[method], from.Snapshot().Calls[e.method]
			for _, c := range []struct {
				what           string
				m              stats.Method
				code           int32
				sent, received uint64
			}{
				{"handler", server, e.handler, map[string]uint64{"/echo": 1, "/wait": 1}[e.method], map[string]uint64{"/echo": 1}[e.method]},
				{"opener", client, e.opener, map[string]uint64{"/echo": 1}[e.method], map[string]uint64{"/echo": 1, "/wait": 1}[e.method]},
			} {
				errs := uint64(0)
				if c.code != 0 {
					errs = 1
				}
				if c.m.Started != 1 || c.m.Errors != errs || c.m.Codes[c.code] != errs || c.m.Latency.Count != 1 {
					t.Errorf("%s: %+v, want one with code %d", c.what, c.m, c.code)
				}
				if c.m.MessagesSent != c.sent || c.m.MessagesReceived != c.received {
					t.Errorf("%s: %d sent and %d received, want %d and %d", c.what, c.m.MessagesSent, c.m.MessagesReceived, c.sent, c.received)
				}
			}
			if text := at.Snapshot().AppendPrometheus(nil); e.method == "/echo" && !bytes.Contains(text, []byte(`erpc_handled_calls_stream_messages_received_total{method="/echo"} 1`)) {
				t.Errorf("no message in\n%s", text)
			}
		})
	}
}

// Plugins that admit, refuse or count treat a stream as a call.
func TestPluginsTreatStreamsAsCalls(t *testing.T) {
	exhausted := func(t *testing.T, p *plugged) { // one may run, and its slot is freed however it ends
		t.Helper()
		free := func() {
			t.Helper()
			kit.Eventually(t, bound, "a place", func() bool { return errors.Is(p.echo("/echo", 1), io.EOF) })
		}
		for i, e := range ends {
			if e.name == "the connection is lost" {
				continue
			}
			free()
			run(p, i)
			first := p.waitingFree()
			wantCode(t, e.name+": a second stream", p.echo("/echo", 1), erpc.CodeExhausted)
			_ = first.Close() // it never fails
		}
		free()
	}
	for _, c := range []struct {
		name           string
		server, client func() []erpc.Plugin
		check          func(*testing.T, *plugged)
	}{
		{name: "auth", server: plugins(auth.NewLogin(auth.LoginConfig{
			Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
				if !auth.Equal(c.Token, "of ann") {
					return nil, nil
				}
				return &auth.Identity{Name: "ann"}, nil
			},
		})), client: plugins(auth.NewBearerPlugin(auth.Token("of ann"))), check: func(t *testing.T, p *plugged) {
			erpc.HandleStream(p.srv, "/whoami", func(ctx context.Context, s *erpc.Stream[note, string]) error {
				return s.Send(&auth.IdentityOf(erpc.CallCtxFrom(ctx).Session()).Name)
			})
			s := open[note, string](t, p.ctx, p.sess, "/whoami")
			if name, err := s.Recv(); err != nil || *name != "ann" {
				t.Errorf("%v, %v", name, err)
			}
		}},
		{name: "acl", server: plugins(acl.New(acl.Config{Rules: []acl.Rule{{Methods: []string{"/echo"}, Allow: []string{acl.Anyone}}}})),
			check: func(t *testing.T, p *plugged) {
				wantCode(t, "what is allowed", p.echo("/echo", 3), 0)
				wantCode(t, "what is not", p.echo("/sum", 1), erpc.CodeUnauthorized)
			}},
		{name: "limit of handlers", server: plugins(limit.Handlers(1)), check: func(t *testing.T, p *plugged) {
			first := p.waiting(p.ctx)
			_, err := open[note, note](t, p.ctx, p.sess, "/wait").Recv()
			wantCode(t, "a second one", err, erpc.CodeExhausted)
			wantCode(t, "another method", p.echo("/echo", 3), 0)
			_ = first.Close() // it never fails
			p.waitingFree()
		}},
		{name: "rate", server: plugins(limit.NewRate(limit.Rate{Limit: 0.001, Burst: 1})), check: func(t *testing.T, p *plugged) {
			wantCode(t, "the first stream, of many messages", p.echo("/echo", 50), 0)
			wantCode(t, "the second", p.echo("/echo", 1), erpc.CodeExhausted)
		}},
		{name: "overloader", server: plugins(overloader.New(overloader.LimitConfig{MaxInFlight: 1})), check: exhausted},
		{name: "overloader of a method", server: plugins(overloader.New(overloader.LimitConfig{
			MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/wait", MaxInFlight: 1}},
		})), check: func(t *testing.T, p *plugged) {
			p.waiting(p.ctx)
			_, err := open[note, note](t, p.ctx, p.sess, "/wait").Recv()
			wantCode(t, "a second one", err, erpc.CodeExhausted)
			wantCode(t, "another method", p.echo("/echo", 3), 0)
		}},
		{name: "tps", server: plugins(tps.NewTPS(1)), check: func(t *testing.T, p *plugged) {
			kit.Eventually(t, bound, "a line with a rate of streams", func() bool {
				wantCode(t, "a stream", p.echo("/echo", 1), 0)
				time.Sleep(20 * time.Millisecond) // the plugin logs once a second
				line := p.log.line("[TPS] /echo: ")
				return line != "" && !bytes.Contains([]byte(line), []byte("/echo: 0.000000"))
			})
		}},
		{name: "names in any case", server: plugins(ignorecase.NewIgnoreCase()), check: func(t *testing.T, p *plugged) {
			erpc.HandleStream(p.srv, "/Mixed/Case", func(_ context.Context, s *erpc.Stream[note, note]) error { return s.Send(&note{7}) })
			wantCode(t, "/ECHO", p.echo("/ECHO", 3), 0)
			if m, err := open[note, note](t, p.ctx, p.sess, "/mixed/cASE").Recv(); err != nil || m.N != 7 {
				t.Errorf("%v, %v", m, err)
			}
		}},
		{name: "heartbeat", server: plugins(heartbeat.NewPong()), client: plugins(heartbeat.NewPinger(heartbeat.PingConfig{Rate: 100 * time.Millisecond})),
			check: func(t *testing.T, p *plugged) {
				s := open[note, note](t, p.ctx, p.sess, "/echo")
				time.Sleep(500 * time.Millisecond) // several heartbeats while the stream is quiet
				if err := s.Send(&note{5}); err != nil {
					t.Fatal(err)
				}
				if m, err := s.Recv(); err != nil || m.N != 5 {
					t.Errorf("%v, %v", m, err)
				}
			}},
		{name: "secure", server: plugins(secure.NewPlugin(1009, "cipherkey1234567")), client: plugins(secure.NewPlugin(1009, "cipherkey1234567")),
			check: func(t *testing.T, p *plugged) {
				wantCode(t, "sealed", p.echo("/echo", 3, secure.WithSecureMeta()), 0)
			}},
		{name: "secure of v7", server: plugins(secure.NewWeakV7Plugin(1009, "cipherkey1234567")), client: plugins(secure.NewWeakV7Plugin(1009, "cipherkey1234567")),
			check: func(t *testing.T, p *plugged) {
				wantCode(t, "what nothing would encrypt", p.echo("/echo", 3, secure.WithSecureMeta()), 1009)
				wantCode(t, "in clear", p.echo("/echo", 3), 0)
				wantCode(t, "what the handler's side can't encrypt", p.echo("/echo", 3, secure.WithAcceptSecureMeta(true)), 1009)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var client []erpc.Plugin
			if c.client != nil {
				client = c.client()
			}
			c.check(t, plug(t, c.server(), client))
		})
	}
}

func plugins(p ...erpc.Plugin) func() []erpc.Plugin { return func() []erpc.Plugin { return p } }

// waitingFree is waiting that retries until there is a free slot.
func (p *plugged) waitingFree() (s *erpc.Stream[note, note]) {
	p.t.Helper()
	kit.Eventually(p.t, bound, "a place", func() bool {
		s = open[note, note](p.t, p.ctx, p.sess, "/wait")
		_, err := s.Recv()
		if err != nil {
			wantCode(p.t, "no place yet", err, erpc.CodeExhausted)
		}
		return err == nil
	})
	return s
}

// Filters apply to each message, both ways.
func TestFiltersApplyToEachMessage(t *testing.T) {
	wiretest.Filters()
	p := plug(t, nil, nil)
	erpc.HandleStream(p.srv, "/same", func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error {
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
	const size, count = 60 << 10, 10
	s, err := erpc.OpenStream[[]byte, []byte](p.ctx, p.sess, "/same", erpc.WithXferPipe('g'))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	zeros := make([]byte, size)
	for range count {
		if err := s.Send(&zeros); err != nil {
			t.Fatal(err)
		}
		if m, err := s.Recv(); err != nil || !bytes.Equal(*m, zeros) {
			t.Fatalf("%d bytes came back, %v", len(*m), err)
		}
	}
	st := p.sess.Stats()
	if most := uint64(size * count / 10); st.BytesIn > most || st.BytesOut > most {
		t.Errorf("%d bytes in and %d bytes out for %d bytes of zeros each way", st.BytesIn, st.BytesOut, size*count)
	}
}
