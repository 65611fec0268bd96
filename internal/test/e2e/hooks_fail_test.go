package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A hook that fails or panics stops the hooks behind it and the message, but
// neither the session nor the process.
func TestHookThatFails(t *testing.T) {
	type outcome struct {
		code    int32 // of the call or push, if the hook fails; 500 if it panics
		handled bool  // by the handler
		decoded bool  // the result
	}
	for hook, want := range map[string]outcome{
		"PreWriteCall":        {1001, false, false},
		"PostWriteCall":       {0, true, true}, // nothing left to stop
		"PostReadCallHeader":  {1001, false, false},
		"PreReadCallBody":     {1001, false, false},
		"PostReadCallBody":    {1001, false, false},
		"PreWriteReply":       {1001, true, false},
		"PostWriteReply":      {0, true, true},
		"PostReadReplyHeader": {1001, true, false},
		"PreReadReplyBody":    {1001, true, false},
		"PostReadReplyBody":   {1001, true, true},
		"PreWritePush":        {1001, false, false},
		"PostWritePush":       {0, true, false},
		"PostReadPushHeader":  {0, false, false},
		"PreReadPushBody":     {0, false, false},
		"PostReadPushBody":    {0, false, false},
	} {
		for _, how := range []string{"fails", "panics"} {
			t.Run(hook+" "+how, func(t *testing.T) {
				var armed atomic.Bool
				ran := make(chan string, 100)
				plugin := func(name string) erpc.Plugin {
					return kit.EveryHook(name, func(h string) *erpc.Status {
						if h != hook || !armed.Load() {
							return nil
						}
						ran <- name
						switch {
						case name != "b":
							return nil
						case how == "panics":
							panic("secret of a plugin")
						}
						return erpc.NewStatus(1001, "no")
					})
				}
				plugins := func() []erpc.Plugin { return []erpc.Plugin{plugin("a"), plugin("b"), plugin("c")} }
				var handled atomic.Int32
				srv, addr := kit.Serve(t, erpc.PeerConfig{}, plugins()...)
				erpc.HandleCall(srv, "/call", func(_ context.Context, arg *int) (*int, error) {
					handled.Add(1)
					return arg, nil
				})
				erpc.HandlePush(srv, "/push", func(context.Context, *int) error {
					handled.Add(1)
					return nil
				})
				_, sess := kit.Dial(t, addr, erpc.PeerConfig{}, plugins()...)

				armed.Store(true)
				result, code := 0, int32(0)
				if strings.Contains(hook, "Push") {
					code = sess.Push("/push", 1).Code()
				} else {
					st := sess.Call("/call", 1, &result).Status()
					if strings.Contains(fmt.Sprint(st), "secret") && !strings.Contains(hook, "ReadReply") && hook != "PreWriteCall" {
						t.Errorf("the other side was told %v", st)
					}
					code = st.Code()
				}
				wantCode := want.code
				if how == "panics" && wantCode != 0 {
					wantCode = erpc.CodeInternalServerError
				}
				if code != wantCode {
					t.Errorf("code %d, want %d", code, wantCode)
				}
				for _, name := range []string{"a", "b"} {
					if got := kit.Await(t, "the hook of "+name, ran); got != name {
						t.Errorf("the hook of %s ran, want %s", got, name)
					}
				}
				armed.Store(false)
				if st := sess.Call("/call", 2, new(int)).Status(); !st.OK() {
					t.Errorf("the session is unusable: %v", st)
				}
				wantHandled := int32(1)
				if want.handled {
					wantHandled++
				}
				kit.Eventually(t, kit.Bound, fmt.Sprintf("%d handled", wantHandled), func() bool {
					return handled.Load() >= wantHandled && srv.Handlers() == 0
				})
				if got := handled.Load(); got != wantHandled {
					t.Errorf("handled %d times, want %d", got, wantHandled)
				}
				if got := result != 0; got != want.decoded {
					t.Errorf("the result is %d", result)
				}
				if len(ran) > 0 {
					t.Errorf("the hook of %s ran after that of b had failed", <-ran)
				}
			})
		}
	}
}

