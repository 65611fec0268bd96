package nats_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
)

// TestWalkOverRestarts publishes to a room with history while nodes are cut off, the
// server restarts, and clients come back to other nodes. Whatever happens, a member
// gets nothing twice and everything in the order of the log; in the end it has
// everything that was stored since it joined.
func TestWalkOverRestarts(t *testing.T) {
	kit.NoLeaks(t)
	collect(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &walk{T: t, rand: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), said: map[int]bool{}}
	w.start()
	t.Cleanup(func() { w.stop() }) // after the nodes have gone
	for range 3 {
		w.newNode()
	}
	for range kit.Times(80, 1000) {
		w.step()
	}
	w.finish()
}

// collect runs the garbage collector when the test has ended: nats.go leaves a
// connection whose handshake failed to it.
func collect(t *testing.T) {
	t.Cleanup(func() {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
		runtime.GC()
	})
}

type walk struct {
	*testing.T
	rand    *rand.Rand
	dir     string
	server  *server.Server
	addr    string
	nodes   []*walkNode
	members []*walkMember
	last    int          // number of the last message
	said    map[int]bool // numbers; true: certainly stored
}

// start starts the server at its earlier address.
func (w *walk) start() {
	w.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: w.dir}
	if w.addr == "" {
		w.addr = kit.TCP.Place(w.T)
	}
	addr, err := net.ResolveTCPAddr("tcp", w.addr)
	check(w, err)
	opts.Port = addr.Port
	w.server, err = server.NewServer(opts)
	check(w, err)
	w.server.Start()
	if !w.server.ReadyForConnections(kit.Bound) {
		w.Fatal("the server is not ready")
	}
}

func (w *walk) stop() {
	w.server.Shutdown()
	w.server.WaitForShutdown()
}

// A wire forwards the bytes between a node and the server, unless it is cut.
type wire struct {
	lis net.Listener
	to  string

	mu    sync.Mutex // guards the following
	cut   bool
	conns []net.Conn
	wg    sync.WaitGroup
}

func newWire(t testing.TB, to string) *wire {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	x := &wire{lis: lis, to: to}
	x.wg.Go(x.run)
	return x
}

func (x *wire) run() {
	for {
		near, err := x.lis.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", x.to)
		x.mu.Lock()
		if err != nil || x.cut {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
		} else {
			x.conns = append(x.conns, near, far)
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				x.wg.Go(func() {
					_, _ = io.Copy(struct{ io.Writer }{way[0]}, struct{ io.Reader }{way[1]}) // without a pipe that stays; until one of them ends
					_, _ = way[0].Close(), way[1].Close()
				})
			}
		}
		x.mu.Unlock()
	}
}

func (x *wire) set(cut bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cut = cut
	if cut {
		for _, c := range x.conns {
			_ = c.Close()
		}
		x.conns = nil
	}
}

type walkNode struct {
	*node
	wire *wire
	off  bool
}

func (w *walk) newNode() {
	w.Helper()
	x := newWire(w, w.addr)
	n := keeperThatWaits(w.T, nats.New("nats://"+x.lis.Addr().String(), natsgo.ReconnectWait(20*time.Millisecond), natsgo.ReconnectJitter(0, 0)), 300*time.Millisecond) // it asks those that are cut off, too
	w.nodes = append(w.nodes, &walkNode{node: n, wire: x})
	w.Cleanup(func() {
		_ = n.Close() // before its wire
		x.set(true)
		_ = x.lis.Close()
		x.wg.Wait()
	})
}

// A walkMember is a client, with what it received over all of its sessions.
type walkMember struct {
	peer  erpc.Peer
	sess  erpc.Session // at the client
	since int          // number of the last message before it joined

	mu    sync.Mutex // guards the following
	at    cluster.Position
	got   map[int]bool
	wrong []string
}

func (m *walkMember) take(text string, at string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var number int
	p, err := cluster.ParsePosition(at)
	if _, err2 := fmt.Sscan(text, &number); err != nil || err2 != nil {
		m.wrong = append(m.wrong, fmt.Sprintf("%q at %q", text, at))
	}
	if m.got[number] || p.Epoch == m.at.Epoch && p.Seq <= m.at.Seq {
		m.wrong = append(m.wrong, fmt.Sprintf("%d at %+v after %+v", number, p, m.at))
	}
	m.got[number], m.at = true, p
}

