package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

func TestMain(m *testing.M) { kit.Main(m) }

// A fleet is a number of servers, each of which answers with its own address.
type fleet struct {
	*testing.T
	network *memory.Transport
	servers map[string]*server
}

type server struct {
	peer    erpc.Peer
	calls   atomic.Int64
	hold    chan struct{} // if not nil, /where waits until it is closed
	fails   atomic.Bool   // /where fails with the error of a gateway
	denies  atomic.Bool   // the handler of /where answers with an error of its own
	refuses atomic.Bool   // calls are refused before they reach the handler
}

func newFleet(t *testing.T, addresses ...string) *fleet {
	f := &fleet{t, memory.New(), map[string]*server{}}
	for _, a := range addresses {
		f.start(a)
	}
	return f
}

func (f *fleet) newPeer(cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	cfg.Network, cfg.Transports = memory.Network, []erpc.Transport{f.network}
	return kit.Peer(f, cfg, plugins...)
}

func (f *fleet) start(address string) *server {
	f.Helper()
	s := &server{}
	s.peer = f.newPeer(erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "refuse", OnPostReadCallHeader: func(erpc.ReadCtx) *erpc.Status {
		if s.refuses.Load() {
			return erpc.Refusal(erpc.NewStatus(erpc.CodeExhausted, "full"))
		}
		return nil
	}})
	erpc.HandleCall(s.peer, "/where", func(ctx context.Context, _ *string) (*string, error) {
		s.calls.Add(1)
		if s.fails.Load() {
			return nil, erpc.NewStatus(erpc.CodeBadGateway, "out of order").Err()
		}
		if s.denies.Load() {
			return nil, erpc.NewStatus(1000, "no such order").Err()
		}
		if s.hold != nil {
			select {
			case <-s.hold:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return &address, nil
	})
	erpc.HandlePush(s.peer, "/note", func(context.Context, *string) error { s.calls.Add(1); return nil })
	lis, err := s.peer.ListenOn(memory.Network, address)
	if err != nil {
		f.Fatal(err)
	}
	kit.StartOn(f, s.peer, lis)
	f.servers[address] = s
	return s
}

func (f *fleet) client(from Resolver, opt Options) *Client {
	c := New(f.newPeer(erpc.PeerConfig{}), from, opt)
	f.Cleanup(c.Close)
	return c
}

// where makes n calls and counts the servers that answered; errors count as
// "error".
func where(t *testing.T, c *Client, n int) map[string]int {
	t.Helper()
	count := map[string]int{}
	for range n {
		address, err := erpc.CallValue[string](t.Context(), c, "/where", "")
		if err != nil {
			t.Log(err)
			address = "error"
		}
		count[address]++
	}
	return count
}

// moving is a resolver whose answer a test can change.
type moving struct {
	mu      sync.Mutex
	set     []Instance
	err     error
	changed chan struct{}
}

func (m *moving) Resolve(context.Context) (Set, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return Set{Instances: m.set, Changed: m.changed}, m.err
}

func (m *moving) become(err error, addresses ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set, m.err = Addresses(addresses...), err
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

func TestCallsSpreadOverInstances(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "c")
		c := f.client(Addresses("a", "b", "c"), Options{Picker: RoundRobin()})
		if got := where(t, c, 30); got["a"] != 10 || got["b"] != 10 || got["c"] != 10 {
			t.Errorf("%v, want ten each", got)
		}
		for range 30 {
			if st := c.Push("/note", "hi"); !st.OK() {
				t.Error(st)
			}
		}
		synctest.Wait()
		for address, s := range f.servers {
			if n := s.calls.Load(); n != 20 {
				t.Errorf("%s has served %d, want 20", address, n)
			}
		}
	})
}

// A session is dialed for the first call, and only once.
func TestSessionsAreLazy(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		c := f.client(Addresses("a", "b"), Options{Picker: Sticky(RoundRobin())})
		synctest.Wait()
		sessions := func() int { return f.servers["a"].peer.CountSession() + f.servers["b"].peer.CountSession() }
		if n := sessions(); n != 0 {
			t.Errorf("%d sessions before the first call", n)
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { where(t, c, 1) })
		}
		wg.Wait()
		if n := sessions(); n != 1 {
			t.Errorf("%d sessions for calls that stick to one instance", n)
		}
	})
}