// Connect hooks refuse a connection. Only plugins whose connect hooks had accepted
// it see its end.
func TestConnectHookThatFails(t *testing.T) {
	for _, hook := range []string{"PostDial", "PostAccept"} {
		for _, how := range []string{"fails", "panics", "closes"} {
			t.Run(hook+" "+how, func(t *testing.T) {
				ended := make(chan string, 10)
				plugin := func(name string) *erpc.PluginImpl {
					connect := func(s erpc.PreSession) *erpc.Status {
						if name != "b" {
							return nil
						}
						switch how {
						case "panics":
							panic("no")
						case "closes":
							return closing(t, s)
						}
						return erpc.NewStatus(erpc.CodeUnauthorized, "no")
					}
					p := &erpc.PluginImpl{PluginName: name}
					p.OnPostDisconnect = func(erpc.BaseSession) *erpc.Status {
						ended <- name
						if name == "a" {
							return erpc.NewStatus(1, "only logged")
						}
						return nil
					}
					if hook == "PostDial" {
						p.OnPostDial = func(s erpc.PreSession, _ bool) *erpc.Status { return connect(s) }
					} else {
						p.OnPostAccept = connect
					}
					return p
				}
				plugins := []erpc.Plugin{plugin("a"), plugin("b"), plugin("c")}
				var srv, cli erpc.Peer
				var addr string
				if hook == "PostDial" {
					srv, addr = kit.Serve(t, erpc.PeerConfig{})
					cli = kit.Peer(t, erpc.PeerConfig{}, plugins...)
					want := map[string]int32{"fails": erpc.CodeUnauthorized, "panics": erpc.CodeInternalServerError, "closes": erpc.CodeConnClosed}[how]
					if sess, st := cli.Dial(addr); st.Code() != want || sess != nil {
						t.Errorf("%v %v, want code %d", sess, st, want)
					}
				} else {
					srv, addr = kit.Serve(t, erpc.PeerConfig{}, plugins...)
					cli = kit.Peer(t, erpc.PeerConfig{})
					sess, st := cli.Dial(addr)
					if !st.OK() {
						t.Fatal(st)
					}
					kit.Await(t, "the end of a refused connection", sess.CloseNotify())
				}
				want := []string{"a"}
				if how == "closes" {
					want = []string{"a", "b", "c"} // all of them had accepted it
				}
				var got []string
				for range want {
					got = append(got, kit.Await(t, "the disconnect hooks", ended))
				}
				if !slices.Equal(got, want) {
					t.Errorf("disconnect hooks of %v ran, want %v", got, want)
				}
				kit.Eventually(t, kit.Bound, "no session to be left", func() bool { return srv.CountSession() == 0 && cli.CountSession() == 0 })
				if len(ended) > 0 {
					t.Errorf("the disconnect hook of %s ran too", <-ended)
				}
			})
		}
	}
}

func closing(t *testing.T, s erpc.PreSession) *erpc.Status {
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return nil
}

func TestPreDialThatFails(t *testing.T) {
	_, addr := kit.Serve(t, erpc.PeerConfig{})
	for how, want := range map[string]int32{"fails": 1001, "panics": erpc.CodeInternalServerError} {
		attempts := make(chan string, 10)
		cli := kit.Peer(t, erpc.PeerConfig{RedialTimes: 2, RedialInterval: 1}, &erpc.PluginImpl{
			PluginName: "no", OnPreDial: func(_ net.Addr, remote string) *erpc.Status {
				attempts <- remote
				if how == "panics" {
					panic("no")
				}
				return erpc.NewStatus(1001, "no")
			}})
		if _, st := cli.Dial(addr); st.Code() != want {
			t.Errorf("a hook that %s: %v", how, st)
		}
		for range 3 {
			if got := kit.Await(t, "an attempt", attempts); got != addr {
				t.Errorf("the hook saw %s", got)
			}
		}
		if len(attempts) > 0 {
			t.Error("more attempts than configured")
		}
	}
}

// An error, or a panic, of PreReadHeader ends its connection.
func TestPreReadHeaderThatFails(t *testing.T) {
	for _, how := range []string{"fails", "panics"} {
		var disarmed atomic.Bool
		srv, addr := kit.Serve(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "no", OnPreReadHeader: func(ctx erpc.PreCtx) error {
			switch {
			case disarmed.Load():
				return nil
			case how == "panics":
				panic("no")
			}
			return errors.New("no")
		}})
		path := srv.RouteCall(new(PlainAdder))[0]
		_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
		if st := sess.Call(path, []int{1}, nil).Status(); st.Code() != erpc.CodeConnClosed {
			t.Errorf("a hook that %s: %v", how, st)
		}
		kit.Await(t, "the end of the session", sess.CloseNotify())
		disarmed.Store(true)
		_, sess = kit.Dial(t, addr, erpc.PeerConfig{})
		if st := sess.Call(path, []int{1}, nil).Status(); !st.OK() {
			t.Errorf("the next connection: %v", st)
		}
	}
}

