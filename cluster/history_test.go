package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/socket/memory"
)

// keeping are options with a history of size messages in rooms whose names begin
// with "kept".
func keeping(size int) Options {
	opt := quick
	opt.History = []History{{Rooms: "kept", Size: size, Age: time.Minute}}
	return opt
}

func newKeepers(t testing.TB, w *world, count, size int) (nodes []*testNode) {
	t.Helper()
	for range count {
		nodes = append(nodes, newNode(t, w, erpc.PeerConfig{}, keeping(size)))
	}
	return nodes
}

// A reader is a client that remembers the position of what it received.
type reader struct {
	sess, far erpc.Session
	got       chan string
	at        chan string // the position of each of got
	gaps      chan Gap
}

func (n *testNode) reader(t testing.TB) *reader {
	t.Helper()
	r := &reader{got: make(chan string, 10_000), at: make(chan string, 10_000), gaps: make(chan Gap, 100)}
	p := n.world.newPeer(t, erpc.PeerConfig{})
	erpc.HandlePush(p, "/said", func(ctx context.Context, s *string) error {
		push := erpc.PushCtxFrom(ctx)
		if room := string(push.PeekMeta(MetaRoom)); room != "kept" {
			t.Errorf("a push of room %q", room)
		}
		r.at <- string(push.PeekMeta(MetaPosition))
		r.got <- *s
		return nil
	}, limit.Ordered())
	erpc.HandlePush(p, GapMethod, func(_ context.Context, g *Gap) error { r.gaps <- *g; return nil })
	r.far = kit.Open(t, p, n.addr)
	synctest.Wait()
	n.peer.RangeSession(func(s erpc.Session) bool {
		if s.RemoteAddr().String() == r.far.LocalAddr().String() {
			r.sess = s
		}
		return r.sess == nil
	})
	return r
}

// deaf stops delivery of the messages of the room to the node, which must be the only one
// with members, or starts it again.
func (n *testNode) deaf(on bool) {
	bus := n.world.Memory
	bus.mu.Lock()
	defer bus.mu.Unlock()
	if subject := n.subjectRoom("kept"); on {
		n.engine.removeLocked(subject)
	} else {
		bus.subs[subject] = map[*MemoryEngine]struct{}{n.engine: {}}
	}
}

// takes returns what has arrived, and the position of the last message.
func (r *reader) takes() (got []string, at string) {
	synctest.Wait()
	for len(r.got) > 0 {
		got, at = append(got, <-r.got), <-r.at
	}
	return got, at
}

func (n *testNode) says(t testing.TB, from, to int) (said []string) {
	t.Helper()
	for i := from; i <= to; i++ {
		s := fmt.Sprint(i)
		check(t, n.Publish(t.Context(), "kept", "/said", s))
		said = append(said, s)
	}
	return said
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d messages %.100q, want %d %.100q", what, len(got), got, len(want), want)
	}
}

// Members on all nodes get the messages of all publishers in one order.
func TestRoomWithHistoryHasOneOrder(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newKeepers(t, newWorld(), 3, 1000)
		var readers []*reader
		for _, n := range nodes {
			r := n.reader(t)
			check(t, n.Join(t.Context(), r.sess, "kept"))
			readers = append(readers, r)
		}
		done := make(chan struct{}, len(nodes))
		for _, n := range nodes {
			go func() {
				for range 100 {
					n.says(t, 1, 3)
				}
				done <- struct{}{}
			}()
		}
		for range nodes {
			kit.Await(t, "publisher", done)
		}
		first, _ := readers[0].takes()
		if len(first) != 900 {
			t.Errorf("%d messages, want 900", len(first))
		}
		for _, r := range readers[1:] {
			got, _ := r.takes()
			same(t, "another member", got, first)
		}
	})
}

// A client that comes back, to any node, gets what it missed, and then everything
// new.
func TestResumeGetsWhatWasMissed(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newKeepers(t, newWorld(), 2, 1000)
		r := nodes[0].reader(t)
		check(t, nodes[0].Join(t.Context(), r.sess, "kept"))
		nodes[1].says(t, 1, 5)
		_, at := r.takes()
		check(t, r.far.Close())
		want := nodes[0].says(t, 6, 6+3*pageSize)
		for _, n := range nodes {
			back := n.reader(t)
			joined, err := n.Resume(t.Context(), back.sess, "kept", at)
			check(t, err)
			if !joined.Recovered || joined.Position != at {
				t.Errorf("%+v, want it to be recovered from %s", joined, at)
			}
			got, _ := back.takes()
			same(t, "what was missed", got, want)
			same(t, "what comes", nodes[1].says(t, 7, 9), func() []string { got, _ := back.takes(); return got }())
			want = append(want, "7", "8", "9")
			if len(back.gaps) > 0 {
				t.Errorf("a gap is told: %+v", <-back.gaps)
			}
		}
	})
}

