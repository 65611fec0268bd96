package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

func TestPublishReachesMembersOnAllNodes(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		a, b, stranger := nodes[0].client(t, "a"), nodes[1].client(t, "b"), nodes[1].client(t, "stranger")
		check(t, nodes[0].Join(t.Context(), a.sess, "room"))
		check(t, nodes[0].Join(t.Context(), a.sess, "room")) // changes nothing
		check(t, nodes[1].Join(t.Context(), b.sess, "room"))
		check(t, nodes[1].Join(t.Context(), stranger.sess, "other"))
		check(t, nodes[2].Publish(t.Context(), "room", "/said", "1"))
		check(t, nodes[0].Publish(t.Context(), "room", "/said", "2", Except(nodes[0].Address(a.sess))))
		check(t, nodes[0].Publish(t.Context(), "room", "/said", "3"))
		a.wants(t, "1", "3")
		b.wants(t, "1", "2", "3")
		if !nodes[0].Leave(a.sess, "room") || nodes[0].Leave(a.sess, "room") {
			t.Error("Leave reports the wrong result")
		}
		check(t, nodes[2].Publish(t.Context(), "room", "/said", "4"))
		check(t, nodes[2].Broadcast(t.Context(), "/said", "end"))
		b.wants(t, "4", "end")
		a.wants(t, "end")
		stranger.wants(t, "end")
		if err := nodes[0].Join(t.Context(), a.sess, ""); err == nil {
			t.Error("a room without a name can be joined")
		}
	})
}

// countingCodec counts its calls of Marshal.
type countingCodec struct {
	codec.JSONCodec
	n *int
}

// countEncodings registers the codec, once for all runs of the test.
var countEncodings = sync.OnceValue(func() *int {
	n := new(int)
	codec.Reg(countingCodec{n: n})
	return n
})

func (c countingCodec) ID() byte     { return 200 }
func (c countingCodec) Name() string { return "counting" }
func (c countingCodec) Marshal(v any) ([]byte, error) {
	*c.n++
	return c.JSONCodec.Marshal(v)
}
func (c countingCodec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	*c.n++
	return c.JSONCodec.MarshalAppend(dst, v)
}

func TestBodyIsEncodedOnceForAllMembers(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		encoded := countEncodings()
		*encoded = 0
		nodes := newNodes(t, 2)
		var members []*client
		for i, n := range []*testNode{nodes[0], nodes[0], nodes[1], nodes[1]} {
			c := n.client(t, fmt.Sprint(i))
			check(t, n.Join(t.Context(), c.sess, "room"))
			members = append(members, c)
		}
		check(t, nodes[0].Publish(t.Context(), "room", "/said", "hi", With(erpc.WithBodyCodec(200))))
		for _, c := range members {
			c.wants(t, "hi")
		}
		if *encoded != 1 {
			t.Errorf("encoded %d times", *encoded)
		}
	})
}

func TestMetadataTravelsWithPush(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		p := nodes[1].world.newPeer(t, erpc.PeerConfig{})
		got := make(chan string, 1)
		erpc.HandlePush(p, "/said", func(ctx context.Context, _ *string) error {
			got <- string(erpc.PushCtxFrom(ctx).PeekMeta("k&=%"))
			return nil
		})
		kit.Open(t, p, nodes[1].addr)
		kit.Eventually(t, kit.Bound, "the session", func() bool { return nodes[1].peer.CountSession() == 1 })
		check(t, nodes[0].Broadcast(t.Context(), "/said", "hi", With(erpc.WithSetMeta("k&=%", "v&=%"))))
		if v := kit.Await(t, "push", got); v != "v&=%" {
			t.Errorf("metadata %q", v)
		}
	})
}

func TestMembersAndCountOfAllNodes(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		a, b := nodes[0].client(t, "a"), nodes[1].client(t, "b")
		check(t, nodes[0].SetUser(t.Context(), a.sess, "ann"))
		check(t, nodes[0].Join(t.Context(), a.sess, "room", WithInfo("info of a")))
		check(t, nodes[1].Join(t.Context(), b.sess, "room"))
		want := []Member{{nodes[0].Address(a.sess), "ann", "info of a"}, {nodes[1].Address(b.sess), "", ""}}
		byAddress := func(a, b Member) int { return strings.Compare(a.Address, b.Address) }
		slices.SortFunc(want, byAddress)
		for i, n := range nodes {
			all, err := n.Members(t.Context(), "room")
			slices.SortFunc(all, byAddress)
			if err != nil || !slices.Equal(all, want) {
				t.Errorf("node %d: %v, %v, want %v", i, all, err, want)
			}
			if count, err := n.Count(t.Context(), "room"); err != nil || count != 2 {
				t.Errorf("node %d counts %d, %v", i, count, err)
			}
			if count, err := n.Count(t.Context(), "empty"); err != nil || count != 0 {
				t.Errorf("node %d counts %d, %v in an empty room", i, count, err)
			}
		}
		check(t, a.far.Close())
		kit.Eventually(t, kit.Bound, "a session that ended is not a member", func() bool {
			n, err := nodes[2].Count(t.Context(), "room")
			return err == nil && n == 1
		})
	})
}

