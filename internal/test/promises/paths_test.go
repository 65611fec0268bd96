package promises

import (
	"context"
	"fmt"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/mux"
	"github.com/goerpc/erpc/socket/websocket"
)

// A wire carries the messages of a path.
type wire struct {
	name string
	cfg  func() erpc.PeerConfig
	mux  bool // the server's listener is that of a mux
}

var wires = []wire{
	{name: "raw", cfg: over(rawproto.NewRawProtoFunc())},
	{name: "json", cfg: over(jsonproto.NewJSONProtoFunc())},
	{name: "pb", cfg: over(pbproto.NewPbProtoFunc())},
	{name: "thrift", cfg: over(thriftproto.NewBinaryProtoFunc())},
	{name: "http", cfg: over(httproto.NewHTTProtoFunc())},
	{name: "ws", cfg: func() erpc.PeerConfig {
		return erpc.PeerConfig{
			Network: "ws", ProtoFunc: jsonproto.NewSubProtoFunc(),
			Transports: []erpc.Transport{websocket.Transport{Config: websocket.Config{Messages: true}}},
		}
	}},
	{name: "mux", cfg: over(rawproto.NewRawProtoFunc()), mux: true},
}

func over(pf erpc.ProtoFunc) func() erpc.PeerConfig {
	return func() erpc.PeerConfig { return erpc.PeerConfig{ProtoFunc: pf} }
}

// A way is how a message gets to its handler, and where the handler runs.
type way struct {
	name string
	// route is a plugin of the handler, or nil.
	route erpc.Plugin
	// warm makes the handler run often and fast first, so that it runs inline.
	warm bool
	// redialed replaces the connection first.
	redialed bool
}

var inOrder = limit.Ordered()

var ways = []way{
	{name: "first message"},
	{name: "inline", warm: true},
	{name: "in order", route: inOrder},
	{name: "after a redial", redialed: true},
}

// A form is how a program calls.
type form struct {
	name string
	do   func(s erpc.Session, method string, arg, result any, set ...erpc.MessageSetting) *erpc.Status
}

var forms = []form{
	{"call", func(s erpc.Session, method string, arg, result any, set ...erpc.MessageSetting) *erpc.Status {
		return s.Call(method, arg, result, set...).Status()
	}},
	{"async", func(s erpc.Session, method string, arg, result any, set ...erpc.MessageSetting) *erpc.Status {
		return s.AsyncCall(method, arg, result, nil, set...).Status() // waits for the end
	}},
	{"batch", func(s erpc.Session, method string, arg, result any, set ...erpc.MessageSetting) *erpc.Status {
		b := erpc.NewBatch(s)
		e := b.Call(method, arg, result, set...)
		ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
		defer cancel()
		_ = b.Do(ctx) // the entry has its own status
		return e.Status()
	}},
}

// A rig is two peers with a session between them. near is the side that calls;
// far has the handlers.
type rig struct {
	near    erpc.Session
	far     erpc.Peer
	fromFar erpc.Session // the same session on the handlers' side
}

// newRig connects two peers over w. With reversed, the side that accepted the
// connection calls. handlers configures the other side.
func newRig(t *testing.T, w wire, reversed bool, handlers func(*erpc.PeerConfig), plugins ...erpc.Plugin) *rig {
	t.Helper()
	r := new(rig)
	scfg, ccfg := w.cfg(), w.cfg()
	scfg.DefaultBodyCodec, ccfg.DefaultBodyCodec = "json", "json"
	scfg.ListenAddress = "127.0.0.1:0"
	ccfg.RedialTimes = -1
	target := &scfg
	if reversed {
		target = &ccfg
	}
	if handlers != nil {
		handlers(target)
	}
	var sp, cp []erpc.Plugin
	if reversed {
		cp = plugins
	} else {
		sp = plugins
	}
	server, client := kit.Peer(t, scfg, sp...), kit.Peer(t, ccfg, cp...)
	addr := serve(t, w, server)
	sess := kit.Open(t, client, addr)
	if st := sess.Call("/nowhere", 1, nil).Status(); st.Code() != erpc.CodeNotFound { // so the server has its session
		t.Fatalf("the first call: %v", st)
	}
	r.near, r.far = sess, server
	r.fromFar = only(t, server)
	if reversed {
		r.near, r.fromFar, r.far = r.fromFar, sess, client
	}
	return r
}

// serve lets p serve until the end of the test.
func serve(t *testing.T, w wire, p erpc.Peer) (addr string) {
	t.Helper()
	lis, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if !w.mux {
		return kit.StartOn(t, p, lis)
	}
	m := mux.New(lis, mux.Config{})
	raw := m.Match(mux.Raw) // before Serve, which uses the rules
	ended := make(chan error, 1)
	go func() { ended <- m.Serve() }()
	t.Cleanup(func() {
		_ = m.Close() // the peer may have closed the listener
		_ = kit.Await(t, "the end of the mux", ended)
	})
	kit.StartOn(t, p, raw)
	return lis.Addr().String()
}

// only returns the single session of a peer.
func only(t *testing.T, p erpc.Peer) (sess erpc.Session) {
	t.Helper()
	kit.Eventually(t, kit.Bound, "one session", func() bool {
		sess = nil
		p.RangeSession(func(s erpc.Session) bool { sess = s; return true })
		return sess != nil && p.CountSession() == 1
	})
	return sess
}

// prepare brings the route into the state that w requires; quick is a handler that
// it can warm up.
func (r *rig) prepare(w way, quick string) error {
	if w.warm {
		for range 100 {
			st := r.near.Call(quick, 1, new(int)).Status()
			if !st.OK() {
				return fmt.Errorf("warming up: %v", st)
			}
		}
	}
	return nil
}
