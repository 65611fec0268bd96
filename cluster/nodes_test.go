package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/socket/memory"
)

// quick are options under which nodes notice everything soon.
var quick = Options{Beat: 50 * time.Millisecond, Answer: 500 * time.Millisecond, Linger: 50 * time.Millisecond}

// A world is what the nodes of a test share. Its tests run in bubbles of
// testing/synctest, where time passes only while all goroutines wait.
type world struct {
	*Memory
	network *memory.Transport // between nodes and clients
}

func newWorld() *world { return &world{NewMemory(), memory.New()} }

// newPeer returns a peer that talks in memory.
func (w *world) newPeer(t testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	t.Helper()
	cfg.Network, cfg.Transports = memory.Network, []erpc.Transport{w.network}
	return kit.Peer(t, cfg, plugins...)
}

// A testNode is a node with a server.
type testNode struct {
	*Cluster
	world  *world
	engine *MemoryEngine
	peer   erpc.Peer
	addr   string
}

func newNode(t testing.TB, w *world, cfg erpc.PeerConfig, opt Options) *testNode {
	t.Helper()
	e := w.Engine()
	return newNodeOn(t, w, cfg, opt, e, e)
}

// newNodeOn is newNode with an engine that changes what a memory engine does.
func newNodeOn(t testing.TB, w *world, cfg erpc.PeerConfig, opt Options, e Engine, on *MemoryEngine) *testNode {
	t.Helper()
	n := &testNode{Cluster: New(e, opt), world: w, engine: on}
	n.peer = w.newPeer(t, cfg, n.Cluster)
	lis, err := n.peer.ListenOn(memory.Network, "")
	check(t, err)
	n.addr = kit.StartOn(t, n.peer, lis)
	check(t, n.Start(t.Context()))
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func newNodes(t testing.TB, count int) []*testNode {
	t.Helper()
	w := newWorld()
	nodes := make([]*testNode, count)
	for i := range nodes {
		nodes[i] = newNode(t, w, erpc.PeerConfig{}, quick)
	}
	return nodes
}

// A client is a session seen from both sides.
type client struct {
	sess erpc.Session // at the node
	far  erpc.Session // at the client
	got  chan string
	gaps chan Gap
}

func (n *testNode) client(t testing.TB, name string) *client {
	t.Helper()
	c := &client{got: make(chan string, 10_000), gaps: make(chan Gap, 100)}
	p := n.world.newPeer(t, erpc.PeerConfig{})
	ordered := limit.Ordered() // the order on the wire is what is promised
	erpc.HandlePush(p, "/said", func(_ context.Context, s *string) error { c.got <- *s; return nil }, ordered)
	erpc.HandlePush(p, GapMethod, func(_ context.Context, g *Gap) error { c.gaps <- *g; return nil })
	erpc.HandleCall(p, "/double", func(_ context.Context, n *int) (*int, error) { d := 2 * *n; return &d, nil })
	c.far = kit.Open(t, p, n.addr)
	kit.Eventually(t, kit.Bound, "the session at the node", func() bool {
		n.peer.RangeSession(func(s erpc.Session) bool {
			if s.RemoteAddr().String() == c.far.LocalAddr().String() {
				c.sess = s
			}
			return c.sess == nil
		})
		return c.sess != nil
	})
	c.sess.SetID(name)
	return c
}

func (c *client) wants(t testing.TB, want ...string) {
	t.Helper()
	for _, w := range want {
		if s := kit.Await(t, "push "+w, c.got); s != w {
			t.Errorf("got %q, want %q", s, w)
		}
	}
}

// silent fails the test if something has arrived. Call it after a later push on the
// same path has arrived.
func (c *client) silent(t testing.TB) {
	t.Helper()
	select {
	case s := <-c.got:
		t.Errorf("got %q, want nothing", s)
	default:
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNodesKnowEachOther(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		for i, n := range nodes {
			kit.Eventually(t, kit.Bound, fmt.Sprintf("node %d knows the others", i), func() bool { return len(n.Nodes()) == 2 })
		}
		check(t, nodes[0].Close())
		kit.Eventually(t, kit.Bound, "a node that leaves is forgotten", func() bool { return len(nodes[1].Nodes()) == 1 })
		nodes[1].engine.SetConnected(false)
		kit.Eventually(t, kit.Bound, "a node that dies is forgotten", func() bool { return len(nodes[2].Nodes()) == 0 })
		nodes[1].engine.SetConnected(true)
		kit.Eventually(t, kit.Bound, "a node that is back is known", func() bool { return len(nodes[2].Nodes()) == 1 && len(nodes[1].Nodes()) == 1 })
	})
}

// A beat may be overtaken by one on another subject, and by the node's farewell: the
// newer one counts, for nodes and for observers.
func TestOvertakenSignsOfLifeChangeNothing(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		opt := quick
		opt.Beat = time.Hour // the next beat would repeat it
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, opt), newNode(t, w, erpc.PeerConfig{}, opt)
		o, _ := observe(t, w)
		a.Announce(Service{Name: "chat", Address: "old"})
		old := a.beat(kindBeat)
		old.node = a.Node()
		a.Announce(Service{Name: "chat", Address: "new"})
		synctest.Wait()
		late := func() {
			events{b.Cluster}.Message(b.subjectNode(b.Node()), old.encode())
			observed{o}.Message("", old.encode())
		}
		late()
		for name, services := range map[string]func(string) []Service{"node": b.Services, "observer": o.Services} {
			if got := addresses(services("chat")); !slices.Equal(got, []string{"new"}) {
				t.Errorf("the %s knows %q, want the new address", name, got)
			}
		}
		check(t, a.Close())
		synctest.Wait()
		late()
		push := &envelope{kind: kindPush, node: a.Node(), method: "/said"}
		events{b.Cluster}.Message(b.subjectAll(), push.encode())
		if got := append(addresses(b.Services("chat")), addresses(o.Services("chat"))...); len(got) > 0 || len(b.Nodes()) > 0 {
			t.Errorf("%q has %q of a node that has left", got, b.Nodes())
		}
	})
}

// A sign of life with a lower count than one that has arrived says nothing new, also if
// the later one only repeated what was known.
func TestLateAnnouncementsAreOld(t *testing.T) {
	type sign struct {
		count   uint64
		address string // "" for no service
	}
	for name, c := range map[string]struct {
		signs []sign
		want  string
	}{
		"in order":                {[]sign{{1, "a"}, {2, "b"}, {3, "c"}}, "c"},
		"after a different one":   {[]sign{{1, "a"}, {3, "c"}, {2, "b"}}, "c"},
		"after the same again":    {[]sign{{1, "a"}, {3, "a"}, {2, "b"}}, "a"},
		"after nothing again":     {[]sign{{0, ""}, {2, ""}, {1, "b"}}, ""},
		"the first is nothing":    {[]sign{{2, ""}, {1, "b"}}, ""},
		"repeated, then replaced": {[]sign{{1, "a"}, {3, "a"}, {2, "b"}, {4, "b"}}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			n := nodes{m: map[string]*node{}}
			for _, s := range c.signs {
				var offers announcement
				if s.address != "" {
					offers.Services = []Service{{Name: "chat", Address: s.address}}
				}
				_, err := n.announced(&envelope{kind: kindBeat, node: "n", count: s.count, body: offers.encode()})
				check(t, err)
			}
			if got := strings.Join(addresses(n.services("chat")), " "); got != c.want {
				t.Errorf("known are %q, want %q", got, c.want)
			}
		})
	}
}
