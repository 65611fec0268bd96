package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestRandomWalk joins, leaves, publishes, kills nodes, cuts them off and connects them
// again, and loses live messages of the room that keeps everything. Whatever happens, a
// member gets nothing twice, nothing of a room that it was never in, and the messages of
// one publisher in order. When nothing happens any more, every member of a room gets what
// is published, and members of the room with history have everything that was published
// since they joined.
func TestRandomWalk(t *testing.T) {
	for i := range kit.Times(6, 1000) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				t.Logf("seed %d", seed)
				w := &walk{T: t, rand: rand.New(rand.NewPCG(seed, 0)), world: newWorld()}
				for range 3 {
					w.newNode()
				}
				for range 300 {
					w.step()
				}
				w.finish()
			})
		})
	}
}

type walk struct {
	*testing.T
	rand    *rand.Rand
	world   *world
	nodes   []*walkNode
	members []*walkMember
	last    int   // number of the last message
	joined  int   // number of the last member
	kept    []int // numbers of the messages that the room with history accepted
}

type walkNode struct {
	*testNode
	off bool
}

type walkMember struct {
	*client
	node  *walkNode
	in    map[string]bool
	was   map[string]bool
	seen  map[string]int // last number by publisher and room
	since int            // number of the last message when it joined the room with history
	kept  []int          // what it got of that
}

func (w *walk) newNode() {
	w.nodes = append(w.nodes, &walkNode{testNode: newNode(w, w.world, erpc.PeerConfig{}, walkOptions())})
}

func (w *walk) step() {
	n := w.nodes[w.rand.IntN(len(w.nodes))]
	room := fmt.Sprint("room ", w.rand.IntN(3))
	switch k := w.rand.IntN(100); {
	case k < 4 && len(w.members) < 30:
		w.joined++
		w.members = append(w.members, &walkMember{
			client: n.client(w, fmt.Sprint("member ", w.joined)), node: n, // a second session of that name would end the first
			in: map[string]bool{}, was: map[string]bool{}, seen: map[string]int{},
		})
	case k < 20 && len(w.members) > 0:
		m := w.members[w.rand.IntN(len(w.members))]
		if err := m.node.Join(w.Context(), m.sess, room); err == nil {
			if room == keptRoom && !m.in[room] {
				m.since, m.kept = w.last, nil
			}
			m.in[room], m.was[room] = true, true
		} else if !m.node.off {
			w.Errorf("join: %v", err)
		} else {
			delete(m.in, room)
			m.was[room] = true // perhaps only for a moment
		}
	case k < 25 && len(w.members) > 0:
		m := w.members[w.rand.IntN(len(w.members))]
		m.node.Leave(m.sess, room)
		delete(m.in, room)
	case k < 88:
		w.publish(n, room)
	case k < 90:
		n.engine.loseStored()
	case k < 95:
		n.off = !n.off
		n.engine.SetConnected(!n.off)
	case k < 97 && len(w.nodes) > 2:
		w.kill(n)
		w.newNode()
	default:
		time.Sleep(time.Duration(w.rand.IntN(20)) * time.Millisecond) // let something expire
	}
}

func (w *walk) publish(n *walkNode, room string) (number int) {
	w.last++
	err := n.Publish(w.Context(), room, "/said", fmt.Sprintf("%s|%s|%d", n.Node(), room, w.last))
	if (err != nil) != n.off {
		w.Errorf("publish on a node that is off: %v: %v", n.off, err)
	}
	if err == nil && room == keptRoom {
		w.kept = append(w.kept, w.last)
	}
	return w.last
}

// kill ends a node without notice.
func (w *walk) kill(n *walkNode) {
	n.engine.SetConnected(false)
	check(w, n.peer.Close())
	for i, x := range w.nodes {
		if x == n {
			w.nodes = append(w.nodes[:i:i], w.nodes[i+1:]...)
			break
		}
	}
	var left []*walkMember
	for _, m := range w.members {
		if m.node == n {
			w.drain(m)
		} else {
			left = append(left, m)
		}
	}
	w.members = left
}

// take checks one message.
func (w *walk) take(m *walkMember, s string) (room string, number int) {
	parts := strings.Split(s, "|")
	room = parts[1]
	if _, err := fmt.Sscan(parts[2], &number); err != nil {
		w.Fatal(err)
	}
	from := parts[0] + room
	if !m.was[room] {
		w.Errorf("%s was never in %s and got %q", m.sess.ID(), room, s)
	}
	if number <= m.seen[from] {
		w.Errorf("%s got %d after %d of one publisher in %s", m.sess.ID(), number, m.seen[from], room)
	}
	m.seen[from] = number
	if room == keptRoom && number > m.since {
		m.kept = append(m.kept, number)
	}
	return room, number
}

// drain checks what has arrived.
func (w *walk) drain(m *walkMember) {
	for {
		select {
		case s := <-m.got:
			w.take(m, s)
		default:
			return
		}
	}
}

// finish connects every node and checks that everybody gets everything.
func (w *walk) finish() {
	for _, n := range w.nodes {
		n.off = false
		n.engine.SetConnected(true)
	}
	time.Sleep(4 * quick.Beat) // whoever lost a beat finds out with the next
	for _, n := range w.nodes {
		kit.Eventually(w, kit.Bound, "the nodes know each other", func() bool { return len(n.Nodes()) == len(w.nodes)-1 })
		_, err := n.Count(w.Context(), "room 0") // the answers come after everything that was queued
		check(w, err)
		kit.Eventually(w, kit.Bound, "gaps are told", func() bool { return n.Stats().Gaps == 0 })
	}
	last := map[string]int{}
	for _, n := range w.nodes {
		for r := range 3 {
			room := fmt.Sprint("room ", r)
			last[n.Node()+room] = w.publish(n, room)
		}
	}
	for _, m := range w.members {
		for _, n := range w.nodes {
			for room := range m.in {
				for from := n.Node() + room; m.seen[from] < last[from]; {
					w.take(m, kit.Await(w, "the last of "+room, m.got))
				}
			}
		}
		w.drain(m)
		if !m.in[keptRoom] {
			continue
		}
		want := w.kept[sort.SearchInts(w.kept, m.since+1):]
		if !slices.Equal(m.kept, want) {
			w.Errorf("%s joined after %d and got %v of the room with history, want %v", m.sess.ID(), m.since, m.kept, want)
		}
	}
}

// keptRoom has a history.
const keptRoom = "room 2"

func walkOptions() Options {
	opt := quick
	opt.History = []History{{Rooms: keptRoom, Size: 10_000, Age: 24 * time.Hour}}
	return opt
}

// loseStored drops what is queued for the node, as an engine does when it is
// overrun.
func (e *MemoryEngine) loseStored() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == memoryUp {
		e.queue = slices.DeleteFunc(e.queue, func(q queuedEvent) bool { return q.size > 0 })
		e.queued, e.lost = 0, true
		e.wakeLocked()
	}
}
