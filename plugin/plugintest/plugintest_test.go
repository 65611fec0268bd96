package plugintest_test

import (
	"context"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/binder"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/plugin/ignorecase"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/plugin/overloader"
	"github.com/goerpc/erpc/plugin/plugintest"
	"github.com/goerpc/erpc/plugin/retry"
	"github.com/goerpc/erpc/plugin/secure"
	"github.com/goerpc/erpc/plugin/stats"
	"github.com/goerpc/erpc/plugin/tps"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

func one[P erpc.Plugin](f func() P) func() []erpc.Plugin {
	return func() []erpc.Plugin { return []erpc.Plugin{f()} }
}

// Every plugin that comes with erpc fulfills the contract.
func TestOurs(t *testing.T) {
	const key = "32 random bytes, or nearly random"
	secured := one(func() *secure.Secure { return secure.NewPlugin(0, key) })
	counted := one(func() *stats.Stats { return stats.New(stats.Config{}) })
	hmacKey := func(auth.Session, string) ([]byte, bool) { return []byte(key), true }
	for name, s := range map[string]plugintest.Suite{
		"none": {},
		"acl": {Server: one(func() *acl.ACL {
			return acl.New(acl.Config{Rules: []acl.Rule{{Methods: []string{"*"}, Allow: []string{acl.Anyone}}}})
		})},
		"acl on a route": {Route: one(func() *acl.ACL {
			return acl.New(acl.Config{Rules: []acl.Rule{{Methods: []string{"*"}, Allow: []string{acl.Anyone}}}})
		})},
		"auth login": {
			Server: one(func() *auth.CheckerPlugin {
				return auth.NewLogin(auth.LoginConfig{Check: func(context.Context, auth.Session, auth.Credentials) (*auth.Identity, *erpc.Status) {
					return &auth.Identity{Name: "ann"}, nil
				}})
			}),
			Client: one(func() *auth.BearerPlugin { return auth.NewBearerPlugin(auth.Token("t")) }),
		},
		"auth hmac": {
			Server: one(func() *auth.CheckerPlugin { return auth.NewHMACChecker(auth.HMACCheckerConfig{Key: hmacKey}) }),
			Client: one(func() *auth.BearerPlugin { return auth.NewHMACBearer(auth.HMACBearerConfig{ID: "ann", Key: key}) }),
		},
		"binder": {Server: one(func() *binder.StructArgsBinder { return binder.NewStructArgsBinder(nil) })},
		"heartbeat": {
			Server: one(heartbeat.NewPong),
			Client: one(func() heartbeat.Ping { return heartbeat.NewPinger(heartbeat.PingConfig{Rate: 2 * time.Second}) }),
		},
		"ignorecase": {Server: one(ignorecase.NewIgnoreCase)},
		"limit":      {Server: one(func() *limit.Limit { return limit.Handlers(1000) }), Client: one(func() *limit.Calls { return limit.Pending(1000) })},
		"ordered":    {Route: one(limit.Ordered)},
		"rate":       {Server: one(func() *limit.Rater { return limit.NewRate(limit.Rate{Per: limit.PerIP, Limit: 1e6}) })},
		"overloader": {Server: one(func() *overloader.Overloader {
			return overloader.New(overloader.LimitConfig{MaxConn: 1000, MaxTotalQPS: 1e6, MaxInFlight: 1000})
		})},
		"retry":            {Client: one(func() *retry.Retry { return retry.New(retry.Config{}) })},
		"secure":           {Server: secured, Client: secured, Settings: []erpc.MessageSetting{secure.WithSecureMeta()}},
		"secure, in clear": {Server: secured, Client: secured},
		"stats":            {Server: counted, Client: counted},
		"tps":              {Server: one(func() *tps.TPS { return tps.NewTPS(1) })},
		"all hooks": {
			Server: one(func() *erpc.PluginImpl { return &erpc.PluginImpl{PluginName: "impl"} }),
			Client: one(func() *erpc.PluginImpl { return &erpc.PluginImpl{PluginName: "impl"} }),
		},
	} {
		t.Run(name, func(t *testing.T) { plugintest.Run(t, s) })
	}
}

// A hook can put a value into the context of the handler, for every kind of
// handler, and the next message does not see it.
func TestSetContextReachesTheHandler(t *testing.T) {
	type key struct{}
	mark := &erpc.PluginImpl{PluginName: "mark", OnPostReadCallHeader: set(key{}), OnPostReadPushHeader: set(key{})}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, mark)
	got := make(chan any, 1)
	erpc.HandleCall(srv, "/call", func(ctx context.Context, _ *int) (*int, error) {
		got <- ctx.Value(key{})
		return nil, nil
	})
	erpc.HandlePush(srv, "/push", func(ctx context.Context, _ *int) error {
		got <- ctx.Value(key{})
		return nil
	})
	srv.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		got <- ctx.Context().Value(key{})
		return nil, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	}()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	want := func(what string, v any) {
		t.Helper()
		select {
		case g := <-got:
			if g != v {
				t.Errorf("%s: the context has %v, want %v", what, g, v)
			}
		case <-time.After(plugintest.Limit):
			t.Fatalf("%s: not handled", what)
		}
	}
	for i, name := range []string{"a", "", "b", ""} {
		setting, v := erpc.WithNothing(), any(nil)
		if name != "" {
			setting, v = erpc.WithSetMeta("mark", name), name
		}
		ctx, cancel := context.WithTimeout(t.Context(), plugintest.Limit)
		for _, method := range []string{"/call", "/unknown"} {
			if st := sess.Call(method, i, nil, setting, erpc.WithContext(ctx)).Status(); !st.OK() {
				t.Error(st)
			}
			want(method, v)
		}
		cancel()
		if st := sess.Push("/push", i, setting); !st.OK() {
			t.Error(st)
		}
		want("/push", v)
	}
}

// set puts the metadata mark into the context.
func set(key any) func(erpc.ReadCtx) *erpc.Status {
	return func(ctx erpc.ReadCtx) *erpc.Status {
		if v := ctx.PeekMeta("mark"); v != nil {
			ctx.SetContext(context.WithValue(ctx.Context(), key, string(v)))
		}
		return nil
	}
}
