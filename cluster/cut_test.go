package cluster

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// deafen makes a node deaf: it stays connected, but nothing arrives; hear ends that. A
// node of a mesh whose server has restarted is like that until the others have dialed
// the server.
func (n *testNode) deafen() (hear func()) {
	bus := n.world.Memory
	bus.mu.Lock()
	subjects := maps.Clone(n.engine.subjects)
	clear(n.engine.subjects) // what SetConnected subscribes to
	for s := range subjects {
		delete(bus.subs[s], n.engine)
	}
	bus.mu.Unlock()
	return func() {
		bus.mu.Lock()
		defer bus.mu.Unlock()
		for s := range subjects {
			n.engine.subjects[s] = struct{}{}
			if bus.subs[s] == nil {
				bus.subs[s] = map[*MemoryEngine]struct{}{}
			}
			bus.subs[s][n.engine] = struct{}{}
		}
	}
}

// Members are told once that their node was cut off, when the other nodes have answered.
// If those are not heard at once, what they publish until then is lost, and the members
// are told again, whether or not the lease of the others has ended.
func TestNodesHeardLateAreToldAsGap(t *testing.T) {
	for name, late := range map[string]time.Duration{"at once": 0, "late": heardLimit, "when their lease has ended": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				opt := quick
				opt.Beat = time.Second
				w := newWorld()
				nodes := []*testNode{newNode(t, w, erpc.PeerConfig{}, opt), newNode(t, w, erpc.PeerConfig{}, opt)}
				c := nodes[0].client(t, "c")
				check(t, nodes[0].Join(t.Context(), c.sess, "room"))
				time.Sleep(2 * opt.Beat) // so that beats are counted
				nodes[0].engine.SetConnected(false)
				synctest.Wait()
				check(t, nodes[1].Publish(t.Context(), "room", "/said", "lost"))
				var hear func()
				if late > 0 {
					hear = nodes[0].deafen()
				}
				before := time.Now()
				nodes[0].engine.SetConnected(true)
				if g := kit.Await(t, "gap", c.gaps); g.Room != "room" {
					t.Errorf("told of a gap in %q, want room", g.Room)
				}
				if took := time.Since(before); took != min(late, heardLimit) {
					t.Errorf("told after %v, want %v", took, min(late, heardLimit))
				}
				if late > 0 {
					check(t, nodes[1].Publish(t.Context(), "room", "/said", "lost, too"))
					time.Sleep(late)
					if len(c.gaps) > 0 {
						t.Error("told of a gap that has not ended")
					}
					hear()
					kit.Await(t, "another gap", c.gaps)
				}
				check(t, nodes[1].Publish(t.Context(), "room", "/said", "again"))
				c.wants(t, "again")
				time.Sleep(10 * opt.Beat)
				if len(c.gaps) > 0 {
					t.Errorf("%d more gaps", len(c.gaps))
				}
			})
		})
	}
}

// Members that asked for changes are told that some were missed once the other nodes
// have answered, like members that are told of gaps: changes that others report until
// then are lost, too.
func TestMissedChangesAreToldWhenTheOthersAnswer(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		opt := telling()
		opt.Beat = heardLimit * 2 / 5 // a tick; a lease of three of them outlives the wait
		w := newWorld()
		nodes := []*testNode{newNode(t, w, erpc.PeerConfig{}, opt), newNode(t, w, erpc.PeerConfig{}, opt)}
		const room = "talk"
		_, got := nodes[0].watcher(t, room)
		c := nodes[1].client(t, "c")
		check(t, nodes[1].Join(t.Context(), c.sess, room))
		time.Sleep(time.Second)
		nodes[0].engine.SetConnected(false)
		synctest.Wait()
		hear := nodes[0].deafen()
		nodes[0].engine.SetConnected(true)
		time.Sleep(opt.Beat + time.Millisecond) // node 0 has checked what is due
		for len(got) > 0 {
			<-got
		}
		nodes[1].Leave(c.sess, room)
		time.Sleep(opt.Beat) // node 1 has reported it
		hear()
		check(t, nodes[1].Publish(t.Context(), room, "/said", "so node 1 is heard"))
		time.Sleep(10 * opt.Beat)
		if len(got) == 0 {
			t.Error("a member left, and the watcher was told nothing")
		}
	})
}

// What a node published last, before its connection broke, may be lost without an error
// for its publisher: members on other nodes are told when the node is back. If the
// engine has passed on a beat since, nothing is lost and they are not told.
func TestLastWordsBeforeCutAreDoubted(t *testing.T) {
	for name, wait := range map[string]time.Duration{"just before": 0, "long before": 3 * quick.Beat} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				nodes := newNodes(t, 3)
				c, other := nodes[1].client(t, "c"), nodes[2].client(t, "other")
				check(t, nodes[1].Join(t.Context(), c.sess, "room"))
				check(t, nodes[2].Join(t.Context(), other.sess, "another room"))
				time.Sleep(3*quick.Beat + quick.Beat/2) // between two beats
				check(t, nodes[0].Publish(t.Context(), "room", "/said", "hi"))
				time.Sleep(wait)
				nodes[0].engine.SetConnected(false)
				c.wants(t, "hi") // the memory engine loses nothing, but nobody can know
				time.Sleep(time.Second)
				nodes[0].engine.SetConnected(true)
				time.Sleep(time.Second)
				want := 0
				if wait == 0 {
					want = 1
				}
				if len(c.gaps) != want || len(other.gaps) != want {
					t.Errorf("%d and %d gaps, want %d", len(c.gaps), len(other.gaps), want)
				}
			})
		})
	}
}

func TestUnprovenPushes(t *testing.T) {
	var u unproven
	steps := []struct {
		name   string
		do     func()
		broken bool
	}{
		{"nothing was pushed", func() {}, false},
		{"a push without a beat", func() { u.push() }, true},
		{"what was told is told once", func() {}, false},
		{"a beat that has not come back", func() { u.push(); u.sendBeat(1) }, true},
		{"a beat that came back", func() { u.push(); u.sendBeat(2); u.beatCameBack(2) }, false},
		{"a push after the beat", func() { u.sendBeat(3); u.push(); u.beatCameBack(3) }, true},
		{"an older beat came back", func() { u.push(); u.sendBeat(5); u.beatCameBack(4) }, true},
		{"one from before the break", func() { u.beatCameBack(5) }, false},
	}
	for _, s := range steps {
		s.do()
		if got := u.broken(); got != s.broken {
			t.Errorf("%s: broken %v, want %v", s.name, got, s.broken)
		}
	}
}