// A client that has received no message yet has a position, too: the one of its
// join.
func TestResumeOfClientThatGotNothingYet(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newKeepers(t, newWorld(), 1, 1000)[0]
		r := n.reader(t)
		joined, err := n.Resume(t.Context(), r.sess, "kept", "")
		check(t, err)
		if joined.Recovered || joined.Position == "" {
			t.Errorf("%+v, want a position, and not recovered", joined)
		}
		check(t, r.far.Close())
		want := n.says(t, 1, 3)
		back := n.reader(t)
		joined, err = n.Resume(t.Context(), back.sess, "kept", joined.Position)
		check(t, err)
		got, _ := back.takes()
		if same(t, "what was missed", got, want); !joined.Recovered {
			t.Error("not recovered")
		}
	})
}

// A client is told when the log has lost what it missed, and gets everything
// published from then on.
func TestResumeSaysWhatCannotBeRecovered(t *testing.T) {
	lost := Position{Epoch: "other", Seq: 1}
	for name, c := range map[string]struct {
		spoil func(n *testNode)
		at    func(at Position) Position
	}{
		"more than the size": {spoil: func(n *testNode) {
			for range 11 {
				_ = n.Publish(context.Background(), "kept", "/said", "x")
			}
		}},
		"older than the age":    {spoil: func(*testNode) { time.Sleep(2 * time.Minute) }},
		"the log was lost":      {spoil: func(n *testNode) { n.world.ForgetHistory() }},
		"another epoch":         {at: func(Position) Position { return lost }},
		"the log lost its tail": {at: func(at Position) Position { at.Seq += 1000; return at }},
		"no position":           {at: func(Position) Position { return Position{} }},
		"the age, and new words": {spoil: func(n *testNode) {
			time.Sleep(2 * time.Minute)
			_ = n.Publish(context.Background(), "kept", "/said", "x")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				n := newKeepers(t, newWorld(), 1, 10)[0]
				r := n.reader(t)
				check(t, n.Join(t.Context(), r.sess, "kept"))
				n.says(t, 1, 5)
				_, text := r.takes()
				check(t, r.far.Close())
				n.says(t, 6, 7)
				at, err := ParsePosition(text)
				check(t, err)
				if c.spoil != nil {
					c.spoil(n)
				}
				if c.at != nil {
					at = c.at(at)
				}
				back := n.reader(t)
				joined, err := n.Resume(t.Context(), back.sess, "kept", at.String())
				check(t, err)
				if joined.Recovered {
					t.Error("it says that all is recovered")
				}
				time.Sleep(time.Second) // a number that is used again belongs to a newer message
				want := n.says(t, 8, 9)
				got, _ := back.takes()
				same(t, "what comes", got, want)
				again := n.reader(t)
				joined, err = n.Resume(t.Context(), again.sess, "kept", joined.Position)
				check(t, err)
				got, _ = again.takes()
				if same(t, "from the new position", got, want); !joined.Recovered {
					t.Error("the new position is useless")
				}
			})
		})
	}
}

// A member that does not read costs the others nothing, and gets everything when it
// reads again. Only if the log no longer has it, the member is told so.
func TestSlowMemberReadsBack(t *testing.T) {
	for name, size := range map[string]int{"kept": 1000, "lost": 5} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				w := newWorld()
				n := newNode(t, w, erpc.PeerConfig{QueueLimit: 64 << 10}, keeping(size))
				stop := make(chan struct{})
				p := w.newPeer(t, erpc.PeerConfig{})
				var got []int
				var told []Gap
				erpc.HandlePush(p, "/said", func(_ context.Context, s *string) error {
					<-stop
					got = append(got, len(*s))
					return nil
				}, limit.Ordered())
				erpc.HandlePush(p, GapMethod, func(_ context.Context, g *Gap) error { told = append(told, *g); return nil }, limit.Ordered())
				conn, err := w.network.Dial(t.Context(), memory.Network, n.addr, nil)
				check(t, err)
				synctest.Wait()
				var slow erpc.Session
				n.peer.RangeSession(func(s erpc.Session) bool { slow = s; return false })
				fast := n.reader(t)
				check(t, n.Join(t.Context(), slow, "kept"))
				check(t, n.Join(t.Context(), fast.sess, "kept"))
				const total = 60
				for i := range total {
					check(t, n.Publish(t.Context(), "kept", "/said", strings.Repeat("x", 32<<10+i)))
					if s := kit.Await(t, "push to the fast one", fast.got); len(s) != 32<<10+i {
						t.Fatalf("message %d has %d bytes", i, len(s))
					}
				}
				time.Sleep(time.Second) // waiting would not help
				close(stop)
				_, st := p.ServeConn(conn)
				if !st.OK() {
					t.Fatal(st)
				}
				time.Sleep(10 * time.Second)
				check(t, n.Publish(t.Context(), "kept", "/said", strings.Repeat("x", 32<<10+total)))
				synctest.Wait()
				for i := 1; i < len(got); i++ {
					if got[i] <= got[i-1] {
						t.Errorf("message %d after %d", got[i]-32<<10, got[i-1]-32<<10)
					}
				}
				if all := len(got) == total+1; all != (name == "kept") || len(told) > 0 == all || got[len(got)-1] != 32<<10+total {
					t.Errorf("%d messages of %d came, and it was told of %+v", len(got), total+1, told)
				}
				if name == "lost" && (told[0].Room != "kept" || told[0].Position == "") {
					t.Errorf("it was told of %+v", told[0])
				}
			})
		})
	}
}

