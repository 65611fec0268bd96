package nats_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// TestWalkOverCutRoutes publishes to rooms while routes between the three servers of a
// mesh are cut, with each node still connected to its own server, servers restart, and
// nodes are killed. Whatever happens, a member gets nothing twice, and the messages of
// one publisher in order; if it missed something, it is told of a gap after that was
// published.
func TestWalkOverCutRoutes(t *testing.T) { walkOverCutRoutes(t, 0, kit.Times(6, 60)) }

// TestWalkOverCutRoutesWithHistory is the same for rooms with history, kept on all three
// servers: in the end a member has everything that was stored since it joined, or is told
// that the log has lost some of it.
func TestWalkOverCutRoutesWithHistory(t *testing.T) {
	if os.Getenv("ERPC_CLUSTER") != "full" {
		t.Skip("it takes long to choose leaders; make test-cluster runs it")
	}
	walkOverCutRoutes(t, 3, kit.Times(6, 40))
}

func walkOverCutRoutes(t *testing.T, replicas, faults int) {
	kit.NoLeaks(t)
	collect(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &meshWalk{T: t, rand: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), replicas: replicas, said: map[int]word{}, routes: map[[2]int][]*wire{}}
	w.startMesh()
	for i := range w.mesh {
		w.newNode(i)
	}
	w.know()
	for range 6 {
		w.join()
	}
	for range faults {
		w.talk(30)
		w.fault()
	}
	w.finish()
}

// beat is the beat of the nodes: a cut lasts several of them.
const beat = 100 * time.Millisecond

type meshWalk struct {
	*testing.T
	rand     *rand.Rand
	dir      string
	replicas int // of the history of rooms; 0 is none
	mesh     []*meshServer
	wires    []*wire // between the servers, one for each direction
	routes   map[[2]int][]*wire
	nodes    []*meshNode
	members  []*meshMember
	last     atomic.Int64 // number of the last message
	said     map[int]word
}

// A word is a message that was published.
type word struct {
	node, room string
	sure       bool // Publish returned no error
}

// A meshServer can be restarted at the same addresses.
type meshServer struct {
	opts *server.Options

	mu     sync.Mutex // guards server
	server *server.Server
}

// InProcessConn implements [natsgo.InProcessConnProvider].
func (s *meshServer) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.InProcessConn()
}

func (s *meshServer) start(t testing.TB) {
	t.Helper()
	running, err := server.NewServer(s.opts.Clone())
	check(t, err)
	s.mu.Lock()
	s.server = running
	s.mu.Unlock()
	running.Start()
	if !running.ReadyForConnections(kit.Bound) {
		t.Fatal("the server is not ready")
	}
}

