package proxy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
)

// to returns a function that always chooses f.
func to(f proxy.Forwarder) func(*proxy.Label) proxy.Forwarder {
	return func(*proxy.Label) proxy.Forwarder { return f }
}

// seen is what a backend received.
type seen struct {
	method, body, meta, filters string
	codec                       byte
}

// observe makes p answer every call with its own body, and report it and every
// push.
func observe(p *wiretest.Peer) <-chan seen {
	got := make(chan seen, 100)
	tell := func(ctx erpc.PushCtx, body []byte) {
		filters := ctx.(interface{ Input() erpc.Message }).Input().XferPipe().IDs()
		got <- seen{ctx.ServiceMethod(), string(body), withoutErpcs(ctx.CopyMeta().String()), string(filters), ctx.GetBodyCodec()}
	}
	p.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		tell(ctx, ctx.InputBodyBytes())
		ctx.AddMeta("r", "1")
		ctx.AddMeta("r", "2")
		return append([]byte("re:"), ctx.InputBodyBytes()...), nil
	})
	p.SetUnknownPush(func(ctx erpc.UnknownPushCtx) *erpc.Status {
		tell(ctx, ctx.InputBodyBytes())
		return nil
	})
	return got
}

func withoutErpcs(meta string) string {
	var keep []string
	for e := range strings.SplitSeq(meta, "&") {
		if !strings.HasPrefix(e, "X-Erpc-") {
			keep = append(keep, e)
		}
	}
	return strings.Join(keep, "&")
}

// TestForwards sends bodies of codecs that nobody knows, with metadata and filters,
// and expects all of it at the backend and back at the client.
func TestForwards(t *testing.T) {
	wiretest.Filters()
	backend := start(t)
	got := observe(backend)
	labels := make(chan proxy.Label, 10)
	sess := dial(t, backend.Addr)
	front := start(t, proxy.NewPlugin(func(l *proxy.Label) proxy.Forwarder {
		labels <- *l
		return sess
	}))
	cli := dial(t, front.Addr)
	const ip = "127.0.0.1"
	settings := []erpc.MessageSetting{
		erpc.WithBodyCodec(200), erpc.WithXferPipe('g', 'm'),
		erpc.WithAddMeta("k", "v1"), erpc.WithAddMeta("j", "x y"), erpc.WithAddMeta("k", "v2"),
	}
	want := seen{"/any/Method", "\x00bytes", "k=v1&j=x+y&k=v2&X-Real-IP=" + ip, "gm", 200}
	want.meta = strings.ReplaceAll(want.meta, ":", "%3A")

	var reply []byte
	cmd := cli.Call("/any/Method", []byte("\x00bytes"), &reply, settings...)
	if !cmd.StatusOK() || string(reply) != "re:\x00bytes" || cmd.InputBodyCodec() != 200 {
		t.Fatalf("%v, %q, codec %d", cmd.Status(), reply, cmd.InputBodyCodec())
	}
	if m := cmd.InputMeta().String(); m != "r=1&r=2" {
		t.Errorf("metadata of the reply %q", m)
	}
	check := func(what string) {
		g := await(t, what, got)
		g.meta, want.meta = strings.ReplaceAll(g.meta, "%20", "+"), strings.ReplaceAll(want.meta, "%20", "+")
		if g != want {
			t.Errorf("%s: the backend got\n%+v, want\n%+v", what, g, want)
		}
		l := await(t, "the label", labels)
		if l.RealIP != ip || l.ServiceMethod != "/any/Method" || l.SessionID != cli.LocalAddr().String() {
			t.Errorf("%s: label %+v", what, l)
		}
	}
	check("call")
	if st := cli.Push("/any/Method", []byte("\x00bytes"), settings...); !st.OK() {
		t.Fatal(st)
	}
	check("push")
}

// TestRealIP: an address that a client claims counts only if the client is trusted.
func TestRealIP(t *testing.T) {
	backend := wiretest.Serve(t, erpc.PeerConfig{})
	sess := dial(t, backend.Addr)
	for _, tc := range []struct {
		name  string
		cfg   proxy.Config
		claim string
		own   bool // expect the address of the connection
	}{
		{"none", proxy.Config{}, "", true},
		{"not trusted", proxy.Config{}, "9.9.9.9:9", true},
		{"trusted, none", proxy.Config{TrustRealIP: true}, "", true},
		{"trusted", proxy.Config{TrustRealIP: true}, "9.9.9.9:9", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cli := dial(t, start(t, proxy.NewPlugin(to(sess), tc.cfg)).Addr)
			want := "9.9.9.9"
			if tc.own {
				want = "127.0.0.1"
			}
			set := erpc.WithNothing()
			if tc.claim != "" {
				set = erpc.WithRealIP(tc.claim)
			}
			var got string
			if st := cli.Call("/math/real_ip", []int{}, &got, set).Status(); !st.OK() {
				t.Fatal(st)
			}
			if got != want {
				t.Errorf("the backend sees %s, want %s", got, want)
			}
		})
	}
}

