package cluster

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// Every cell of the table of promises names an existing test.
func TestEveryPromiseHasTest(t *testing.T) {
	page, err := os.ReadFile("../docs/cluster.md")
	check(t, err)
	_, table, found := strings.Cut(string(page), "\n## Guarantees under failures\n")
	if !found {
		t.Fatal("the page has no table of promises")
	}
	there := map[string]map[string]bool{}
	for sign, dir := range map[string]string{"": ".", "†": "nats", "‡": "member"} {
		there[sign] = testsIn(t, dir)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`([†‡]?)")
	cells := 0
	for line := range strings.Lines(table) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.Trim(row[0], " ") == "" {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				if !there[m[2]][m[1]] {
					t.Errorf("the page names %s, which does not exist", m[0])
				}
			}
			continue
		}
		if len(row) != 6 {
			t.Errorf("%d cells in the row of %q, want 6", len(row), row[0])
		}
		for i, cell := range row[1:] {
			tests := named.FindAllStringSubmatch(cell, -1)
			if len(tests) == 0 && strings.TrimSpace(cell) != "–" {
				t.Errorf("%s, column %d: no test shows that %q", row[0], i+1, cell)
			}
			for _, m := range tests {
				cells++
				if !there[m[2]][m[1]] {
					t.Errorf("%s, column %d: %s does not exist", row[0], i+1, m[0])
				}
			}
		}
	}
	if cells < 40 {
		t.Errorf("only %d tests are named in the table", cells)
	}
}

// testsIn returns the names of the tests of a directory.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	check(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		check(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

// A node that is cut off says so for as long as that lasts: it does not take the
// nodes that it cannot hear for dead, or itself for the whole cluster.
func TestNodeWithoutEngineSaysSo(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		c, other := nodes[0].client(t, "c"), nodes[1].client(t, "other")
		check(t, nodes[0].Join(t.Context(), c.sess, "room"))
		check(t, nodes[1].Join(t.Context(), other.sess, "room"))
		far := nodes[1].Address(other.sess)
		asked, err := nodes[0].Presence(t.Context(), "room")
		check(t, err)
		nodes[0].engine.SetConnected(false)
		synctest.Wait()
		if again, err := nodes[0].Presence(t.Context(), "room"); err != nil || len(again) != 2 || len(asked) != 2 {
			t.Errorf("%v, %v: want the two members of the answer that is less than a second old", again, err)
		}
		for _, after := range []time.Duration{0, 10 * quick.Beat, time.Minute} {
			time.Sleep(after)
			for name, ask := range map[string]func() error{
				"members": func() error { _, err := nodes[0].Members(t.Context(), "room"); return err },
				"count":   func() error { _, err := nodes[0].Count(t.Context(), "room"); return err },
				"online":  func() error { _, err := nodes[0].Online(t.Context(), "ann"); return err },
				"presence of a room that was not asked for": func() error {
					_, err := nodes[0].Presence(t.Context(), "other room")
					return err
				},
				"push":         func() error { return nodes[0].PushSession(t.Context(), far, "/said", "hi") },
				"confirm":      func() error { return nodes[0].PushSession(t.Context(), far, "/said", "hi", Confirm()) },
				"user":         func() error { return nodes[0].PushUser(t.Context(), "ann", "/said", "hi", Confirm()) },
				"broadcast":    func() error { return nodes[0].Broadcast(t.Context(), "/said", "hi") },
				"publish":      func() error { return nodes[0].Publish(t.Context(), "room", "/said", "hi") },
				"another room": func() error { return nodes[0].Join(t.Context(), c.sess, "another") },
				"call": func() error {
					_, err := Call[int](t.Context(), nodes[0].Cluster, far, "/double", 1)
					return err
				},
			} {
				before := time.Now()
				if err := ask(); !errors.Is(err, ErrDown) || time.Since(before) > 0 {
					t.Errorf("%s, %v after the cut: %v after %v, want ErrDown at once", name, after, err, time.Since(before))
				}
			}
		}
		other.silent(t)
	})
}

// The address of a session ends with its connection. A user who comes back elsewhere
// is found by name.
func TestAddressEndsWithItsConnection(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		first := nodes[0].client(t, "c")
		check(t, nodes[0].SetUser(t.Context(), first.sess, "ann"))
		old := nodes[0].Address(first.sess)
		check(t, first.far.Close())
		synctest.Wait()
		second := nodes[1].client(t, "c")
		check(t, nodes[1].SetUser(t.Context(), second.sess, "ann"))
		for i, n := range nodes {
			if err := n.PushSession(t.Context(), old, "/said", "hi", Confirm()); !errors.Is(err, ErrNobody) {
				t.Errorf("node %d: push to the old address: %v, want ErrNobody", i, err)
			}
			if _, err := Call[int](t.Context(), n.Cluster, old, "/double", 1); erpc.StatusFromError(err).Code() != erpc.CodeNotFound {
				t.Errorf("node %d: call of the old address: %v, want an error that nobody is there", i, err)
			}
			check(t, n.PushUser(t.Context(), "ann", "/said", "to ann", Confirm()))
			second.wants(t, "to ann")
			if d, err := Call[int](t.Context(), n.Cluster, nodes[1].Address(second.sess), "/double", 21); err != nil || *d != 42 {
				t.Errorf("node %d: call of the new address: %v, %v", i, d, err)
			}
		}
		second.silent(t)
		first.silent(t)
	})
}

// A member that comes back to another node is a member once, on that node, and
// those who ask for changes are told of one leave and one join.
func TestMemberThatComesBackElsewhereIsThereOnce(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		var nodes []*testNode
		for range 3 {
			nodes = append(nodes, newNode(t, w, erpc.PeerConfig{}, telling()))
		}
		const room = "talk"
		_, got := nodes[2].watcher(t, room)
		first := nodes[0].client(t, "c")
		check(t, nodes[0].Join(t.Context(), first.sess, room))
		joined := kit.Await(t, "the first joining", got)
		old := nodes[0].Address(first.sess)
		if len(joined.Joined) != 1 || joined.Joined[0].Address != old {
			t.Errorf("%+v, want %s to have joined", joined, old)
		}
		check(t, first.far.Close())
		synctest.Wait()
		second := nodes[1].client(t, "c")
		check(t, nodes[1].SetUser(t.Context(), second.sess, "ann"))
		check(t, nodes[1].Join(t.Context(), second.sess, room))
		now := nodes[1].Address(second.sess)
		time.Sleep(presenceAge)
		left, come := map[string]int{}, map[string]int{}
		for len(got) > 0 {
			c := <-got
			for _, m := range c.Left {
				left[m.Address]++
			}
			for _, m := range c.Joined {
				come[m.Address]++
			}
		}
		if !maps.Equal(left, map[string]int{old: 1}) || !maps.Equal(come, map[string]int{now: 1}) {
			t.Errorf("told of leaves %v and joins %v, want %s and %s", left, come, old, now)
		}
		for i, n := range nodes {
			for name, ask := range map[string]func(context.Context, string) ([]Member, error){"members": n.Members, "presence": n.Presence} {
				members, err := ask(t.Context(), room)
				check(t, err)
				members = slices.DeleteFunc(members, func(m Member) bool { return m.User != "ann" && m.Address != old }) // the watcher
				if len(members) != 1 || members[0].Address != now {
					t.Errorf("node %d: %s are %+v, want %s", i, name, members, now)
				}
			}
			online, err := n.Online(t.Context(), "ann")
			if err != nil || !slices.Equal(online, []string{"ann"}) {
				t.Errorf("node %d: %q are online, %v", i, online, err)
			}
		}
	})
}

// A call to a session that does not read ends with its deadline, like any call, and
// does not delay others.
func TestCallToSlowSessionEndsWithDeadline(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{QueueLimit: 64 << 10}, quick)
		slow, _ := slowClient(t, b)
		c := b.client(t, "c")
		text := strings.Repeat("x", 32<<10)
		for dropped := b.Stats().Dropped; b.Stats().Dropped == dropped; synctest.Wait() {
			check(t, a.PushSession(t.Context(), b.Address(slow), "/said", text))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := Call[string](ctx, a.Cluster, b.Address(slow), "/ask", text)
			ended <- err
		}()
		synctest.Wait()
		if d, err := Call[int](t.Context(), a.Cluster, b.Address(c.sess), "/double", 21); err != nil || *d != 42 {
			t.Errorf("a call to another session of the node: %v, %v", d, err)
		}
		if err := kit.Await(t, "the end of the call", ended); erpc.StatusFromError(err).Code() != erpc.CodeHandleTimeout {
			t.Errorf("%v, want a timeout", err)
		}
	})
}

// A member that does not read is told that there were changes when it reads again.
func TestSlowMemberMissesChangesAndIsTold(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		n := newNode(t, w, erpc.PeerConfig{QueueLimit: 64 << 10}, telling())
		slow, conn := slowClient(t, n)
		check(t, n.Join(t.Context(), slow, "talk", WithChanges()))
		for size := 32 << 10; size > 0; size /= 2 { // until nothing has room
			for full := 0; full < 2; synctest.Wait() { // once more when everything that can be written is written
				_, why := erpc.TryBroadcastTo([]erpc.Session{slow}, "/said", strings.Repeat("x", size))
				full += len(why)
			}
		}
		c := n.client(t, "c")
		check(t, n.Join(t.Context(), c.sess, "talk", WithInfo("missed")))
		time.Sleep(time.Second)
		var all []byte
		buf := make([]byte, 256<<10)
		read := func(until string) {
			t.Helper()
			check(t, conn.SetReadDeadline(time.Now().Add(kit.Bound)))
			for !bytes.Contains(all, []byte(until)) {
				k, err := conn.Read(buf)
				if err != nil {
					t.Fatalf("%v before %s, after %q", err, until, all[max(0, len(all)-600):])
				}
				all = append(all, buf[:k]...)
			}
		}
		k, err := conn.Read(buf) // now it has room, and the next change is told first
		check(t, err)
		all = append(all, buf[:k]...)
		synctest.Wait()
		body := []byte(`{"room":"talk","gone":"somebody"}`)
		n.tellChange(n.topics.get(n.subjectRoom("talk")), body)
		read("somebody")
		read(`"many":true`)
		if bytes.Contains(all, []byte("missed")) {
			t.Error("it was told of a change that should have been dropped")
		}
	})
}