func (s *meshServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// startMesh starts three servers that dial one another over wires; the addresses by
// which they would find each other otherwise lead nowhere.
func (w *meshWalk) startMesh() {
	w.Helper()
	for i := range 3 {
		addr, err := net.ResolveTCPAddr("tcp", kit.TCP.Place(w.T))
		check(w, err)
		opts := &server.Options{
			ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{Name: "erpc", Host: "127.0.0.1", Port: addr.Port, Advertise: "127.0.0.1:1", NoAdvertise: true},
		}
		if w.replicas > 0 {
			opts.JetStream, opts.StoreDir = true, filepath.Join(w.dir, opts.ServerName)
		}
		w.mesh = append(w.mesh, &meshServer{opts: opts})
	}
	for i, from := range w.mesh {
		for k, to := range w.mesh {
			if i == k {
				continue
			}
			x := newWire(w, fmt.Sprintf("127.0.0.1:%d", to.opts.Cluster.Port))
			w.wires = append(w.wires, x)
			from.opts.Routes = append(from.opts.Routes, &url.URL{Scheme: "nats", Host: x.lis.Addr().String()})
			route := [2]int{min(i, k), max(i, k)}
			w.routes[route] = append(w.routes[route], x)
		}
	}
	for _, s := range w.mesh {
		s.start(w)
	}
	w.Cleanup(func() { // after the nodes have gone
		for _, s := range w.mesh {
			s.stop()
		}
		for _, x := range w.wires {
			x.set(true)
			_ = x.lis.Close()
			x.wg.Wait()
		}
	})
}

type meshNode struct {
	*node
	on int // index of its server
}

func (w *meshWalk) newNode(on int) {
	w.Helper()
	e := nats.FromDial(func(own ...natsgo.Option) (*natsgo.Conn, error) {
		return natsgo.Connect("", append([]natsgo.Option{
			natsgo.InProcessServer(w.mesh[on]), natsgo.ReconnectWait(20 * time.Millisecond), natsgo.ReconnectJitter(0, 0),
		}, own...)...)
	})
	e.Store = nats.Store{Replicas: w.replicas}
	opt := cluster.Options{Beat: beat, Answer: 5 * time.Second}
	if w.replicas > 0 {
		opt.History = []cluster.History{{Size: 100_000}}
	}
	n := &node{Cluster: cluster.New(e, opt)}
	n.peer, n.addr = kit.Serve(w.T, erpc.PeerConfig{}, n.Cluster)
	check(w, n.Start(w.Context()))
	w.Cleanup(func() { _ = n.Close() }) // it may have been killed
	w.nodes = append(w.nodes, &meshNode{n, on})
}

// know waits until every node knows the others and has counted a beat of each of
// them.
func (w *meshWalk) know() {
	w.Helper()
	for _, n := range w.nodes {
		kit.Eventually(w, kit.Bound, "the nodes know each other", func() bool { return len(n.Nodes()) == len(w.nodes)-1 })
	}
	time.Sleep(3 * beat)
}

// A meshMember is in one room.
type meshMember struct {
	room  string
	node  *meshNode
	since int           // number of the last message before it had joined
	last  *atomic.Int64 // the number of the walk

	mu   sync.Mutex // guards the following
	log  []heard    // messages, in the order in which they came
	told int        // number of the last message before the last gap was told
}

// A heard message arrived with a position, if its room has history.
type heard struct {
	number int
	at     string
}

func (m *meshMember) take(ctx erpc.UnknownPushCtx) *erpc.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.ServiceMethod() == cluster.GapMethod {
		if strings.Contains(string(ctx.InputBodyBytes()), m.room) { // otherwise it is of another subject
			m.told = int(m.last.Load())
		}
		return nil
	}
	var text string
	number := -1
	if err := json.Unmarshal(ctx.InputBodyBytes(), &text); err == nil {
		number, _ = strconv.Atoi(text) // 0 was never said
	}
	m.log = append(m.log, heard{number, string(ctx.PeekMeta(cluster.MetaPosition))})
	return nil
}

func (m *meshMember) has(number int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.log, func(h heard) bool { return h.number == number })
}

func (w *meshWalk) room() string { return fmt.Sprint("room", w.rand.IntN(2)) }

// join makes another client a member, at a node whose server is running.
func (w *meshWalk) join() {
	w.Helper()
	n := w.nodes[w.rand.IntN(len(w.nodes))]
	m := &meshMember{room: w.room(), node: n, last: &w.last}
	p := kit.Peer(w.T, erpc.PeerConfig{})
	p.SetUnknownPush(m.take, limit.Ordered()) // one handler, so that its order is that of the wire
	far := kit.Open(w, p, n.addr)
	var sess erpc.Session
	kit.Eventually(w, kit.Bound, "the session at the node", func() bool {
		n.peer.RangeSession(func(s erpc.Session) bool {
			if s.RemoteAddr().String() == far.LocalAddr().String() {
				sess = s
			}
			return sess == nil
		})
		return sess != nil
	})
	ctx, cancel := context.WithTimeout(w.Context(), kit.Bound)
	defer cancel()
	if err := n.Join(ctx, sess, m.room); err != nil {
		w.Logf("join: %v", err) // its server has just restarted, or is choosing a leader
		return
	}
	m.since = int(w.last.Load())
	w.members = append(w.members, m)
}

// talk publishes n messages from random nodes.
func (w *meshWalk) talk(n int) {
	for range n {
		w.publish(w.nodes[w.rand.IntN(len(w.nodes))], w.room())
	}
}

func (w *meshWalk) publish(n *meshNode, room string) (number int) {
	number = int(w.last.Load()) + 1
	patience := 10 * time.Second
	if w.replicas > 0 {
		patience = time.Second // without a leader nothing is stored
	}
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	err := n.Publish(ctx, room, "/said", fmt.Sprint(number))
	w.last.Add(1) // a gap that is told earlier is not about this message
	if !errors.Is(err, cluster.ErrDown) {
		w.said[number] = word{n.Node(), room, err == nil}
	}
	return number
}