// Mistakes with plugins panic when the peer is made, with a message that names the
// plugin.
func TestPluginMistakes(t *testing.T) {
	fails := func(hook string) erpc.Plugin {
		return kit.EveryHook("p", func(h string) *erpc.Status {
			if h == hook {
				return erpc.NewStatus(1, "as asked")
			}
			return nil
		})
	}
	for name, c := range map[string]struct {
		do   func()
		want []string
	}{
		"no hook":       {func() { kit.Peer(t, erpc.PeerConfig{}, nameOnly("idle")) }, []string{`plugin "idle" (e2e.nameOnly) implements no hook`, "never be called"}},
		"no hook later": {func() { kit.Peer(t, erpc.PeerConfig{}).PluginContainer().AppendLeft(nameOnly("idle")) }, []string{`"idle"`, "implements no hook"}},
		"nil":           {func() { kit.Peer(t, erpc.PeerConfig{}, nil) }, []string{"a plugin is nil"}},
		"twice":         {func() { kit.Peer(t, erpc.PeerConfig{}, fails(""), fails("")) }, []string{`"p" is given twice`}},
		"twice, later":  {func() { kit.Peer(t, erpc.PeerConfig{}, fails("")).PluginContainer().AppendRight(fails("")) }, []string{`"p" is given twice`}},
		"pre new peer":  {func() { kit.Peer(t, erpc.PeerConfig{}, fails("PreNewPeer")) }, []string{`plugin "p"`, "before the peer is made", "as asked"}},
		"post new peer": {func() { kit.Peer(t, erpc.PeerConfig{}, fails("PostNewPeer")) }, []string{`plugin "p"`, "after the peer was made", "as asked"}},
		"post reg":      {func() { kit.Peer(t, erpc.PeerConfig{}, fails("PostReg")).RouteCall(new(PlainAdder)) }, []string{`plugin "p" refuses CALL handler /plain_adder/add`, "as asked"}},
	} {
		msg := func() (msg string) {
			defer func() { msg = fmt.Sprint(recover()) }()
			c.do()
			return
		}()
		for _, part := range c.want {
			if !strings.Contains(msg, part) {
				t.Errorf("%s: %q does not say %q", name, msg, part)
			}
		}
	}
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, fails("PostListen"))
	if err := srv.ListenAndServe(); err == nil || !strings.Contains(err.Error(), "as asked") {
		t.Errorf("a PostListen hook that fails: %v", err)
	}
}

type nameOnly string

func (n nameOnly) Name() string { return string(n) }

// A plugin may change the configuration and the plugins of a peer before it is
// made, and register routes after that.
func TestPluginsThatMakeAPeer(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, &erpc.PluginImpl{
		PluginName: "maker",
		OnPreNewPeer: func(cfg *erpc.PeerConfig, c *erpc.PluginContainer) error {
			cfg.DefaultBodyCodec = "form"
			c.AppendRight(&erpc.PluginImpl{PluginName: "added", OnPostNewPeer: func(p erpc.EarlyPeer) error {
				p.RouteCallFunc(FreeAdd)
				return nil
			}})
			return nil
		},
		OnPostNewPeer: func(p erpc.EarlyPeer) error {
			p.RouteCall(new(PlainAdder))
			return nil
		},
	})
	if got := srv.Config().DefaultBodyCodec; got != "form" {
		t.Errorf("the codec is %s", got)
	}
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for _, path := range []string{"/free_add", "/plain_adder/add"} {
		if st := sess.Call(path, []int{1}, nil).Status(); !st.OK() {
			t.Errorf("%s: %v", path, st)
		}
	}
}

// A header hook may reroute a message.
func TestHeaderHookReroutes(t *testing.T) {
	got := make(chan string, 1)
	lower := func(ctx erpc.ReadCtx) *erpc.Status {
		ctx.ResetServiceMethod(strings.ToLower(ctx.ServiceMethod()))
		return nil
	}
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "lower", OnPostReadCallHeader: lower, OnPostReadPushHeader: lower})
	srv.RouteCall(new(PlainAdder))
	srv.RoutePush(&Note{Got: got})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	var n int
	if st := sess.Call("/Plain_Adder/ADD", []int{1, 2}, &n).Status(); !st.OK() || n != 3 {
		t.Errorf("%d %v", n, st)
	}
	if st := sess.Call("/Plain_Adder/Subtract", []int{1, 2}, &n).Status(); st.Code() != erpc.CodeNotFound {
		t.Errorf("%v", st)
	}
	if st := sess.Push("/NOTE/Down", "x"); !st.OK() {
		t.Error(st)
	}
	if g := kit.Await(t, "the push", got); g != "/note/down x" {
		t.Errorf("got %s", g)
	}
}