// What was published while a node was cut off reaches its members once, when the
// node is back.
func TestCutOffNodeReadsBack(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newKeepers(t, newWorld(), 2, 1000)
		r := nodes[0].reader(t)
		check(t, nodes[0].Join(t.Context(), r.sess, "kept"))
		want := nodes[1].says(t, 1, 3)
		nodes[0].engine.SetConnected(false)
		if err := nodes[0].Publish(t.Context(), "kept", "/said", "no"); !errors.Is(err, ErrDown) {
			t.Errorf("publish: %v, want ErrDown", err)
		}
		if _, err := nodes[0].Resume(t.Context(), nodes[0].reader(t).sess, "kept", ""); !errors.Is(err, ErrDown) {
			t.Errorf("resume: %v, want ErrDown", err)
		}
		want = append(want, nodes[1].says(t, 4, 300)...)
		nodes[0].engine.SetConnected(true)
		want = append(want, nodes[1].says(t, 301, 303)...)
		time.Sleep(time.Second)
		got, _ := r.takes()
		same(t, "after the cut", got, want)
		if len(r.gaps) > 0 {
			t.Errorf("a gap is told: %+v", <-r.gaps)
		}
	})
}

// A live message that the engine loses is read from the log: with the next message,
// or half a minute later.
func TestLostLiveMessageIsReadBack(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newKeepers(t, newWorld(), 2, 1000)
		r := nodes[0].reader(t)
		check(t, nodes[0].Join(t.Context(), r.sess, "kept"))
		want := nodes[1].says(t, 1, 3)
		nodes[0].deaf(true)
		want = append(want, nodes[1].says(t, 4, 8)...)
		nodes[0].deaf(false)
		if got, _ := r.takes(); len(got) != 3 {
			t.Fatalf("%q came, the test is wrong", got)
		}
		want = append(want, nodes[1].says(t, 9, 9)...)
		got, _ := r.takes()
		same(t, "after the next message", got, want[3:])
		nodes[0].deaf(true)
		want = nodes[1].says(t, 10, 10)
		nodes[0].deaf(false)
		time.Sleep(verifyEvery + time.Second)
		got, _ = r.takes()
		same(t, "half a minute later", got, want)
	})
}

func TestExceptIsLeftOutOfHistory(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newKeepers(t, newWorld(), 1, 1000)[0]
		r, other := n.reader(t), n.reader(t)
		check(t, n.Join(t.Context(), r.sess, "kept"))
		check(t, n.Join(t.Context(), other.sess, "kept"))
		for i := range 3 {
			check(t, n.Publish(t.Context(), "kept", "/said", fmt.Sprint(i), Except(n.Address(r.sess))))
		}
		n.says(t, 7, 7)
		got, _ := r.takes()
		same(t, "the author", got, []string{"7"})
		got, _ = other.takes()
		same(t, "another", got, []string{"0", "1", "2", "7"})
	})
}

// A program that wants history from an engine without a log gets an error when the
// node starts.
func TestHistoryNeedsLog(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		c := New(struct{ Engine }{w.Engine()}, keeping(10))
		w.newPeer(t, erpc.PeerConfig{}, c)
		if err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "History") {
			t.Errorf("%v, want an error that names History", err)
		}
	})
}