// fault makes something fail, with messages before, during and after.
func (w *meshWalk) fault() {
	w.Helper()
	switch k := w.rand.IntN(10); {
	case k < 6: // one route, or all of them
		route := [][2]int{{0, 1}, {0, 2}, {1, 2}}[w.rand.IntN(3)]
		cut := w.routes[route]
		if k == 0 {
			cut = w.wires
		}
		w.Logf("after %d: %d of 3 routes are cut, %v among them", w.last.Load(), len(cut)/2, route)
		for _, x := range cut {
			x.set(true)
		}
		for range 5 + w.rand.IntN(5) { // beats; whether the nodes take each other for dead or not
			w.talk(1 + w.rand.IntN(3))
			time.Sleep(beat)
		}
		if w.rand.IntN(2) == 0 && w.replicas == 0 {
			w.join()
		}
		for _, x := range cut {
			x.set(false)
		}
		w.talk(20)
		w.know()
	case k < 8:
		i := w.rand.IntN(len(w.mesh))
		w.Logf("after %d: server %d restarts", w.last.Load(), i)
		w.mesh[i].stop()
		w.talk(5)
		w.mesh[i].start(w)
		for range 12 { // beats: routes that others dial are back only after a second
			w.talk(3)
			time.Sleep(beat)
		}
		w.know()
	default:
		i := w.rand.IntN(len(w.nodes))
		n := w.nodes[i]
		w.Logf("after %d: the node at server %d is killed", w.last.Load(), n.on)
		w.members = slices.DeleteFunc(w.members, func(m *meshMember) bool {
			if m.node == n {
				w.look(m, int(w.last.Load())) // messages on their way die with it
			}
			return m.node == n
		})
		check(w, n.peer.Close())
		check(w, n.Close())
		w.nodes = slices.Delete(w.nodes, i, i+1)
		w.newNode(n.on)
		w.know()
		w.join()
	}
}

// finish makes every member hear a last word of each node, once the routes are
// back, and checks what the members got.
func (w *meshWalk) finish() {
	w.Helper()
	for _, n := range w.nodes {
		for _, room := range []string{"room0", "room1"} {
			kit.Eventually(w, kit.Bound, "everybody hears a last word", func() bool {
				number := w.publish(n, room)
				for end := time.Now().Add(2 * beat); w.said[number].sure && time.Now().Before(end); time.Sleep(time.Millisecond) {
					if !slices.ContainsFunc(w.members, func(m *meshMember) bool { return m.room == room && !m.has(number) }) {
						return true
					}
				}
				return false
			})
		}
	}
	time.Sleep(10 * beat) // until gaps are told
	for _, m := range w.members {
		w.look(m, m.since)
	}
}

// look checks what a member got, and that it received, or was told about,
// everything since a message.
func (w *meshWalk) look(m *meshMember, since int) {
	w.Helper()
	m.mu.Lock()
	log, told := slices.Clone(m.log), m.told
	m.mu.Unlock()
	got := map[int]bool{}
	at := map[string]bool{}
	newest := map[string]int{} // by publisher
	for _, h := range log {
		number := h.number
		switch said, ever := w.said[number]; {
		case !ever || said.room != m.room:
			w.Errorf("a member of %s got %d, which was published in %q", m.room, number, said.room)
		case got[number] && (h.at == "" || at[h.at]):
			w.Errorf("a member of %s got %d twice, at %q", m.room, number, h.at)
		case got[number]:
			w.Logf("%d is stored twice, the second time at %s", number, h.at)
		case number < newest[said.node]:
			w.Errorf("a member of %s got %d after %d of the same publisher", m.room, number, newest[said.node])
		}
		at[h.at] = true
		got[number], newest[w.said[number].node] = true, number
	}
	for number := since + 1; number <= int(w.last.Load()); number++ {
		said := w.said[number]
		if said.room == m.room && said.sure && !got[number] && number > told {
			w.Errorf("a member of %s at the node on server %d, since %d, did not get %d of %s, and was last told of a gap after %d", m.room, m.node.on, since, number, said.node, told)
		}
	}
}
