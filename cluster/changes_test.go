package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// telling are options under which members of rooms whose names begin with "talk" can
// be told of changes.
func telling() Options {
	opt := keeping(100)
	opt.Changes = []string{"talk", "kept/talk"}
	return opt
}

// watcher is a member that asks for changes.
func (n *testNode) watcher(t testing.TB, room string) (sess erpc.Session, got chan Change) {
	t.Helper()
	got = make(chan Change, 1000)
	p := n.world.newPeer(t, erpc.PeerConfig{})
	erpc.HandlePush(p, ChangeMethod, func(_ context.Context, c *Change) error { got <- *c; return nil })
	far := kit.Open(t, p, n.addr)
	synctest.Wait()
	n.peer.RangeSession(func(s erpc.Session) bool {
		if s.RemoteAddr().String() == far.LocalAddr().String() {
			sess = s
		}
		return sess == nil
	})
	check(t, n.Join(t.Context(), sess, room, WithChanges()))
	time.Sleep(time.Second)
	for len(got) > 0 {
		<-got // its own joining
	}
	return sess, got
}

// Members that ask for changes learn, on all nodes, who joins and leaves, also in
// rooms with history.
func TestChangesAreTold(t *testing.T) {
	for _, room := range []string{"talk 1", "kept/talk"} {
		t.Run(room, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				w := newWorld()
				a, b := newNode(t, w, erpc.PeerConfig{}, telling()), newNode(t, w, erpc.PeerConfig{}, telling())
				_, got := a.watcher(t, room)
				c := b.client(t, "c")
				check(t, b.SetUser(t.Context(), c.sess, "ann"))
				check(t, b.Join(t.Context(), c.sess, room, WithInfo("hi")))
				change := kit.Await(t, "who joined", got)
				want := Member{b.Address(c.sess), "ann", "hi"}
				if change.Room != room || !slices.Equal(change.Joined, []Member{want}) || len(change.Left) > 0 {
					t.Errorf("%+v, want %+v to have joined", change, want)
				}
				check(t, c.far.Close())
				change = kit.Await(t, "who left", got)
				if len(change.Left) != 1 || change.Left[0].Address != want.Address || len(change.Joined) > 0 {
					t.Errorf("%+v, want %s to have left", change, want.Address)
				}
				again := b.client(t, "again") // whoever joins and leaves within a moment is not reported
				check(t, b.Join(t.Context(), again.sess, room))
				b.Leave(again.sess, room)
				check(t, b.Join(t.Context(), again.sess, "other"))
				time.Sleep(time.Second)
				if len(got) > 0 || len(c.gaps)+len(again.gaps) > 0 {
					t.Errorf("told %+v of nothing", <-got)
				}
			})
		})
	}
}

// A storm of joins is one push, not one for each.
func TestManyChangesAreOnePush(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newNode(t, newWorld(), erpc.PeerConfig{}, telling())
		_, got := n.watcher(t, "talk")
		for i := range maxChanges + 5 {
			c := n.client(t, fmt.Sprint(i))
			go func() { _ = n.Join(context.Background(), c.sess, "talk") }()
		}
		time.Sleep(time.Second)
		named, many := 0, false
		for len(got) > 0 {
			c := <-got
			named, many = named+len(c.Joined), many || c.Many
		}
		if !many && named != maxChanges+5 {
			t.Errorf("%d of %d were named, and the push does not say that there were many", named, maxChanges+5)
		}
	})
}

func TestChangesAreBounded(t *testing.T) {
	x := &topic{tell: true}
	for range 10 * maxChanges {
		x.noteLocked(&member{}, true)
		if len(x.changes.of) > maxChanges {
			t.Fatalf("%d changes are kept", len(x.changes.of))
		}
	}
	if !x.changes.many {
		t.Error("the push does not say that there were many")
	}
}

// Members of a dead node have left, and members that missed changes are told so.
func TestChangesOfDeadNodeAndAfterCut(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, telling()), newNode(t, w, erpc.PeerConfig{}, telling())
		_, got := a.watcher(t, "talk")
		b.engine.SetConnected(false)
		if c := kit.Await(t, "death", got); c.Gone != b.Node() {
			t.Errorf("%+v, want %s to be gone", c, b.Node())
		}
		a.engine.SetConnected(false)
		a.engine.SetConnected(true)
		if c := kit.Await(t, "after the cut", got); !c.Many {
			t.Errorf("%+v, want it to say that changes were missed", c)
		}
	})
}