func TestLongestBeginningDecidesHistory(t *testing.T) {
	c := New(NewMemory().Engine(), Options{History: []History{{Rooms: "a", Size: 1}, {Rooms: "a/b", Size: 2}, {Rooms: "c"}}})
	for room, size := range map[string]int{"a": 1, "a/": 1, "a/b": 2, "a/b/c": 2, "c1": 100, "d": 0, "": 0} {
		h := c.historyOf(room)
		if got := func() int {
			if h == nil {
				return 0
			}
			return h.Size
		}(); got != size {
			t.Errorf("room %q keeps %d, want %d", room, got, size)
		}
	}
}

func TestPositionText(t *testing.T) {
	for _, p := range []Position{{}, {"e", 0, 0}, {"e", 1<<64 - 1, -1}, {"E-x", 77, 1764384000123456789}} {
		back, err := ParsePosition(p.String())
		if err != nil || back != p {
			t.Errorf("%+v became %q, then %+v, %v", p, p, back, err)
		}
	}
	for _, s := range []string{"x", "a.b", ".1.1", "a.1.1.1", "a..1", "a.-1.1", "a.!.1", "a.1.!", strings.Repeat("a", 200) + ".1.1"} {
		if p, err := ParsePosition(s); err == nil {
			t.Errorf("%.20q is position %+v", s, p)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add("e.1.1")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		again, err := ParsePosition(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %+v, and that again %+v, %v", s, p, again, err)
		}
	})
}

// Every state of a member can be left, and only by the transitions of the table.
func TestFeedFollowsItsTable(t *testing.T) {
	all := []feedState{feedWaiting, feedLive, feedBehind, feedBlocked}
	for _, from := range all {
		for _, to := range all {
			in := membership{state: from}
			want := slices.Contains(feedMoves[from], to)
			if moved := in.moveLocked(to); moved != want || moved && in.state != to || !moved && in.state != from {
				t.Errorf("%v to %v: moved %v, now %v", from, to, moved, in.state)
			}
		}
		if len(feedMoves[from]) == 0 || from.String() == "" {
			t.Errorf("nothing leaves %v", from)
		}
	}
}

// unreadable is an engine whose log can't be read while fails is set.
type unreadable struct {
	*MemoryEngine
	fails atomic.Bool
	reads atomic.Int64
}

func (e *unreadable) Read(ctx context.Context, subject string, since Position, limit int) (Page, error) {
	e.reads.Add(1)
	if e.fails.Load() {
		return Page{}, errors.New("the disk is gone")
	}
	return e.MemoryEngine.Read(ctx, subject, since, limit)
}

// A log that can't be read is tried once a second, reported every ten seconds, and
// loses nothing.
func TestLogThatFailsIsAskedAgain(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		e := &unreadable{MemoryEngine: w.Engine()}
		log := &kit.Log{Min: slog.LevelWarn}
		n := newNodeOn(t, w, erpc.PeerConfig{Logger: slog.New(log)}, keeping(1000), e, e.MemoryEngine)
		r := n.reader(t)
		check(t, n.Join(t.Context(), r.sess, "kept"))
		want := n.says(t, 1, 3)
		synctest.Wait()
		e.fails.Store(true)
		e.loseStored()
		n.doubt(n.topics.get(n.subjectRoom("kept")), nil)
		want = append(want, n.says(t, 4, 6)...)
		before := e.reads.Load()
		time.Sleep(20 * time.Second)
		if k := e.reads.Load() - before; k < 10 || k > 25 {
			t.Errorf("it was tried %d times in 20 s", k)
		}
		if k := len(log.Says("disk")); k < 1 || k > 3 {
			t.Errorf("%d lines in 20 s", k)
		}
		if _, err := n.Resume(t.Context(), n.reader(t).sess, "kept", ""); err == nil {
			t.Error("a session has joined a room whose log can't be read")
		}
		e.fails.Store(false)
		time.Sleep(2 * time.Second)
		got, _ := r.takes()
		same(t, "after the failure", got, want)
	})
}

// A log that started again, while the engine still reports the old epoch, is
// recognized by a number that is too small: members then read the log.
func TestNumberThatGoesBackMakesMembersLook(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newKeepers(t, newWorld(), 1, 1000)[0]
		r := n.reader(t)
		check(t, n.Join(t.Context(), r.sess, "kept"))
		n.says(t, 1, 5)
		_, text := r.takes()
		at, err := ParsePosition(text)
		check(t, err)
		n.world.ForgetHistory()
		at.Seq = 1
		e := &envelope{kind: kindPush, node: n.Node(), method: "/said", codec: codec.ID_JSON, body: []byte(`"new"`)}
		events{n.Cluster}.Stored(n.subjectRoom("kept"), at, 0, e.encode())
		synctest.Wait()
		if g := kit.Await(t, "the word that it must start afresh", r.gaps); g.Position == "" || g.Position == text {
			t.Errorf("%+v, want the position in the log that started again", g)
		}
	})
}

