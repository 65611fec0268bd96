package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

func TestOnlineAsksEveryNode(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		var all []string
		for i := range 2500 { // three questions
			all = append(all, fmt.Sprintf("nobody %d", i))
		}
		for i, user := range []string{"ann", "ben", "ben", "eve"} {
			n := nodes[i%3]
			check(t, n.SetUser(t.Context(), n.client(t, fmt.Sprint(i)).sess, user))
		}
		all = append(all, "ben", "", "eve", "ann")
		for i, n := range nodes {
			online, err := n.Online(t.Context(), all...)
			if want := []string{"ann", "ben", "eve"}; err != nil || !slices.Equal(online, want) {
				t.Errorf("node %d: %q, %v, want %q", i, online, err, want)
			}
		}
	})
}

func TestPresenceIsAtMostSecondOld(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		c := nodes[1].client(t, "c")
		count := func() int {
			t.Helper()
			members, err := nodes[0].Presence(t.Context(), "room")
			check(t, err)
			return len(members)
		}
		if n := count(); n != 0 {
			t.Errorf("%d in an empty room", n)
		}
		check(t, nodes[1].Join(t.Context(), c.sess, "room"))
		asked := nodes[0].pending.last
		if n := count(); n != 0 || nodes[0].pending.last != asked {
			t.Errorf("%d members, and the nodes were asked again within a second", n)
		}
		time.Sleep(presenceAge)
		if n := count(); n != 1 {
			t.Errorf("%d members after a second, want 1", n)
		}
		time.Sleep(2 * presenceAge)
		nodes[0].presences.mu.Lock()
		defer nodes[0].presences.mu.Unlock()
		if n := len(nodes[0].presences.m); n != 0 {
			t.Errorf("%d expired answers are kept", n)
		}
	})
}

// Callers that ask at the same time share one query; an incomplete answer is not
// cached.
func TestPresenceOfNodeThatDoesNotAnswer(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		nodes := []*testNode{newNode(t, w, erpc.PeerConfig{}, Options{}), newNode(t, w, erpc.PeerConfig{}, Options{})}
		nodes[1].engine.SetConnected(false)
		asked := nodes[0].pending.last
		failed := make(chan error, 10)
		for range cap(failed) {
			go func() {
				_, err := nodes[0].Presence(t.Context(), "room")
				failed <- err
			}()
		}
		for range cap(failed) {
			if err := kit.Await(t, "presence", failed); !errors.Is(err, ErrIncomplete) {
				t.Errorf("%v, want ErrIncomplete", err)
			}
		}
		if n := nodes[0].pending.last - asked; n != 1 {
			t.Errorf("%d queries for %d callers", n, cap(failed))
		}
		nodes[0].presences.mu.Lock()
		defer nodes[0].presences.mu.Unlock()
		if len(nodes[0].presences.m) != 0 {
			t.Error("an incomplete answer was cached")
		}
	})
}

// With default limits, a dead node leaves no trace after ten seconds.
func TestDeadNodeLeavesNothingAfterTenSeconds(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, Options{}), newNode(t, w, erpc.PeerConfig{}, Options{})
		c := b.client(t, "c")
		check(t, b.SetUser(t.Context(), c.sess, "ann"))
		check(t, b.Join(t.Context(), c.sess, "room"))
		b.Announce(Service{Name: "chat", Address: "b:1"})
		synctest.Wait()
		traces := func() (found []string) {
			members, err := a.Members(t.Context(), "room")
			check(t, err)
			online, err := a.Online(t.Context(), "ann")
			check(t, err)
			for what, n := range map[string]int{
				"members": len(members), "users": len(online), "nodes": len(a.Nodes()), "services": len(a.Services("chat")),
			} {
				if n > 0 {
					found = append(found, what)
				}
			}
			if err := a.PushSession(t.Context(), b.Address(c.sess), "/said", "hi", Confirm()); !errors.Is(err, ErrNobody) {
				found = append(found, "session")
			}
			return found
		}
		if found := traces(); len(found) != 5 {
			t.Fatalf("only %q are found of a node that is alive", found)
		}
		b.engine.SetConnected(false)
		time.Sleep(10 * time.Second)
		if found := traces(); len(found) > 0 {
			t.Errorf("a dead node left %q", found)
		}
	})
}
