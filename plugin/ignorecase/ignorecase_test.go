package ignorecase_test

import (
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/ignorecase"
)

// TestMain looks for goroutines that a test left behind; those that kcp-go starts as
// it is imported were there before.
func TestMain(m *testing.M) { wait.Main(m) }

type Calc struct{ erpc.CallCtx }

func (*Calc) AddOne(n *int) (int, *erpc.Status) { return *n + 1, nil }

type Told struct {
	erpc.PushCtx
	got chan string
}

func (t *Told) NewsNow(s *string) *erpc.Status {
	t.got <- t.ServiceMethod() + " " + *s
	return nil
}

// TestMappings calls, and pushes to, every spelling of methods that were named by
// either mapper.
func TestMappings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		mapper erpc.ServiceMethodMapper
		call   []string
		push   []string
		own    string // the name of the push
	}{
		{"http", erpc.HTTPServiceMethodMapper,
			[]string{"/calc/add_one", "/Calc/Add_One", "/CALC/ADD_ONE"}, []string{"/told/news_now", "/TOLD/News_Now"}, "/told/news_now"},
		{"rpc", erpc.RPCServiceMethodMapper,
			[]string{"Calc.AddOne", "calc.addone", "CALC.ADDONE"}, []string{"Told.NewsNow", "told.newsNow"}, "Told.NewsNow"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := make(chan string, 1)
			cfg := erpc.PeerConfig{LocalIP: "127.0.0.1", Mapper: tc.mapper}
			srv := &wiretest.Peer{Peer: erpc.NewPeer(cfg, ignorecase.NewIgnoreCase())}
			srv.RouteCall(new(Calc))
			srv.RoutePush(&Told{got: got})
			srv.Listen(t)
			sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
			for _, method := range tc.call {
				if err := (wiretest.Call{Method: method, Arg: 1, Want: 2}).Do(sess); err != nil {
					t.Errorf("call %s: %v", method, err)
				}
			}
			for _, method := range tc.push {
				if st := sess.Push(method, "hi"); !st.OK() {
					t.Fatal(st)
				}
				if want, s := tc.own+" hi", await(t, got); s != want {
					t.Errorf("push %s: handler saw %q, want %q", method, s, want)
				}
			}
		})
	}
}

// TestSpelledAsRegistered: of two names that differ only in case, each gets its
// own messages, and the first gets those with other spellings.
func TestSpelledAsRegistered(t *testing.T) {
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, ignorecase.NewIgnoreCase())
	for _, name := range []string{"/Case", "/CASE"} {
		erpc.HandleCall(srv.Peer, name, says(name))
	}
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for method, want := range map[string]string{"/Case": "/Case", "/CASE": "/CASE", "/case": "/Case"} {
		if err := (wiretest.Call{Method: method, Want: want}).Do(sess); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestSharedByPeers: a name registered at one peer has no effect on another.
func TestSharedByPeers(t *testing.T) {
	plugin := ignorecase.NewIgnoreCase()
	other := wiretest.NewServer(t, erpc.PeerConfig{}, plugin)
	erpc.HandleCall(other.Peer, "/CASE", says("other"))
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, plugin)
	erpc.HandleCall(srv.Peer, "/Case", says("srv"))
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	if err := (wiretest.Call{Method: "/case", Want: "srv"}).Do(sess); err != nil {
		t.Error(err)
	}
}

// TestUnknown: a name that is not registered reaches the handler of unknown
// methods: a path in lower case, as with v7, any other name as it was sent.
func TestUnknown(t *testing.T) {
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, ignorecase.NewIgnoreCase())
	srv.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) { return ctx.ServiceMethod(), nil })
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for method, want := range map[string]string{"/No/Such": "/no/such", "No.Such": "No.Such"} {
		if err := (wiretest.Call{Method: method, Want: want}).Do(sess); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := (wiretest.Call{Method: "/Math/ADD", Arg: []int{1, 2}, Want: 3}).Do(sess); err != nil {
		t.Errorf("a known name as well: %v", err)
	}
}

// TestAddedLate: handlers that the plugin was not told about are found if their
// names are in lower case.
func TestAddedLate(t *testing.T) {
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	srv.PluginContainer().AppendRight(ignorecase.NewIgnoreCase())
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	if err := (wiretest.Call{Method: "/MATH/Add", Arg: []int{1, 2}, Want: 3}).Do(sess); err != nil {
		t.Error(err)
	}
	if err := (wiretest.Call{Method: "/MATH/nothing", Arg: []int{1}, Code: erpc.CodeNotFound}).Do(sess); err != nil {
		t.Error(err)
	}
}