// An instance that can't be reached costs no call, and a call that it refuses is not
// lost. When it is back, it gets calls again.
func TestFailover(t *testing.T) {
	for name, c := range map[string]struct{ out, in func(f *fleet) }{
		"closed": {func(f *fleet) { check(f.T, f.servers["a"].peer.Close()) }, func(f *fleet) { f.start("a") }},
		"refuses": {
			func(f *fleet) { f.servers["a"].refuses.Store(true) },
			func(f *fleet) { f.servers["a"].refuses.Store(false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				f := newFleet(t, "a", "b", "c")
				cl := f.client(Addresses("a", "b", "c"), Options{Picker: RoundRobin(), Ejection: time.Second})
				where(t, cl, 6)
				c.out(f)
				synctest.Wait() // until the client has noticed
				if got := where(t, cl, 60); got["b"]+got["c"] != 60 {
					t.Errorf("without a: %v, want 60 of b and c", got)
				}
				c.in(f)
				time.Sleep(time.Minute)
				where(t, cl, 6) // one of them notices
				if got := where(t, cl, 30); got["a"] != 10 {
					t.Errorf("with a again: %v, want ten each", got)
				}
			})
		})
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An error of the application is an answer: no instance is ejected for it, and the
// call is not tried elsewhere. Neither is a call that may have been executed.
func TestNothingIsExecutedTwice(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		c := f.client(Addresses("a", "b"), Options{Picker: RoundRobin(), Failures: -1})
		f.servers["a"].fails.Store(true)
		f.servers["b"].fails.Store(true)
		if got := where(t, c, 10); got["error"] != 10 {
			t.Errorf("%v, want errors", got)
		}
		if n := f.servers["a"].calls.Load() + f.servers["b"].calls.Load(); n != 10 {
			t.Errorf("10 calls were executed %d times", n)
		}
	})
}

// An instance that fails again and again gets no calls for a while; if most instances
// fail, the cause is elsewhere, and all get calls.
func TestOutlierIsEjectedUnlessMostAre(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "c")
		c := f.client(Addresses("a", "b", "c"), Options{Picker: RoundRobin(), Failures: 3})
		f.servers["a"].fails.Store(true)
		if got := where(t, c, 30); got["error"] != 3 {
			t.Errorf("%v, want three errors until a is ejected", got)
		}
		if s := c.Stats(); s[0].Health != "ejected" || s[1].Health != "healthy" || !s[1].Connected {
			t.Errorf("%+v", s)
		}
		f.servers["b"].fails.Store(true)
		where(t, c, 12)
		f.servers["c"].calls.Store(0)
		where(t, c, 30)
		if n := f.servers["c"].calls.Load(); n != 10 {
			t.Errorf("with two of three ejected the third got %d of 30 calls, want 10", n)
		}
	})
}

// Calls go to the client's own zone while it has an instance, and to draining
// instances only if there is no other.
func TestZoneAndDrainingArePreferred(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "c")
		c := f.client(Static{{Address: "a", Zone: "x"}, {Address: "b", Zone: "y"}, {Address: "c", Zone: "x", Draining: true}}, Options{Zone: "x"})
		if got := where(t, c, 20); got["a"] != 20 {
			t.Errorf("%v, want all from a", got)
		}
		check(t, f.servers["a"].peer.Close())
		synctest.Wait()
		if got := where(t, c, 20); got["b"] != 20 {
			t.Errorf("without a: %v, want all from b", got)
		}
		check(t, f.servers["b"].peer.Close())
		synctest.Wait()
		if got := where(t, c, 20); got["c"] != 20 {
			t.Errorf("without a and b: %v, want all from c", got)
		}
	})
}