// A shortLog is an engine whose log seems to end after shows messages, if that is not 0,
// as the log of a leader does that has not read its tail yet.
type shortLog struct {
	*MemoryEngine
	shows atomic.Uint64
}

func (e *shortLog) Read(ctx context.Context, subject string, since Position, limit int) (Page, error) {
	page, err := e.MemoryEngine.Read(ctx, subject, since, limit)
	if n := e.shows.Load(); err == nil && n > 0 && page.Top.Seq > n {
		page.Top.Seq = n
		page.Complete = page.Complete && since.Seq <= n
		page.Entries = slices.DeleteFunc(page.Entries, func(x Entry) bool { return x.At.Seq > n || !page.Complete })
	}
	return page, err
}

// A log that seems to have lost its tail, and has it again later, repeats nothing:
// neither to members, nor to a client that comes back. A log that has really lost its
// tail uses the numbers again, and the new messages with these numbers arrive.
func TestLogWhoseTailIsAwayRepeatsNothing(t *testing.T) {
	for name, resume := range map[string]bool{"members": false, "whoever comes back": true} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) { testTailAway(t, resume) })
		})
	}
}

func testTailAway(t *testing.T, resume bool) {
	w := newWorld()
	e := &shortLog{MemoryEngine: w.Engine()}
	n := newNodeOn(t, w, erpc.PeerConfig{}, keeping(1000), e, e.MemoryEngine)
	look := func() { n.doubt(n.topics.get(n.subjectRoom("kept")), nil) }
	r := n.reader(t)
	check(t, n.Join(t.Context(), r.sess, "kept"))
	want := n.says(t, 1, 250) // more than two pages
	got, at := r.takes()
	same(t, "at first", got, want)

	e.shows.Store(20)
	if resume {
		r = n.reader(t)
		joined, err := n.Resume(t.Context(), r.sess, "kept", at)
		check(t, err)
		if joined.Recovered {
			t.Errorf("%+v, but the log does not have that position", joined)
		}
	} else {
		look()
		kit.Await(t, "the word of a gap", r.gaps)
	}
	e.shows.Store(10) // another leader, which has even less
	look()
	kit.Await(t, "the word of a gap", r.gaps)
	e.shows.Store(0)
	look()
	got, _ = r.takes()
	same(t, "when the tail is back", got, nil)
	time.Sleep(time.Second)
	want = n.says(t, 251, 260)
	got, at = r.takes()
	same(t, "afterwards", got, want)

	time.Sleep(time.Second)
	w.loseTail(100)
	look()
	kit.Await(t, "the word that the tail was lost", r.gaps)
	want = n.says(t, 101, 300)
	got, at2 := r.takes()
	same(t, "under numbers that were given before", got, want)
	if at == at2 {
		t.Errorf("position %s of two messages", at)
	}
}

// loseTail leaves each room n messages, as a server does after a power failure.
func (w *world) loseTail(n uint64) {
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	for _, l := range w.logs.m {
		l.last = n
		for _, r := range l.rooms {
			r.entries = slices.DeleteFunc(r.entries, func(x Entry) bool { return x.At.Seq > n })
			r.last = n
		}
	}
}

// A slowLog is an engine whose Read returns what it has read once the channel is closed.
type slowLog struct {
	*MemoryEngine
	until atomic.Pointer[chan struct{}]
}

func (e *slowLog) Read(ctx context.Context, subject string, since Position, limit int) (Page, error) {
	page, err := e.MemoryEngine.Read(ctx, subject, since, limit)
	if until := e.until.Load(); until != nil {
		<-*until
	}
	return page, err
}

// If live messages may have been lost while the log is being read, it is read again,
// because the result may be from before the loss.
func TestDoubtWhileReadingMakesItReadAgain(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		e := &slowLog{MemoryEngine: w.Engine()}
		n := newNodeOn(t, w, erpc.PeerConfig{}, keeping(1000), e, e.MemoryEngine)
		r := n.reader(t)
		check(t, n.Join(t.Context(), r.sess, "kept"))
		n.says(t, 1, 3)
		r.takes()
		until := make(chan struct{})
		e.until.Store(&until)
		n.missed("")
		synctest.Wait()
		n.deaf(true)
		want := n.says(t, 4, 4)
		n.deaf(false)
		n.missed("")
		close(until)
		got, _ := r.takes()
		same(t, "after the second doubt", got, want)
	})
}
