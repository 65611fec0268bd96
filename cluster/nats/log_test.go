package nats_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/cluster/nats/embed"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
)

// recorded is what an engine delivers from a log.
type recorded struct {
	events
	stored chan storedMessage
}

type storedMessage struct {
	at   cluster.Position
	prev uint64
	text string
}

func (r *recorded) Stored(_ string, at cluster.Position, prev uint64, data []byte) {
	r.stored <- storedMessage{at, prev, string(data)}
}

// newLog returns an engine with a group, and what it delivers for subject.
func newLog(t *testing.T, s *embed.Server, group, subject string, size int) (*nats.Engine, *recorded) {
	t.Helper()
	e := s.Engine()
	r := &recorded{stored: make(chan storedMessage, 1000)}
	check(t, e.Start(t.Context(), r))
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	check(t, e.Keep(t.Context(), group, size, time.Hour))
	check(t, e.Keep(t.Context(), group, size, time.Hour)) // changes nothing
	check(t, e.Subscribe(t.Context(), subject))
	return e, r
}

func texts(entries []cluster.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, string(e.Data))
	}
	return all
}

// What is appended is delivered with its position and that of the previous message,
// and can be read from every position, as long as the log reaches back.
func TestLogKeepsAndDelivers(t *testing.T) {
	kit.NoLeaks(t)
	const group, subject, size = "erpc.h.bA", "erpc.h.bA.broom", 5
	s := start(t, embed.Config{Store: &embed.Store{Dir: t.TempDir()}})
	e, r := newLog(t, s, group, subject, size)
	empty, err := e.Top(t.Context(), subject)
	check(t, err)
	var at []cluster.Position
	for i := range 7 {
		check(t, e.Append(t.Context(), group+".bother", []byte("other")))
		check(t, e.Append(t.Context(), subject, fmt.Append(nil, i)))
		m := kit.Await(t, "stored message", r.stored)
		if want := fmt.Sprint(i); m.text != want || i > 0 && m.prev != at[i-1].Seq || i == 0 && m.prev != 0 {
			t.Errorf("message %d: %+v, after %+v", i, m, at)
		}
		at = append(at, m.at)
	}
	for i := range at {
		page, err := e.Read(t.Context(), subject, at[i], 100)
		check(t, err)
		complete := i >= 2
		var want []string
		for k := i + 1; complete && k < len(at); k++ {
			want = append(want, fmt.Sprint(k))
		}
		if page.Complete != complete || page.More || !slices.Equal(texts(page.Entries), want) || page.Top.Seq < at[6].Seq {
			t.Errorf("after message %d: %+v, want %q, complete %v", i, page, want, complete)
		}
	}
	page, err := e.Read(t.Context(), subject, at[2], 2)
	check(t, err)
	if !page.More || page.Top != at[4] || !slices.Equal(texts(page.Entries), []string{"3", "4"}) {
		t.Errorf("a part: %+v", page)
	}
	if page.Entries[0].At != at[3] {
		t.Errorf("a message is at %+v when it is read, but was at %+v when it was delivered", page.Entries[0].At, at[3])
	}
	top, err := e.Top(t.Context(), subject)
	check(t, err)
	later, again := at[6], at[6]
	later.Seq += 100
	again.Time--
	for name, c := range map[string]struct {
		since    cluster.Position
		complete bool
	}{
		"top":                  {top, true},
		"of the empty room":    {empty, false},
		"another epoch":        {cluster.Position{Epoch: "x", Seq: at[6].Seq, Time: at[6].Time}, false},
		"a tail that is lost":  {later, false},
		"a number given again": {again, false},
		"none":                 {cluster.Position{}, false},
	} {
		page, err := e.Read(t.Context(), subject, c.since, 100)
		check(t, err)
		if page.Complete != c.complete || len(page.Entries) > 0 {
			t.Errorf("%s: %+v, want complete %v and no entries", name, page, c.complete)
		}
	}
	fresh, err := e.Read(t.Context(), group+".bfresh", empty, 100)
	check(t, err)
	if !fresh.Complete || len(fresh.Entries) > 0 {
		t.Errorf("a room where nothing was said: %+v", fresh)
	}
}

// A stream that is gone, such as one in the memory of a server that restarted,
// comes back with another epoch.
func TestLostStreamIsAnotherEpoch(t *testing.T) {
	kit.NoLeaks(t)
	const group, subject = "erpc.h.bA", "erpc.h.bA.broom"
	s := start(t, embed.Config{Store: &embed.Store{Dir: t.TempDir()}})
	e, r := newLog(t, s, group, subject, 5)
	check(t, e.Append(t.Context(), subject, []byte("1")))
	at := kit.Await(t, "stored message", r.stored).at
	conn, err := natsgo.Connect("", s.ConnectOptions()...)
	check(t, err)
	defer conn.Close()
	for name, use := range map[string]func() error{
		"append": func() error { return e.Append(t.Context(), subject, []byte("2")) },
		"read":   func() error { _, err := e.Read(t.Context(), subject, at, 1); return err },
	} {
		js, err := conn.JetStream()
		check(t, err)
		check(t, js.DeleteStream("erpc_h_bA"))
		check(t, use())
		page, err := e.Read(t.Context(), subject, at, 1)
		check(t, err)
		if page.Complete || page.Top.Epoch == at.Epoch {
			t.Errorf("%s: %+v after a loss, the position was %+v", name, page, at)
		}
	}
}