// TestStatuses: the status of the backend is passed on, the status of the
// connection to it is not.
func TestStatuses(t *testing.T) {
	backend := wiretest.Serve(t, erpc.PeerConfig{})
	sess := dial(t, backend.Addr)
	cli := dial(t, start(t, proxy.NewPlugin(to(sess))).Addr)
	direct := dial(t, backend.Addr)
	for _, method := range []string{"/math/fail", "/math/fail_no_cause", "/math/nowhere", "/math/boom"} {
		got, want := cli.Call(method, []int{1}, nil).Status(), direct.Call(method, []int{1}, nil).Status()
		if string(got.AppendQuery(nil)) != string(want.AppendQuery(nil)) || want.OK() {
			t.Errorf("%s: %v, the backend itself says %v", method, got, want)
		}
	}

	if err := sess.Close(); err != nil {
		t.Fatal(err)
	}
	addr := sess.RemoteAddr().String()
	for name, p := range map[string]erpc.Plugin{
		"backend lost": proxy.NewPlugin(to(sess)),
		"no backend":   proxy.NewPlugin(to(nil)),
		"nobody":       proxy.NewPlugin(proxy.RoundRobin()),
		"shutting down": proxy.NewCallPlugin(func(*proxy.Label) proxy.CallForwarder {
			return failing{erpc.NewStatus(erpc.CodeShuttingDown, "going away")}
		}),
	} {
		cli := dial(t, start(t, p).Addr)
		st := cli.Call("/math/add", []int{1}, nil).Status()
		if st.Code() != erpc.CodeBadGateway || st.Msg() != erpc.CodeText(erpc.CodeBadGateway) {
			t.Errorf("%s: %v, want %d", name, st, erpc.CodeBadGateway)
		}
		if strings.Contains(st.String(), addr) {
			t.Errorf("%s: the client gets to see %s: %v", name, addr, st)
		}
		if !cli.Health() {
			t.Errorf("%s: the session of the client ended", name)
		}
	}
}

type failing struct{ st *erpc.Status }

func (f failing) Call(method string, arg, result any, _ ...erpc.MessageSetting) erpc.CallCmd {
	return erpc.NewFakeCallCmd(method, arg, result, f.st)
}

// TestBackendLostMidCall: a call that the backend can no longer answer ends at
// once.
func TestBackendLostMidCall(t *testing.T) {
	backend := start(t)
	entered := make(chan struct{})
	backend.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		close(entered)
		<-ctx.Context().Done()
		return nil, nil
	})
	sess := dial(t, backend.Addr)
	cli := dial(t, start(t, proxy.NewPlugin(to(sess))).Addr)
	cmd := cli.AsyncCall("/x", nil, nil, nil)
	await(t, "the backend", entered)
	if err := sess.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the call", cmd.Done())
	if cmd.Status().Code() != erpc.CodeBadGateway {
		t.Error(cmd.Status())
	}
}

// TestOnlyOneKind: a proxy of calls does not touch pushes, and vice versa.
func TestOnlyOneKind(t *testing.T) {
	backend := start(t)
	got := observe(backend)
	sess := dial(t, backend.Addr)
	calls := dial(t, start(t, proxy.NewCallPlugin(func(*proxy.Label) proxy.CallForwarder { return sess })).Addr)
	pushes := dial(t, start(t, proxy.NewPushPlugin(func(*proxy.Label) proxy.PushForwarder { return sess })).Addr)
	if st := calls.Push("/lost", nil); !st.OK() {
		t.Fatal(st)
	}
	if st := pushes.Call("/refused", nil, nil).Status(); st.Code() != erpc.CodeNotFound {
		t.Error(st)
	}
	if st := calls.Call("/call", nil, nil).Status(); !st.OK() {
		t.Error(st)
	}
	if st := pushes.Push("/push", nil); !st.OK() {
		t.Error(st)
	}
	for _, want := range []string{"/call", "/push"} {
		if g := await(t, want, got); g.method != want {
			t.Errorf("the backend got %s, want %s", g.method, want)
		}
	}
}

// TestEnds: the deadline and the cancellation of a client, and the end of its
// connection, reach the handler at the backend.
func TestEnds(t *testing.T) {
	type ctxEnd struct {
		left time.Duration // until the deadline, 0 without one
	}
	backend := start(t)
	entered, ended := make(chan ctxEnd, 1), make(chan struct{}, 1)
	let := make(chan struct{})
	defer close(let)
	backend.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		if ctx.ServiceMethod() == "/hello" {
			return nil, nil
		}
		var e ctxEnd
		if d, ok := ctx.Context().Deadline(); ok {
			e.left = time.Until(d)
		}
		entered <- e
		<-ctx.Context().Done()
		ended <- struct{}{}
		<-let // so that it is not its reply that ends the call
		return nil, nil
	})
	sess := dial(t, backend.Addr)
	front := start(t, proxy.NewPlugin(to(sess)))
	for _, tc := range []struct {
		name  string
		limit time.Duration
		end   func(cli erpc.Session, cancel func())
		code  int32
	}{
		{"deadline", 300 * time.Millisecond, nil, erpc.CodeHandleTimeout},
		{"cancel", 0, func(_ erpc.Session, cancel func()) { cancel() }, erpc.CodeCanceled},
		{"client gone", 0, func(cli erpc.Session, _ func()) { _ = cli.Close() }, erpc.CodeConnClosed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cli := dial(t, front.Addr)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.limit > 0 {
				ctx, cancel = context.WithTimeout(ctx, tc.limit)
				defer cancel()
			}
			// The answer to a call with a context comes after the message which
			// says that cancellation is understood.
			if st := cli.Call("/hello", nil, nil, erpc.WithContext(ctx)).Status(); !st.OK() {
				t.Fatal(st)
			}
			cmd := cli.AsyncCall("/wait", nil, nil, nil, erpc.WithContext(ctx))
			if e := await(t, "the backend", entered); e.left > tc.limit || (e.left <= 0) != (tc.limit == 0) {
				t.Errorf("%s are left, of %s", e.left, tc.limit)
			}
			if tc.end != nil {
				tc.end(cli, cancel)
			}
			await(t, "the end of the call", cmd.Done())
			if cmd.Status().Code() != tc.code {
				t.Errorf("%v, want code %d", cmd.Status(), tc.code)
			}
			await(t, "the end at the backend", ended)
			let <- struct{}{}
		})
	}
}
