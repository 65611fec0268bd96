package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

// longest bounds the waits of these tests.
const longest = 30 * time.Second

// TestMoves checks the table against the life of a session as it is meant: it
// opens once, may change its connection as often as it likes, and ends once.
func TestMoves(t *testing.T) {
	want := map[[2]State]bool{
		{Preparing, Open}: true, {Preparing, Closed}: true,
		{Open, Redialing}: true, {Open, Closed}: true,
		{Redialing, Open}: true, {Redialing, Closed}: true,
	}
	all := []State{Preparing, Open, Redialing, Closed}
	for _, from := range all {
		for _, to := range all {
			if got := slices.Contains(from.next(), to); got != want[[2]State{from, to}] {
				t.Errorf("%v to %v: allowed is %v", from, to, got)
			}
		}
	}
}

func TestMovePanicsOnWhatIsNeverAllowed(t *testing.T) {
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "from closed to open") {
			t.Errorf("panic: %s", p)
		}
	}()
	var l life
	l.end()
	l.move(Closed, Open)
}

// TestLifeHasOneEnd: many goroutines move one life as a session does. Only one of
// those that end it is told that it did, and no move succeeds afterwards.
func TestLifeHasOneEnd(t *testing.T) {
	for range 200 {
		var l life
		if !l.move(Preparing, Open) {
			t.Fatal("a new session does not open")
		}
		var wg sync.WaitGroup
		var ends, down, up atomic.Int64
		for range 4 {
			wg.Go(func() {
				for range 20 {
					if l.move(Open, Redialing) {
						down.Add(1)
					}
					if l.move(Redialing, Open) {
						up.Add(1)
					}
				}
				if was, did := l.end(); did {
					ends.Add(1)
					if was == Closed || was == Preparing {
						t.Errorf("it ended when it was %v", was)
					}
				}
			})
		}
		wg.Wait()
		if ends.Load() != 1 || l.state() != Closed {
			t.Errorf("%d ends, state %v", ends.Load(), l.state())
		}
		if d := down.Load() - up.Load(); d != 0 && d != 1 {
			t.Errorf("%d times down, %d times up", down.Load(), up.Load())
		}
	}
}