// enter opens a session with a node and joins from the member's position. It reports
// whether that succeeded.
func (w *walk) enter(m *walkMember, n *walkNode) bool {
	m.sess = kit.Open(w, m.peer, n.addr)
	var sess erpc.Session
	kit.Eventually(w, kit.Bound, "the session at the node", func() bool {
		n.peer.RangeSession(func(s erpc.Session) bool {
			if s.RemoteAddr().String() == m.sess.LocalAddr().String() {
				sess = s
			}
			return sess == nil
		})
		return sess != nil
	})
	m.mu.Lock()
	since := m.at
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	joined, err := n.Resume(ctx, sess, "kept", since.String())
	if err != nil {
		return false
	}
	if since != (cluster.Position{}) && !joined.Recovered {
		w.Errorf("from %+v nothing was recovered: %+v", since, joined)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == (cluster.Position{}) {
		at, err := cluster.ParsePosition(joined.Position)
		check(w, err)
		m.at = at
	}
	return true
}

func (w *walk) newMember(n *walkNode) {
	m := &walkMember{got: map[int]bool{}, since: w.last}
	m.peer = kit.Peer(w, erpc.PeerConfig{})
	erpc.HandlePush(m.peer, "/said", func(ctx context.Context, s *string) error {
		m.take(*s, string(erpc.PushCtxFrom(ctx).PeekMeta(cluster.MetaPosition)))
		return nil
	}, limit.Ordered())
	if w.enter(m, n) {
		w.members = append(w.members, m)
	}
}

func (w *walk) step() {
	n := w.nodes[w.rand.IntN(len(w.nodes))]
	switch k := w.rand.IntN(100); {
	case k < 8 && len(w.members) < 10:
		w.newMember(n)
	case k < 16 && len(w.members) > 0:
		w.move(w.members[w.rand.IntN(len(w.members))], n)
	case k < 85:
		w.publish(n)
	case k < 95:
		n.off = !n.off
		n.wire.set(n.off)
	case k < 98:
		w.stop()
		w.start()
	default:
		time.Sleep(time.Duration(w.rand.IntN(50)) * time.Millisecond)
	}
}

// move lets a member come back to a node; if that one is cut off, to another.
func (w *walk) move(m *walkMember, n *walkNode) {
	check(w, m.sess.Close())
	kit.Eventually(w, kit.Bound, "what was read is handled", func() bool { return m.peer.Handlers() == 0 })
	time.Sleep(20 * time.Millisecond)
	for i := 0; !w.enter(m, n); i++ {
		check(w, m.sess.Close())
		n = w.nodes[i%len(w.nodes)]
		if i > 0 && i%len(w.nodes) == 0 { // all are cut off
			n.off = false
			n.wire.set(false)
			time.Sleep(100 * time.Millisecond)
		}
		if i > 100 {
			w.Fatal("a member finds no node")
		}
	}
}

func (w *walk) publish(n *walkNode) {
	w.last++
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	err := n.Publish(ctx, "kept", "/said", fmt.Sprint(w.last))
	if !errors.Is(err, cluster.ErrDown) {
		w.said[w.last] = err == nil
	}
}

func (w *walk) finish() {
	for _, n := range w.nodes {
		n.off = false
		n.wire.set(false)
	}
	for _, n := range w.nodes {
		kit.Eventually(w, kit.Bound, "the last word", func() bool {
			w.publish(n)
			return w.said[w.last]
		})
	}
	for i, m := range w.members {
		missing := func() (numbers []int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for number, stored := range w.said {
				if stored && number > m.since && !m.got[number] {
					numbers = append(numbers, number)
				}
			}
			return numbers
		}
		kit.Eventually(w, kit.Bound, fmt.Sprintf("member %d has everything since %d; it misses %v", i, m.since, missing()), func() bool { return len(missing()) == 0 })
		m.mu.Lock()
		for _, wrong := range m.wrong {
			w.Errorf("member %d got %s", i, wrong)
		}
		for number := range m.got {
			if _, ever := w.said[number]; !ever {
				w.Errorf("member %d got %d, which was refused", i, number)
			}
		}
		m.mu.Unlock()
	}
}