func TestStoreThatCannotWorkIsRefused(t *testing.T) {
	kit.NoLeaks(t)
	for name, cfg := range map[string]embed.Config{
		"no directory": {Store: &embed.Store{}},
		"no name":      {Store: &embed.Store{Dir: t.TempDir()}, Listen: "127.0.0.1:0", Routes: []string{"a:1", "b:1"}},
		"two servers":  {Store: &embed.Store{Dir: t.TempDir()}, Name: "a", Listen: "127.0.0.1:0", Routes: []string{"a:1"}},
	} {
		if s, err := embed.Start(cfg); err == nil {
			s.Close()
			t.Errorf("%s: the server started", name)
		}
	}
	e := start(t, embed.Config{}).Engine()
	c := cluster.New(e, cluster.Options{History: []cluster.History{{}}})
	kit.Peer(t, erpc.PeerConfig{}, c)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.Start(ctx); err == nil {
		t.Error("history was accepted on a server that keeps nothing")
	}
}

// freePorts returns addresses that nobody listens on.
func freePorts(t *testing.T, n int) (addrs []string) {
	t.Helper()
	for range n {
		addrs = append(addrs, kit.TCP.Place(t))
	}
	return addrs
}

// Three servers keep the rooms: with one of them gone, a client gets what it missed
// on another node.
func TestMeshKeepsHistoryWithoutOneServer(t *testing.T) {
	if os.Getenv("ERPC_CLUSTER") != "full" {
		t.Skip("it takes long to choose leaders; make test-cluster runs it")
	}
	kit.NoLeaks(t)
	addrs := freePorts(t, 3)
	dir := t.TempDir()
	var servers []*embed.Server
	for i, addr := range addrs {
		servers = append(servers, start(t, embed.Config{
			Name: fmt.Sprint("s", i), Listen: addr, Routes: slices.Concat(addrs[:i], addrs[i+1:]),
			Store: &embed.Store{Dir: filepath.Join(dir, fmt.Sprint(i))},
		}))
	}
	var nodes []*node
	for _, s := range servers {
		nodes = append(nodes, keeper(t, s.Engine()))
	}
	knows(t, nodes)
	sess, got := nodes[0].client(t)
	joined, err := nodes[0].Resume(t.Context(), sess, "kept", "")
	check(t, err)
	for i := range 3 {
		check(t, nodes[i].Publish(t.Context(), "kept", "/said", fmt.Sprint(i)))
		if s := kit.Await(t, "push", got); s != fmt.Sprint(i) {
			t.Errorf("got %q, want %d", s, i)
		}
	}
	servers[0].Close()
	for i := range 3 {
		kit.Eventually(t, kit.Bound, "publish without one server", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			return nodes[1].Publish(ctx, "kept", "/said", fmt.Sprint("after ", i)) == nil
		})
	}
	other, back := nodes[2].client(t)
	again, err := nodes[2].Resume(t.Context(), other, "kept", joined.Position)
	check(t, err)
	if !again.Recovered {
		t.Errorf("%+v from %+v, want it to be recovered", again, joined)
	}
	seen := map[string]bool{}
	for !seen["after 2"] { // a publish that failed may be stored, and is then there twice
		seen[kit.Await(t, "what was missed", back)] = true
	}
	for _, want := range []string{"0", "1", "2", "after 0", "after 1"} {
		if !seen[want] {
			t.Errorf("%q is missing in %v", want, seen)
		}
	}
}

// keeper is a node that keeps the history of rooms.
func keeper(t testing.TB, e cluster.Engine) *node {
	t.Helper()
	return keeperThatWaits(t, e, 20*time.Second)
}

// keeperThatWaits is a keeper that waits the given time for answers of other nodes.
func keeperThatWaits(t testing.TB, e cluster.Engine, answer time.Duration) *node {
	t.Helper()
	n := &node{Cluster: cluster.New(e, cluster.Options{
		Answer:  answer,
		History: []cluster.History{{Rooms: "kept", Size: 1000}},
	})}
	n.peer, n.addr = kit.Serve(t, erpc.PeerConfig{}, n.Cluster)
	check(t, n.Start(t.Context()))
	t.Cleanup(func() { _ = n.Close() }) // its server may be gone, and nothing flushed
	return n
}

// A member that did not read for a while gets everything from JetStream.
func TestSlowMemberReadsBackFromJetStream(t *testing.T) {
	kit.NoLeaks(t)
	n := keeper(t, start(t, embed.Config{Store: &embed.Store{Dir: t.TempDir()}}).Engine())
	p := kit.Peer(t, erpc.PeerConfig{})
	const total = 100 // more than the kernel and the queue can hold
	got := make(chan int, total)
	erpc.HandlePush(p, "/said", func(_ context.Context, s *string) error { got <- len(*s) - 64<<10; return nil }, limit.Ordered())
	conn, err := net.Dial("tcp", n.addr)
	check(t, err)
	var sess erpc.Session
	kit.Eventually(t, kit.Bound, "the session", func() bool {
		n.peer.RangeSession(func(s erpc.Session) bool { sess = s; return false })
		return sess != nil
	})
	check(t, n.Join(t.Context(), sess, "kept"))
	for i := range total {
		check(t, n.Publish(t.Context(), "kept", "/said", strings.Repeat("x", 64<<10+i)))
	}
	if _, st := p.ServeConn(conn); !st.OK() {
		t.Fatal(st)
	}
	for i := range total {
		if k := kit.Await(t, "push", got); k != i {
			t.Fatalf("message %d came as number %d", k, i)
		}
	}
}
