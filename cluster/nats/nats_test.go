package nats_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/cluster/nats/embed"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
)

func TestMain(m *testing.M) { kit.Main(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t testing.TB, cfg embed.Config) *embed.Server {
	t.Helper()
	s, err := embed.Start(cfg)
	check(t, err)
	t.Cleanup(s.Close)
	return s
}

// mesh starts n servers that all know the first one.
func mesh(t testing.TB, n int) []*embed.Server {
	t.Helper()
	servers := []*embed.Server{start(t, embed.Config{Listen: "127.0.0.1:0"})}
	for range n - 1 {
		servers = append(servers, start(t, embed.Config{Listen: "127.0.0.1:0", Routes: []string{servers[0].MeshAddr()}}))
	}
	return servers
}

type node struct {
	*cluster.Cluster
	peer erpc.Peer
	addr string
}

func newNode(t testing.TB, engine cluster.Engine) *node {
	t.Helper()
	n := &node{Cluster: cluster.New(engine, cluster.Options{Answer: 20 * time.Second})}
	n.peer, n.addr = kit.Serve(t, erpc.PeerConfig{}, n.Cluster)
	check(t, n.Start(t.Context()))
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// client opens a session with a node; what is pushed to it comes out of got.
func (n *node) client(t testing.TB) (sess erpc.Session, got chan string) {
	t.Helper()
	got = make(chan string, 10_000)
	p := kit.Peer(t, erpc.PeerConfig{})
	erpc.HandlePush(p, "/said", func(_ context.Context, s *string) error { got <- *s; return nil }, limit.Ordered())
	erpc.HandleCall(p, "/double", func(_ context.Context, n *int) (*int, error) { d := 2 * *n; return &d, nil })
	far := kit.Open(t, p, n.addr)
	kit.Eventually(t, kit.Bound, "the session at the node", func() bool {
		n.peer.RangeSession(func(s erpc.Session) bool {
			if s.RemoteAddr().String() == far.LocalAddr().String() {
				sess = s
			}
			return sess == nil
		})
		return sess != nil
	})
	return sess, got
}

// knows waits until every node knows the others.
func knows(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		kit.Eventually(t, kit.Bound, "the nodes know each other", func() bool { return len(n.Nodes()) == len(nodes)-1 })
	}
}

func TestNodesOfMesh(t *testing.T) {
	kit.NoLeaks(t)
	var nodes []*node
	for _, s := range mesh(t, 3) {
		nodes = append(nodes, newNode(t, s.Engine()))
	}
	knows(t, nodes)
	sess, got := nodes[2].client(t)
	check(t, nodes[2].SetUser(t.Context(), sess, "ann"))
	for i, n := range nodes {
		check(t, n.PushUser(t.Context(), "ann", "/said", fmt.Sprint("user ", i), cluster.Confirm()))
		check(t, n.PushSession(t.Context(), nodes[2].Address(sess), "/said", fmt.Sprint("session ", i), cluster.Confirm()))
		d, err := cluster.Call[int](t.Context(), n.Cluster, nodes[2].Address(sess), "/double", 4)
		if err != nil || *d != 8 {
			t.Errorf("call: %v, %v", d, err)
		}
	}
	for range 6 {
		kit.Await(t, "push", got)
	}
	// Without the answer of the server it would be ErrNodeGone, after a timeout.
	if err := nodes[0].PushUser(t.Context(), "nobody", "/said", "hi", cluster.Confirm()); !errors.Is(err, cluster.ErrNobody) {
		t.Errorf("push to nobody: %v, want ErrNobody", err)
	}
}

// What another node publishes after Join has returned arrives completely and in
// order, although that node is connected to another server of the mesh.
func TestPublishAfterJoinArrives(t *testing.T) {
	kit.NoLeaks(t)
	servers := mesh(t, 2)
	nodes := []*node{newNode(t, servers[0].Engine()), newNode(t, servers[1].Engine())}
	knows(t, nodes)
	sess, got := nodes[0].client(t)
	for r := range kit.Times(100, 2000) {
		room := fmt.Sprint("room ", r)
		check(t, nodes[0].Join(t.Context(), sess, room))
		for i := range 3 {
			check(t, nodes[1].Publish(t.Context(), room, "/said", fmt.Sprint(room, " ", i)))
		}
		for i := range 3 {
			if s := kit.Await(t, "push", got); s != fmt.Sprint(room, " ", i) {
				t.Fatalf("got %q as message %d of %s", s, i, room)
			}
		}
	}
}

func TestServerThatEndsIsToldAtOnce(t *testing.T) {
	kit.NoLeaks(t)
	s := start(t, embed.Config{})
	n := newNode(t, s.Engine())
	sess, _ := n.client(t)
	check(t, n.Join(t.Context(), sess, "room"))
	s.Close()
	kit.Eventually(t, kit.Bound, "the publisher learns it", func() bool {
		return errors.Is(n.Publish(t.Context(), "room", "/said", "hi"), cluster.ErrDown)
	})
	if rooms := n.Rooms(sess); len(rooms) != 1 {
		t.Errorf("the session is in %q, want its room", rooms)
	}
}

func TestMessageLargerThanServerTakesIsRefused(t *testing.T) {
	kit.NoLeaks(t)
	n := newNode(t, start(t, embed.Config{MaxPayload: 4096}).Engine())
	if err := n.Broadcast(t.Context(), "/said", string(make([]byte, 4096))); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}

func TestStartErrorsComeBack(t *testing.T) {
	kit.NoLeaks(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer taken.Close()
	for name, cfg := range map[string]embed.Config{
		"port taken":            {Listen: taken.Addr().String(), Ready: 3 * time.Second},
		"routes without listen": {Routes: []string{"127.0.0.1:1"}},
		"open without password": {Listen: "0.0.0.0:0"},
		"bad port":              {Listen: "127.0.0.1:x"},
		"no port":               {Listen: "127.0.0.1"},
	} {
		if s, err := embed.Start(cfg); err == nil {
			s.Close()
			t.Errorf("%s: the server started", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	c := cluster.New(nats.New("nats://"+taken.Addr().String()+"x"), cluster.Options{})
	kit.Peer(t, erpc.PeerConfig{}, c)
	if err := c.Start(t.Context()); err == nil {
		t.Error("it started without a server")
	}
}

// events counts the events of an engine.
type events struct {
	messages, up atomic.Int64
	nobody       chan uint64
}

func (ev *events) Message(string, []byte)                          { ev.messages.Add(1) }
func (ev *events) Stored(string, cluster.Position, uint64, []byte) {}

func (ev *events) Nobody(token uint64) { ev.nobody <- token }
func (ev *events) Dropped(string)      {}
func (ev *events) Down(error)          {}
func (ev *events) Up()                 { ev.up.Add(1) }

func TestEngineBeforeStartAndAfterClose(t *testing.T) {
	kit.NoLeaks(t)
	e := start(t, embed.Config{}).Engine()
	ev := &events{nobody: make(chan uint64, 1)}
	unusable := func(when string) {
		t.Helper()
		if err := e.Publish("a", 0, nil); !errors.Is(err, cluster.ErrDown) {
			t.Errorf("publish %s: %v", when, err)
		}
		if err := e.Subscribe(t.Context(), "a"); !errors.Is(err, cluster.ErrDown) {
			t.Errorf("subscribe %s: %v", when, err)
		}
	}
	unusable("before Start")
	check(t, e.Start(t.Context(), ev))
	if err := e.Start(t.Context(), ev); err == nil {
		t.Error("started twice")
	}
	check(t, e.Publish("a", 7, nil))
	if token := kit.Await(t, "nobody", ev.nobody); token != 7 {
		t.Errorf("token %d, want 7", token)
	}
	check(t, e.Subscribe(t.Context(), "a"))
	check(t, e.Subscribe(t.Context(), "a")) // changes nothing
	check(t, e.Publish("a", 8, []byte("x")))
	kit.Eventually(t, kit.Bound, "the message", func() bool { return ev.messages.Load() == 1 })
	check(t, e.Unsubscribe("a"))
	check(t, e.Unsubscribe("a"))
	check(t, e.Close())
	check(t, e.Close())
	unusable("after Close")
	if len(ev.nobody) > 0 || ev.messages.Load() != 1 {
		t.Errorf("%d messages, want 1; %d reports that nobody is there", ev.messages.Load(), len(ev.nobody))
	}
}

// A service that a node of a mesh announces is known to the others and to an
// observer on another server, and forgotten when the node leaves.
func TestServicesOfMesh(t *testing.T) {
	kit.NoLeaks(t)
	servers := mesh(t, 2)
	a, b := newNode(t, servers[0].Engine()), newNode(t, servers[1].Engine())
	knows(t, []*node{a, b})
	o, err := cluster.Observe(t.Context(), servers[1].Engine(), cluster.Options{}, nil)
	check(t, err)
	defer func() { check(t, o.Close()) }()
	a.Announce(cluster.Service{Name: "chat", Address: a.addr})
	for name, services := range map[string]func(string) []cluster.Service{"node": b.Services, "observer": o.Services} {
		kit.Eventually(t, kit.Bound, "the "+name+" knows the service", func() bool {
			s := services("chat")
			return len(s) == 1 && s[0].Address == a.addr && s[0].Node == a.Node()
		})
	}
	check(t, a.Close())
	kit.Eventually(t, kit.Bound, "the service is forgotten", func() bool { return len(b.Services("chat"))+len(o.Services("chat")) == 0 })
}

// A cut route between two servers is noticed: each node stays connected to its own
// server, which tells it nothing, but the nodes notice the beats that did not arrive.
func TestCutRouteIsToldAsGap(t *testing.T) {
	kit.NoLeaks(t)
	first := start(t, embed.Config{Listen: "127.0.0.1:0"})
	x := newWire(t, first.MeshAddr())
	defer func() {
		x.set(true)
		_ = x.lis.Close()
		x.wg.Wait()
	}()
	second := start(t, embed.Config{Listen: "127.0.0.1:0", Routes: []string{x.lis.Addr().String()}})
	beating := func(e cluster.Engine) *node { // fast, so that the test is short
		n := &node{Cluster: cluster.New(e, cluster.Options{Beat: 100 * time.Millisecond, Answer: 20 * time.Second})}
		n.peer, n.addr = kit.Serve(t, erpc.PeerConfig{}, n.Cluster)
		check(t, n.Start(t.Context()))
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		return n
	}
	a, b := beating(first.Engine()), beating(second.Engine())
	knows(t, []*node{a, b})
	gaps := make(chan cluster.Gap, 1000)
	got := make(chan string, 1000)
	p := kit.Peer(t, erpc.PeerConfig{})
	erpc.HandlePush(p, cluster.GapMethod, func(_ context.Context, g *cluster.Gap) error { gaps <- *g; return nil })
	erpc.HandlePush(p, "/said", func(_ context.Context, s *string) error { got <- *s; return nil })
	kit.Open(t, p, a.addr)
	var sess erpc.Session
	kit.Eventually(t, kit.Bound, "the session", func() bool {
		a.peer.RangeSession(func(s erpc.Session) bool { sess = s; return false })
		return sess != nil
	})
	check(t, a.Join(t.Context(), sess, "room"))
	check(t, b.Publish(t.Context(), "room", "/said", "before"))
	kit.Await(t, "push", got)
	kit.Eventually(t, kit.Bound, "counted beats of both nodes", func() bool { return a.Stats().Lag > 0 && b.Stats().Lag > 0 })
	check(t, b.Publish(t.Context(), "room", "/said", "counted")) // comes after that beat
	kit.Await(t, "push", got)
	for len(gaps) > 0 {
		<-gaps // a slow machine misses beats of its own
	}
	x.set(true)
	kit.Eventually(t, kit.Bound, "the nodes lose each other", func() bool { return len(a.Nodes())+len(b.Nodes()) == 0 })
	check(t, b.Publish(t.Context(), "room", "/said", "lost"))
	x.set(false)
	if g := kit.Await(t, "gap", gaps); g.Room != "room" {
		t.Errorf("told of a gap in %q, want room", g.Room)
	}
	kit.Eventually(t, kit.Bound, "a push after the cut", func() bool {
		check(t, b.Publish(t.Context(), "room", "/said", "after"))
		time.Sleep(10 * time.Millisecond)
		return len(got) > 0
	})
	if s := <-got; s != "after" {
		t.Errorf("got %q", s)
	}
}