// A node that is cut off without notice does not block queries: they return what
// the others answer until it counts as dead.
func TestMembersDoNotWaitForDeadNode(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		opt := quick
		opt.Beat, opt.Answer = time.Second, 100*time.Millisecond
		w := newWorld()
		a, dead := newNode(t, w, erpc.PeerConfig{}, opt), newNode(t, w, erpc.PeerConfig{}, opt)
		c := a.client(t, "c")
		dead.engine.SetConnected(false)
		kit.Within(t, 2*opt.Answer, "Join", func() { check(t, a.Join(t.Context(), c.sess, "room")) })
		kit.Within(t, 2*opt.Answer, "Members", func() {
			all, err := a.Members(t.Context(), "room")
			if len(all) != 1 || !errors.Is(err, ErrIncomplete) {
				t.Errorf("%v, %v, want one and ErrIncomplete", all, err)
			}
		})
		kit.Eventually(t, kit.Bound, "the node is gone", func() bool {
			_, err := a.Members(t.Context(), "room")
			return err == nil
		})
	})
}

// The subscription outlives the last member by the linger time and no more.
func TestSubscriptionLingersAndEnds(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 1)
		n, c := nodes[0], nodes[0].client(t, "c")
		for range 20 { // flapping
			check(t, n.Join(t.Context(), c.sess, "room"))
			if n.Stats().Topics != 1 {
				t.Fatalf("%d topics", n.Stats().Topics)
			}
			n.Leave(c.sess, "room")
		}
		kit.Eventually(t, kit.Bound, "the end of the subscription", func() bool { return n.Stats().Topics == 0 })
		n.engine.bus.mu.Lock()
		subs := len(n.engine.subjects)
		n.engine.bus.mu.Unlock()
		if subs != 2 {
			t.Errorf("%d subscriptions are left, want those of the node and of all", subs)
		}
		check(t, n.Join(t.Context(), c.sess, "room"))
		check(t, n.Publish(t.Context(), "room", "/said", "hi"))
		c.wants(t, "hi")
	})
}

func TestSessionThatEndedCannotJoin(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newNodes(t, 1)[0]
		c := n.client(t, "c")
		check(t, n.Join(t.Context(), c.sess, "room"))
		check(t, c.far.Close())
		kit.Eventually(t, kit.Bound, "the end of the session", func() bool { return len(n.Rooms(c.sess)) == 0 })
		if err := n.Join(t.Context(), c.sess, "room"); !errors.Is(err, ErrSessionEnded) {
			t.Errorf("%v, want ErrSessionEnded", err)
		}
	})
}

// A member that does not read costs the others nothing. When it reads again, it is
// told what it missed before it gets the next push.
func TestSlowMemberIsToldOfGap(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		n := newNode(t, w, erpc.PeerConfig{QueueLimit: 64 << 10}, quick)
		conn, err := w.network.Dial(t.Context(), memory.Network, n.addr, nil)
		check(t, err)
		defer conn.Close()
		synctest.Wait()
		var slow erpc.Session
		n.peer.RangeSession(func(s erpc.Session) bool { slow = s; return false })
		fast := n.client(t, "fast")
		check(t, n.Join(t.Context(), slow, "room"))
		check(t, n.Join(t.Context(), fast.sess, "room"))
		text := strings.Repeat("x", 32<<10)
		published := 0
		for ; n.Stats().Dropped < 5; published++ {
			check(t, n.Publish(t.Context(), "room", "/said", text))
			fast.wants(t, text)
			synctest.Wait() // until the queue does not move any more
		}
		if n.Stats().Gaps != 1 {
			t.Errorf("%d members with a gap, want 1", n.Stats().Gaps)
		}
		var all []byte
		buf := make([]byte, 256<<10)
		readUntil := func(text string) {
			for !bytes.Contains(all, []byte(text)) {
				k, err := conn.Read(buf)
				check(t, err)
				all = append(all, buf[:k]...)
			}
		}
		readUntil(GapMethod)
		kit.Eventually(t, kit.Bound, "no more gap", func() bool { return n.Stats().Gaps == 0 })
		check(t, n.Publish(t.Context(), "room", "/said", "the last"))
		readUntil("the last")
		gap, last := bytes.Index(all, []byte(GapMethod)), bytes.Index(all, []byte("the last"))
		if gap > last || !bytes.Contains(all[gap:last], fmt.Appendf(nil, `{"room":"room","missed":%d}`, n.Stats().Dropped)) {
			t.Errorf("the session was not told of %d: %q", n.Stats().Dropped, all[gap:last])
		}
		if got := bytes.Count(all, []byte("/said")); uint64(got)+n.Stats().Dropped != uint64(published+1) {
			t.Errorf("%d came and %d were dropped, of %d", got, n.Stats().Dropped, published+1)
		}
	})
}