// The last known set stays in use while the resolver fails; an instance that is
// removed keeps its session until its calls have ended.
func TestSetChangesUnderCalls(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		m := &moving{set: Addresses("a")}
		var failed atomic.Int64
		c := f.client(m, Options{OnError: func(error) { failed.Add(1) }})
		where(t, c, 1)
		f.servers["a"].hold = make(chan struct{})
		late := make(chan string, 1)
		go func() {
			address, err := erpc.CallValue[string](context.Background(), c, "/where", "")
			late <- fmt.Sprint(address, err)
		}()
		synctest.Wait()
		m.become(nil, "b")
		synctest.Wait()
		if got := where(t, c, 5); got["b"] != 5 {
			t.Errorf("%v, want all from b", got)
		}
		if n := f.servers["a"].peer.CountSession(); n != 1 {
			t.Errorf("%d sessions with the removed instance, want one for its call", n)
		}
		close(f.servers["a"].hold)
		if s := kit.Await(t, "late reply", late); s != "a<nil>" {
			t.Errorf("the call of the removed instance ended with %s", s)
		}
		synctest.Wait()
		if n := f.servers["a"].peer.CountSession(); n != 0 {
			t.Errorf("%d sessions after the call of the removed instance", n)
		}
		m.become(errors.New("the registry is down"))
		time.Sleep(time.Minute)
		if got := where(t, c, 5); got["b"] != 5 || failed.Load() == 0 || failed.Load() > 100 {
			t.Errorf("%v while the resolver fails, which was told %d times", got, failed.Load())
		}
		m.become(nil)
		time.Sleep(time.Minute)
		if _, err := erpc.CallValue[string](t.Context(), c, "/where", ""); erpc.StatusFromError(err).Code() != erpc.CodeDialFailed {
			t.Errorf("without instances: %v, want CodeDialFailed", err)
		}
	})
}

// A call waits for the first answer of the resolver, but no longer than its
// context.
func TestCallWaitsForResolver(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a")
		m := &moving{err: errors.New("not yet")}
		c := f.client(m, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := erpc.CallValue[string](ctx, c, "/where", "")
		if erpc.StatusFromError(err).Code() != erpc.CodeHandleTimeout {
			t.Errorf("%v, want CodeHandleTimeout", err)
		}
		before := time.Now()
		_, err = erpc.CallValue[string](context.Background(), c, "/where", "")
		if st := erpc.StatusFromError(err); st.Code() != erpc.CodeDialFailed || !strings.Contains(fmt.Sprint(st.Cause()), "not yet") || time.Since(before) != MaxWait {
			t.Errorf("without a deadline: %v after %v, want CodeDialFailed with the reason after %v", err, time.Since(before), MaxWait)
		}
		m.become(nil, "a")
		time.Sleep(10 * time.Second)
		if got := where(t, c, 1); got["a"] != 1 {
			t.Errorf("%v", got)
		}
		c.Close()
		if _, err := erpc.CallValue[string](t.Context(), c, "/where", ""); erpc.StatusFromError(err).Code() != erpc.CodeWrongConn {
			t.Errorf("after Close: %v, want CodeWrongConn", err)
		}
	})
}

// A hedged call of a safe method ends with the first instance that answers; the
// other call is canceled. A call of a method that is not safe just waits.
func TestHedgedCall(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		f.servers["a"].hold = make(chan struct{})
		safe := true
		c := f.client(Addresses("a", "b"), Options{
			Picker: RoundRobin(), HedgeAfter: 10 * time.Millisecond, Safe: func(string) bool { return safe },
		})
		for range 4 {
			before := time.Now()
			if got := where(t, c, 1); got["b"] != 1 {
				t.Errorf("%v, want b", got)
			}
			if took := time.Since(before); took > 10*time.Millisecond {
				t.Errorf("a hedged call took %v", took)
			}
		}
		synctest.Wait()
		if st := c.Stats(); st[0].InFlight+st[1].InFlight != 0 || st[0].Health != "healthy" {
			t.Errorf("%+v after the calls", st)
		}
		safe = false
		n := f.servers["a"].calls.Load() + f.servers["b"].calls.Load()
		for range 2 { // one of them to a
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, _ = erpc.CallValue[string](ctx, c, "/where", "")
			cancel()
		}
		if more := f.servers["a"].calls.Load() + f.servers["b"].calls.Load() - n; more != 2 {
			t.Errorf("two calls of an unsafe method were executed %d times", more)
		}
	})
}