// TestDiagramIsTheTable reads the diagram of docs/reliability.md: a line of it
// for each move, and no other.
func TestDiagramIsTheTable(t *testing.T) {
	doc, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, diagram, ok := bytes.Cut(doc, []byte("stateDiagram-v2"))
	if !ok {
		t.Fatal("docs/reliability.md has no stateDiagram-v2")
	}
	diagram, _, _ = bytes.Cut(diagram, []byte("```"))
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+) --> (\w+)`).FindAllSubmatch(diagram, -1) {
		drawn[string(m[1])+" to "+string(m[2])] = true
	}
	for from, to := range lifeMoves {
		for _, to := range to {
			edge := fmt.Sprint(State(from), " to ", to)
			if !drawn[edge] {
				t.Errorf("the diagram lacks %s", edge)
			}
			delete(drawn, edge)
		}
	}
	if len(drawn) > 0 {
		t.Errorf("the diagram has moves that the code does not: %v", drawn)
	}
}

// fakeOwner is the smallest Owner of a session.
type fakeOwner struct{}

func (fakeOwner) CountSession() int                 { return 0 }
func (fakeOwner) GetSession(string) (Session, bool) { return nil, false }
func (fakeOwner) RangeSession(func(Session) bool)   {}
func (fakeOwner) Close() error                      { return nil }
func (fakeOwner) Bind(s *Engine, id string)         { s.Rename(id) }
func (fakeOwner) Gone(*Engine)                      {}
func (fakeOwner) Broadcast(string, any, ...message.Setting) (int, map[string]*message.Status) {
	return 0, nil
}

// oneRoute answers every call with h.
type oneRoute struct{ h *Handler }

func (oneRoute) DispatchStream(string) (*Handler, bool) { return nil, false }

func (r oneRoute) Dispatch(call bool, _ string) (*Handler, bool) { return r.h, call && r.h != nil }

func fakeShared(routes Routes) *Shared {
	cfg := Config{
		Owner: fakeOwner{}, Routes: routes, Hooks: new(atomic.Pointer[Hooks]),
		Socket: socket.Config{}.Complete(), BodyCodec: 'j', Logger: slog.New(slog.DiscardHandler),
	}
	cfg.Hooks.Store(new(Hooks))
	return NewShared(cfg)
}

// pair returns two sessions that talk to each other over TCP.
func pair(t *testing.T, routes Routes) (here, there *Engine) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	a, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	here, st1 := Dialed(fakeShared(oneRoute{}), a, rawproto.New, "here", nil)
	there, st2 := Accept(fakeShared(routes), b, rawproto.New, "there")
	if !st1.OK() || !st2.OK() {
		t.Fatal(st1, st2)
	}
	t.Cleanup(func() {
		err := errors.Join(here.Close(), there.Close())
		for end := time.Now().Add(longest); err == nil && time.Now().Before(end); {
			if err = goleak.Find(); err == nil {
				return
			}
			err = nil
		}
		t.Errorf("goroutines left behind, or a Close failed: %v, %v", err, goleak.Find())
	})
	return here, there
}

// TestCase12SequenceNumbersWrap makes calls while the numbers wrap at 2³¹ and
// calls with the numbers that come next are not answered yet.
func TestCase12SequenceNumbersWrap(t *testing.T) {
	const held, calls = 20, 500
	release := make(chan struct{})
	started := make(chan struct{}, held)
	h := NewHandler(Spec{
		Name: "/echo", Kind: RouteCall, NewArg: func() any { return new(int) },
		Call: func(_ CallCtx, arg any) (any, *message.Status) {
			if *arg.(*int) < held {
				started <- struct{}{}
				<-release
			} else {
				time.Sleep(rand.N(2 * time.Millisecond)) // so that replies come out of order
			}
			return arg, nil
		},
	})
	s, _ := pair(t, oneRoute{h})
	results := make([]int, held+calls)
	done := make(chan *CallCmd, held+calls)
	for i := range held {
		s.AsyncCall("/echo", &i, &results[i], done)
	}
	for range held {
		<-started
	}
	p := s.conns.current().pending.get()
	p.Jump(math.MaxInt32 - calls/4)
	var seqs []int32
	for i := held; i < held+calls; i++ {
		cmd := s.AsyncCall("/echo", &i, &results[i], done)
		seqs = append(seqs, cmd.Output().Seq())
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for i := range held + calls {
		if i == calls {
			close(release)
		}
		select {
		case cmd := <-done:
			if !cmd.StatusOK() {
				t.Errorf("call: %v", cmd.Status())
			}
		case <-timer.C:
			t.Fatalf("%d calls did not end", held+calls-i)
		}
	}
	for i, n := range results {
		if n != i {
			t.Errorf("call %d got the reply to call %d", i, n)
		}
	}
	if slices.Min(seqs) < 1 || slices.Max(seqs) != math.MaxInt32 || slices.Min(seqs) > held+calls {
		t.Errorf("the numbers went from %d to %d and did not wrap", slices.Min(seqs), slices.Max(seqs))
	}
	slices.Sort(seqs)
	if slices.Min(seqs) <= held && len(slices.Compact(seqs)) != calls {
		t.Error("a number was given twice")
	}
	if n := p.Len(); n != 0 {
		t.Errorf("%d calls are still in the table", n)
	}
}

// TestCloseNotifyInTheMomentOfTheEnd gets the channel while the session ends: it
// is closed, once.
func TestCloseNotifyInTheMomentOfTheEnd(t *testing.T) {
	cfg := fakeShared(oneRoute{})
	for range 2000 {
		a, b := net.Pipe()
		s := newEngine(cfg, a, rawproto.New, "x", nil)
		s.conns.life.move(Preparing, Open)
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Close() })
		var ended <-chan struct{}
		wg.Go(func() { ended = s.CloseNotify() })
		wg.Wait()
		select {
		case <-ended:
		default:
			t.Fatal("the channel is open after the end")
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCancelledWhileRedialing: a caller that waits for another connection stops waiting
// when its context ends.
func TestCancelledWhileRedialing(t *testing.T) {
	s, _ := pair(t, oneRoute{})
	s.conns.life.move(Open, Redialing)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if st := s.Push("/x", 1, message.WithContext(ctx)); st.Code() != message.CodeCanceled {
		t.Errorf("push: %v", st)
	}
	s.conns.life.move(Redialing, Open)
}