func TestRoomsOfSessionAreLimited(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		opt := quick
		opt.MaxRooms = 3
		n := newNode(t, newWorld(), erpc.PeerConfig{}, opt)
		c := n.client(t, "c")
		check(t, n.SetUser(t.Context(), c.sess, "ann")) // does not count
		for _, room := range []string{"1", "2", "3", "3"} {
			check(t, n.Join(t.Context(), c.sess, room))
		}
		err := n.Join(t.Context(), c.sess, "4")
		if !errors.Is(err, ErrTooManyRooms) || erpc.StatusFromError(err).Code() != erpc.CodeExhausted {
			t.Errorf("a fourth room: %v, want ErrTooManyRooms", err)
		}
		n.Leave(c.sess, "1")
		check(t, n.Join(t.Context(), c.sess, "4"))
		if err := n.Join(t.Context(), c.sess, strings.Repeat("x", maxRoomName+1)); err == nil {
			t.Error("a room whose name is too long was joined")
		}
	})
}

// A cut between two nodes that both stay connected is noticed: members are told when
// it is over, whether or not the nodes took each other for dead.
func TestCutBetweenNodesIsToldAsGap(t *testing.T) {
	for name, length := range map[string]time.Duration{"short": 2 * quick.Beat, "long": 10 * quick.Beat} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				nodes := newNodes(t, 2)
				c := nodes[0].client(t, "c")
				check(t, nodes[0].Join(t.Context(), c.sess, "room"))
				time.Sleep(2 * quick.Beat) // so that beats are counted
				bus := nodes[0].world.Memory
				subjects := []string{nodes[0].subjectAll(), nodes[0].subjectRoom("room"), nodes[0].subjectNode(nodes[0].Node())}
				bus.mu.Lock()
				for _, s := range subjects {
					delete(bus.subs[s], nodes[0].engine)
				}
				bus.mu.Unlock()
				check(t, nodes[1].Publish(t.Context(), "room", "/said", "lost"))
				time.Sleep(length)
				bus.mu.Lock()
				for _, s := range subjects {
					if bus.subs[s] == nil {
						bus.subs[s] = map[*MemoryEngine]struct{}{}
					}
					bus.subs[s][nodes[0].engine] = struct{}{}
				}
				bus.mu.Unlock()
				if g := kit.Await(t, "gap", c.gaps); g.Room != "room" {
					t.Errorf("told of a gap in %q, want room", g.Room)
				}
				check(t, nodes[1].Publish(t.Context(), "room", "/said", "again"))
				c.wants(t, "again")
				time.Sleep(time.Second)
				if len(c.gaps) > 0 || nodes[0].Stats().Lost != 1 {
					t.Errorf("%d more gaps, and %d losses are counted", len(c.gaps), nodes[0].Stats().Lost)
				}
			})
		})
	}
}

// Nobody is told of a gap if nothing was lost.
func TestNoGapWithoutLoss(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		c := nodes[0].client(t, "c")
		check(t, nodes[0].Join(t.Context(), c.sess, "room"))
		for range 20 {
			nodes[1].Announce(Service{Name: "chat", Address: "x"})
			check(t, nodes[2].Publish(t.Context(), "room", "/said", "hi"))
			c.wants(t, "hi")
			time.Sleep(quick.Beat)
		}
		check(t, nodes[1].Close())
		nodes[2].engine.SetConnected(false)
		time.Sleep(time.Second)
		nodes[2].engine.SetConnected(true)
		time.Sleep(time.Second)
		if len(c.gaps) > 0 || nodes[0].Stats().Lost != 0 {
			t.Errorf("%d gaps, and %d losses are counted", len(c.gaps), nodes[0].Stats().Lost)
		}
	})
}