// An error of the handler is an answer: a hedged call does not wait for the other
// instance, which would give the same. A failure of an instance is not an answer.
func TestHedgedCallEndsWithFirstAnswer(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		f.servers["a"].hold = make(chan struct{})
		c := f.client(Addresses("a", "b"), Options{
			Picker: RoundRobin(), HedgeAfter: 10 * time.Millisecond, Safe: func(string) bool { return true },
		})
		f.servers["b"].denies.Store(true)
		for range 2 { // each of them is first once
			before := time.Now()
			_, err := erpc.CallValue[string](t.Context(), c, "/where", "")
			if st := erpc.StatusFromError(err); st.Code() != 1000 || time.Since(before) > 10*time.Millisecond {
				t.Errorf("%v after %v, want the error of b at once", err, time.Since(before))
			}
		}
		f.servers["b"].denies.Store(false)
		f.servers["b"].fails.Store(true)
		time.AfterFunc(time.Second, func() { close(f.servers["a"].hold) })
		if got := where(t, c, 1); got["a"] != 1 {
			t.Errorf("%v, want a, since b fails", got)
		}
	})
}

func TestSafeMethodIsTriedAgainAfterBreak(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		f.servers["a"].hold = make(chan struct{})
		c := f.client(Addresses("a", "b"), Options{Picker: RoundRobin(), Safe: func(string) bool { return true }})
		go func() {
			time.Sleep(time.Second)
			f.servers["a"].peer.RangeSession(func(s erpc.Session) bool { _ = s.Close(); return true })
		}()
		if got := where(t, c, 1); got["b"] != 1 {
			t.Errorf("%v, want b after the break of a", got)
		}
	})
}

// Asynchronous calls, batches and streams accept a client like a session.
func TestClientIsCallerOfAllKinds(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		for _, s := range f.servers {
			erpc.HandleStream(s.peer, "/echo", func(_ context.Context, s *erpc.Stream[string, string]) error {
				for {
					x, err := s.Recv()
					if err != nil {
						return nil
					}
					if err := s.Send(x); err != nil {
						return err
					}
				}
			})
		}
		c := f.client(Addresses("a", "b"), Options{Picker: RoundRobin()})
		done := make(chan erpc.CallCmd, 20)
		var got [20]string
		for i := range got {
			c.AsyncCall("/where", "", &got[i], done)
		}
		for range got {
			if cmd := kit.Await(t, "asynchronous call", done); !cmd.StatusOK() {
				t.Error(cmd.Status())
			}
		}
		if !slices.Contains(got[:], "a") || !slices.Contains(got[:], "b") {
			t.Errorf("asynchronous calls went to %q", got)
		}
		batch := erpc.NewBatch(c)
		var one, two string
		batch.Call("/where", "", &one)
		batch.Call("/where", "", &two)
		if err := batch.Do(t.Context()); err != nil || one == two {
			t.Errorf("a batch: %v, %q and %q", err, one, two)
		}
		s, err := erpc.OpenStream[string, string](t.Context(), c, "/echo")
		check(t, err)
		text := "hi"
		check(t, s.Send(&text))
		back, err := s.Recv()
		if err != nil || *back != text {
			t.Errorf("echo %v, %v", back, err)
		}
		synctest.Wait() // asynchronous calls leave the count after they were answered
		if n := inFlight(c); n != 1 {
			t.Errorf("%d in flight, want the stream", n)
		}
		check(t, s.Close())
		synctest.Wait()
		if n := inFlight(c); n != 0 {
			t.Errorf("%d in flight after the end of the stream", n)
		}
	})
}

func inFlight(c *Client) (n int) {
	for _, s := range c.Stats() {
		n += s.InFlight
	}
	return n
}

// Calls with the same key go to the same instance from every client.
func TestKeyedCallsGoToOneInstance(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "c")
		one := f.client(Addresses("a", "b", "c"), Options{Picker: Hash()})
		two := f.client(Addresses("c", "b", "a"), Options{Picker: Hash()})
		used := map[string]bool{}
		for i := range 30 {
			ctx := WithKey(t.Context(), fmt.Sprint(i))
			x, err := erpc.CallValue[string](ctx, one, "/where", "")
			check(t, err)
			y, err := erpc.CallValue[string](ctx, two, "/where", "")
			check(t, err)
			if x != y {
				t.Errorf("key %d goes to %s and to %s", i, x, y)
			}
			used[x] = true
		}
		if len(used) != 3 {
			t.Errorf("only %v are used", used)
		}
	})
}
