package proxy_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
)

// stuck is a backend that accepts nothing until it is released.
type stuck struct {
	taken   atomic.Int32
	release chan struct{}
}

func (s *stuck) Call(method string, arg, result any, _ ...erpc.MessageSetting) erpc.CallCmd {
	return erpc.NewFakeCallCmd(method, arg, result, s.Push(method, arg))
}

func (s *stuck) Push(string, any, ...erpc.MessageSetting) *erpc.Status {
	s.taken.Add(1)
	<-s.release
	return nil
}

// While a backend is stuck, the proxy reads no more from the client than the
// in-flight limit of its peer allows, and all of it is forwarded in the end.
func TestStuckBackendSlowsItsClientDown(t *testing.T) {
	const limit, total = 4, 3000
	backend := &stuck{release: make(chan struct{})}
	front := startWith(t, erpc.PeerConfig{InflightLimit: 1 << 20}, proxy.NewPlugin(to(backend), proxy.Config{MaxInFlight: limit}))
	cli := wiretest.NewClient(t, erpc.PeerConfig{QueueLimit: 4 << 10}).MustDial(t, front.Addr)
	body := make([]byte, 16<<10)
	pushed := make(chan *erpc.Status, 1)
	var sent atomic.Int32
	go func() {
		for range total {
			if st := cli.Push("/p", body); !st.OK() {
				pushed <- st
				return
			}
			sent.Add(1)
		}
		pushed <- nil
	}()
	// The count stops growing when the buffers in between are full.
	still := 0
	for last := int32(-1); still < 20; {
		select {
		case st := <-pushed:
			t.Fatalf("all %d were sent, %v: there is no backpressure", sent.Load(), st)
		case <-time.After(10 * time.Millisecond):
		}
		if n := sent.Load(); n == last {
			still++
		} else {
			last, still = n, 0
		}
	}
	for deadline := time.Now().Add(wiretest.Limit); backend.taken.Load() < limit && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := backend.taken.Load(); n != limit {
		t.Errorf("%d are in flight, want %d", n, limit)
	}
	close(backend.release)
	if st := await(t, "the pushes", pushed); !st.OK() {
		t.Fatal(st)
	}
	for deadline := time.Now().Add(wiretest.Limit); backend.taken.Load() < total; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d forwarded", backend.taken.Load(), total)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestCloseWhileStuck: a client that is not being read from can still be closed.
func TestCloseWhileStuck(t *testing.T) {
	backend := &stuck{release: make(chan struct{})}
	front := start(t, proxy.NewPlugin(to(backend), proxy.Config{MaxInFlight: 1}))
	cli := dial(t, front.Addr)
	for range 10 {
		if st := cli.Push("/p", nil); !st.OK() {
			t.Fatal(st)
		}
	}
	for deadline := time.Now().Add(wiretest.Limit); backend.taken.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	done := make(chan error, 1)
	go func() { done <- front.Close() }()
	if err := await(t, "Close", done); err != nil {
		t.Error(err)
	}
	close(backend.release)
}

// TestOrderedPushes: pushes arrive in the order in which they were sent, if the
// configuration asks for it.
func TestOrderedPushes(t *testing.T) {
	got := make(chan string, 1000)
	front := start(t, proxy.NewPushPlugin(func(*proxy.Label) proxy.PushForwarder {
		return pushFunc(func(body string) { got <- body })
	}, proxy.Config{OrderedPushes: true}))
	cli := dial(t, front.Addr)
	for i := range cap(got) {
		if st := cli.Push("/p", fmt.Append(nil, i)); !st.OK() {
			t.Fatal(st)
		}
	}
	for i := range cap(got) {
		if g := await(t, "a push", got); g != fmt.Sprint(i) {
			t.Fatalf("push %s came in place of %d", g, i)
		}
	}
}

type pushFunc func(body string)

func (f pushFunc) Push(_ string, arg any, _ ...erpc.MessageSetting) *erpc.Status {
	f(string(arg.([]byte)))
	return nil
}

// backend is a Forwarder that is recognized by its name.
type backend struct {
	proxy.Forwarder
	name string
	sick bool
}

func (b *backend) Health() bool { return !b.sick }

func TestBalance(t *testing.T) {
	a, b, c := &backend{name: "a"}, &backend{name: "b"}, &backend{name: "c"}
	l := &proxy.Label{SessionID: "s"}
	take := func(choose func(*proxy.Label) proxy.Forwarder, n int) (names string) {
		for range n {
			names += choose(l).(*backend).name
		}
		return names
	}
	turns := proxy.RoundRobin(a, b, c)
	if got := take(turns, 4); got != "abca" {
		t.Errorf("took %s", got)
	}
	b.sick = true
	if got := take(turns, 3); got != "cca" {
		t.Errorf("without b took %s", got)
	}
	a.sick, c.sick = true, true
	if got := take(turns, 3); got != "bca" {
		t.Errorf("with no usable backend it took %s", got)
	}
	a.sick, b.sick, c.sick = false, false, false

	sticky := proxy.Sticky(func(l *proxy.Label) string { return l.SessionID }, a, b, c)
	first := sticky(l).(*backend)
	for range 10 {
		if got := sticky(l); got != first {
			t.Fatalf("%s, then %s", first.name, got.(*backend).name)
		}
	}
	first.sick = true
	if got := sticky(l); got == first {
		t.Error("the key stuck to an unusable backend")
	}
	names := map[string]bool{}
	first.sick = false
	for i := range 100 {
		names[sticky(&proxy.Label{SessionID: fmt.Sprint(i)}).(*backend).name] = true
	}
	if len(names) != 3 {
		t.Errorf("100 keys went to %v", names)
	}
}

// redialing is a backend whose session lives but has no connection at the moment.
type redialing struct {
	*backend
	away bool
}

func (r *redialing) Connected() bool { return !r.away }

func TestBalanceSkipsBackendsThatRedial(t *testing.T) {
	a, b := &redialing{backend: &backend{name: "a"}}, &redialing{backend: &backend{name: "b"}}
	choose := proxy.RoundRobin(a, b)
	b.away = true
	for range 4 {
		if got := choose(&proxy.Label{}); got != a {
			t.Fatal("it took a backend that is being redialed")
		}
	}
	a.away = true
	if choose(&proxy.Label{}) == nil {
		t.Error("with all backends away it returns none; one of them may come back in time")
	}
}
