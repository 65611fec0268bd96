package acl_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// identities are what the tokens of the tests stand for; the empty token means a
// session without an identity.
var identities = map[string]*auth.Identity{
	"ann": {Name: "ann", Roles: []string{"admin"}},
	"bob": {Name: "bob"},
	"":    nil,
}

// login lets everybody in, and sets the identity of clients that have one.
func login() erpc.Plugin {
	return auth.NewCheckerPlugin(func(sess auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
		var name string
		if st := receive(&name); !st.OK() {
			return nil, st
		}
		if id := identities[name]; id != nil {
			auth.SetIdentity(sess, id)
		}
		return "pass", nil
	}, erpc.WithBodyCodec('s'))
}

var rules = acl.Config{Rules: []acl.Rule{
	{Methods: []string{"/public/*"}, Allow: []string{acl.Anyone}},
	{Methods: []string{"/admin/*"}, Allow: []string{"role:admin"}},
	{Methods: []string{"/bobs"}, Allow: []string{"bob"}},
	{Methods: []string{"/closed"}},
	{Methods: []string{"/shared/*"}, Allow: []string{acl.Authenticated}},
}}

// The table says who may use what. It holds for calls and pushes, and whether the
// peer has the plugin or each route has it.
func TestWhoMayUseWhat(t *testing.T) {
	const ok, unauthorized, forbidden = 0, erpc.CodeUnauthorized, acl.CodeForbidden
	table := []struct {
		method         string
		ann, bob, none int32
	}{
		{"/public/news", ok, ok, ok},
		{"/admin/drop", ok, forbidden, unauthorized},
		{"/bobs", forbidden, ok, unauthorized},
		{"/closed", forbidden, forbidden, unauthorized},
		{"/shared/list", ok, ok, unauthorized},
		{"/without/rule", forbidden, forbidden, unauthorized},
		{"/Admin/drop", forbidden, forbidden, unauthorized}, // case matters
	}
	for _, place := range []string{"peer", "route"} {
		t.Run(place, func(t *testing.T) {
			a := acl.New(rules)
			all, ofRoute := []erpc.Plugin{login(), a}, []erpc.Plugin(nil)
			if place == "route" {
				all, ofRoute = all[:1], all[1:]
			}
			srv := wiretest.NewServer(t, erpc.PeerConfig{}, all...)
			pushed := make(chan string, len(table))
			for _, row := range table {
				erpc.HandleCall(srv.Peer, row.method, func(context.Context, *int) (*int, error) { return nil, nil }, ofRoute...)
				erpc.HandlePush(srv.Peer, row.method, func(context.Context, *int) error {
					pushed <- row.method
					return nil
				}, ofRoute...)
			}
			srv.Listen(t)
			refused := uint64(0)
			for name := range identities {
				sess := wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token(name), erpc.WithBodyCodec('s'))).MustDial(t, srv.Addr)
				for _, row := range table {
					want := map[string]int32{"ann": row.ann, "bob": row.bob, "": row.none}[name]
					if st := sess.Call(row.method, 1, nil).Status(); st.Code() != want {
						t.Errorf("%q calls %s: %v, want code %d", name, row.method, st, want)
					}
					if st := sess.Push(row.method, 1); !st.OK() {
						t.Fatal(st)
					}
					var got string
					for end := time.Now().Add(wiretest.Limit); got == "" && a.Refused() < refused+2 && time.Now().Before(end); {
						select {
						case got = <-pushed:
						case <-time.After(time.Millisecond): // it was refused, perhaps
						}
					}
					if want != ok {
						refused += 2
					}
					if (got != "") != (want == ok) {
						t.Errorf("%q pushes to %s: it was handled: %t, want %t", name, row.method, got != "", want == ok)
					}
				}
			}
			if a.Refused() != refused {
				t.Errorf("%d were refused, want %d", a.Refused(), refused)
			}
		})
	}
}

// The rules can be replaced at any time, but only by valid ones.
func TestUpdate(t *testing.T) {
	cfg := acl.Config{Rules: []acl.Rule{{Methods: []string{"/math/*"}, Allow: []string{acl.Anyone}}}}
	a := acl.New(cfg)
	srv := wiretest.Serve(t, erpc.PeerConfig{}, a)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	add := func() int32 { return sess.Call("/math/add", []int{1}, nil).Status().Code() }
	if c := add(); c != erpc.CodeOK {
		t.Errorf("code %d", c)
	}
	cfg.Rules[0].Allow[0] = "nobody" // the plugin works on a copy
	if c := add(); c != erpc.CodeOK {
		t.Errorf("after a change of the rules that New was given: code %d", c)
	}
	if err := a.Update(acl.Config{}); err == nil {
		t.Error("Update accepted a configuration without rules")
	}
	if c := add(); c != erpc.CodeOK {
		t.Errorf("after rules that were refused: code %d", c)
	}
	if err := a.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if c := add(); c != erpc.CodeUnauthorized {
		t.Errorf("after an update: code %d", c)
	}
}

func TestHeartbeatsPass(t *testing.T) {
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, acl.New(rules), heartbeat.NewPong())
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	if st := sess.Call(heartbeat.ServiceMethod, nil, nil).Status(); !st.OK() {
		t.Error(st)
	}
}

func TestMistakesMakeNoPeerAndNoHandler(t *testing.T) {
	for want, cfg := range map[string]acl.Config{
		"no rules":           {},
		"no methods":         {Rules: []acl.Rule{{Allow: []string{"ann"}}}},
		"only be at the end": {Rules: []acl.Rule{{Methods: []string{"/a*/b"}}}},
		"not a method":       {Rules: []acl.Rule{{Methods: []string{""}}}},
		"a role that is emp": {Rules: []acl.Rule{{Methods: []string{"/a"}, Allow: []string{"role:"}}}},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		panics := func(what string, f func()) {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: %s was made", want, what)
				}
			}()
			f()
		}
		panics("a peer", func() { erpc.NewPeer(erpc.PeerConfig{}, acl.New(cfg)) })
		panics("a handler", func() {
			p := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)})
			defer p.Close()
			erpc.HandleCall(p, "/x", func(context.Context, *int) (*int, error) { return nil, nil }, acl.New(cfg))
		})
	}
}
