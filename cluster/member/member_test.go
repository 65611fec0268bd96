package member_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/member"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/socket/memory"
)

func TestMain(m *testing.M) { kit.Main(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type world struct {
	*testing.T
	bus     *cluster.Memory
	network *memory.Transport
}

func (w *world) newPeer(cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	cfg.Network, cfg.Transports = memory.Network, []erpc.Transport{w.network}
	return kit.Peer(w, cfg, plugins...)
}

type node struct {
	*cluster.Cluster
	peer erpc.Peer
	addr string
}

func (w *world) newNode() *node {
	w.Helper()
	n := &node{Cluster: cluster.New(w.bus.Engine(), cluster.Options{
		Beat: 50 * time.Millisecond, Linger: time.Millisecond,
		History: []cluster.History{{Rooms: "kept", Size: 10}},
	})}
	n.peer = w.newPeer(erpc.PeerConfig{}, n.Cluster)
	n.HandleJoin(n.peer, "/join", func(_ context.Context, _ erpc.Session, room string) error {
		switch room {
		case "secret":
			return errors.New("not for you")
		case "slow":
			time.Sleep(time.Second)
		}
		return nil
	})
	lis, err := n.peer.ListenOn(memory.Network, "")
	check(w, err)
	n.addr = kit.StartOn(w, n.peer, lis)
	check(w, n.Start(w.Context()))
	w.Cleanup(func() {
		if err := n.Close(); err != nil {
			w.Error(err)
		}
	})
	return n
}

type client struct {
	rooms  *member.Rooms
	peer   erpc.Peer
	got    chan string
	afresh chan string
}

func (w *world) newClient() *client {
	w.Helper()
	c := &client{got: make(chan string, 1000), afresh: make(chan string, 100)}
	c.rooms = member.New("/join", func(room string) { c.afresh <- room })
	c.peer = w.newPeer(erpc.PeerConfig{RedialTimes: -1}, c.rooms)
	erpc.HandlePush(c.peer, "/said", func(_ context.Context, s *string) error { c.got <- *s; return nil }, limit.Ordered())
	w.Cleanup(c.rooms.Close)
	return c
}

func (c *client) wants(t testing.TB, want ...string) {
	t.Helper()
	for _, s := range want {
		if got := kit.Await(t, "push "+s, c.got); got != s {
			t.Errorf("got %q, want %q", got, s)
		}
	}
	synctest.Wait()
	if len(c.got) > 0 {
		t.Errorf("got %q too", <-c.got)
	}
}

func (n *node) says(t testing.TB, texts ...string) {
	t.Helper()
	for _, s := range texts {
		check(t, n.Publish(t.Context(), "kept", "/said", s))
		check(t, n.Publish(t.Context(), "other", "/said", "other "+s))
	}
}

// A client whose connection breaks, or that dials another node, joins again by
// itself: in a room with history it misses nothing, in other rooms it is told to
// start afresh.
func TestClientComesBackByItself(t *testing.T) {
	for name, back := range map[string]func(w *world, c *client, sess erpc.Session, from, to *node){
		"to the same node": func(w *world, _ *client, _ erpc.Session, from, _ *node) {
			from.peer.RangeSession(func(s erpc.Session) bool {
				check(w, s.CloseWith(erpc.NewStatus(erpc.CodeShuttingDown, "later"), true))
				return true
			})
		},
		"to another node": func(w *world, c *client, sess erpc.Session, _, to *node) {
			check(w, sess.Close())
			time.Sleep(time.Second)
			kit.Open(w, c.peer, to.addr)
		},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				w := &world{t, cluster.NewMemory(), memory.New()}
				a, b := w.newNode(), w.newNode()
				c := w.newClient()
				sess := kit.Open(t, c.peer, a.addr)
				check(t, c.rooms.Join(t.Context(), sess, "kept"))
				check(t, c.rooms.Join(t.Context(), sess, "other"))
				if c.rooms.Position("kept") == "" || c.rooms.Position("other") != "" {
					t.Errorf("positions %q and %q", c.rooms.Position("kept"), c.rooms.Position("other"))
				}
				b.says(t, "1", "2")
				c.wants(t, "1", "other 1", "2", "other 2")
				gone := a.peer.CountSession()
				go func() {
					for gone > 0 && a.peer.CountSession() == gone {
						time.Sleep(time.Microsecond)
					}
					b.says(t, "3", "4")
				}()
				back(w, c, sess, a, b)
				c.wants(t, "3", "4")
				if room := kit.Await(t, "start afresh", c.afresh); room != "other" {
					t.Errorf("told to start afresh in %q, want other", room)
				}
				b.says(t, "5")
				c.wants(t, "5", "other 5")
			})
		})
	}
}

func TestClientIsToldThatHistoryDoesNotReachBack(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := &world{t, cluster.NewMemory(), memory.New()}
		a, b := w.newNode(), w.newNode()
		c := w.newClient()
		sess := kit.Open(t, c.peer, a.addr)
		check(t, c.rooms.Join(t.Context(), sess, "kept"))
		check(t, sess.Close())
		for i := range 11 {
			b.says(t, fmt.Sprint(i))
		}
		kit.Open(t, c.peer, b.addr)
		if room := kit.Await(t, "start afresh", c.afresh); room != "kept" {
			t.Errorf("told to start afresh in %q, want kept", room)
		}
		b.says(t, "now")
		c.wants(t, "now")
	})
}

func TestRoomThatIsRefusedIsNotJoinedAgain(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := &world{t, cluster.NewMemory(), memory.New()}
		n := w.newNode()
		c := w.newClient()
		sess := kit.Open(t, c.peer, n.addr)
		if err := c.rooms.Join(t.Context(), sess, "secret"); err == nil {
			t.Error("a room that the node refuses was joined")
		}
		check(t, c.rooms.Join(t.Context(), sess, "kept"))
		n.says(t, "1")
		c.wants(t, "1")
		check(t, c.rooms.Leave(t.Context(), sess, "kept"))
		kit.Open(t, c.peer, n.addr)
		n.says(t, "2")
		time.Sleep(time.Second)
		c.wants(t)
		c.rooms.Close()
		if err := c.rooms.Join(t.Context(), sess, "kept"); err == nil {
			t.Error("joined after Close")
		}
	})
}

func TestHandleJoinNeedsAuthorize(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("everybody can join every room")
		}
	}()
	cluster.New(cluster.NewMemory().Engine(), cluster.Options{}).HandleJoin(nil, "/join", nil)
}

// A connection made while a first join is under way does not make the client join
// again: the client would be told to start afresh before it has begun.
func TestJoinUnderWayIsNotMadeTwice(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := &world{t, cluster.NewMemory(), memory.New()}
		n := w.newNode()
		c := w.newClient()
		sess := kit.Open(t, c.peer, n.addr)
		joined := make(chan error, 1)
		go func() { joined <- c.rooms.Join(context.Background(), sess, "slow") }()
		synctest.Wait()
		kit.Open(t, c.peer, n.addr)
		check(t, kit.Await(t, "join", joined))
		time.Sleep(5 * time.Second)
		if len(c.afresh) > 0 {
			t.Errorf("told to start afresh in %q", <-c.afresh)
		}
	})
}
