package cluster

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// addresses returns the addresses of services.
func addresses(all []Service) (found []string) {
	for _, s := range all {
		found = append(found, s.Address)
	}
	return found
}

func observe(t testing.TB, w *world) (*Observer, *MemoryEngine) {
	t.Helper()
	engine := w.Engine()
	o, err := Observe(t.Context(), engine, quick, nil)
	check(t, err)
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o, engine
}

func TestAnnouncedServicesAreKnownAtOnce(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{}, quick)
		early, _ := observe(t, w)
		changed := b.ServicesChanged()
		a.Announce(Service{Name: "chat", Address: "a:1", Weight: 3, Zone: "z"}, Service{Name: "mail", Address: "a:2"})
		kit.Await(t, "change", changed)
		b.Announce(Service{Name: "chat", Address: "b:1"})
		late, _ := observe(t, w)
		synctest.Wait()
		for name, services := range map[string]func(string) []Service{"a": a.Services, "b": b.Services, "early": early.Services, "late": late.Services} {
			want := []Service{{Name: "chat", Address: "a:1", Weight: 3, Zone: "z", Node: a.Node()}, {Name: "chat", Address: "b:1", Node: b.Node()}}
			if got := services("chat"); !slices.Equal(got, want) {
				t.Errorf("%s knows %+v, want %+v", name, got, want)
			}
			if got := services("none"); len(got) != 0 {
				t.Errorf("%s has %+v of a service that nobody serves", name, got)
			}
		}
		if n := len(a.Nodes()); n != 1 {
			t.Errorf("%d nodes: an observer is not a node", n)
		}
		a.Announce()
		check(t, b.Close())
		synctest.Wait()
		if got := slices.Concat(a.Services("chat"), early.Services("chat")); len(got) != 0 {
			t.Errorf("%+v remain of nodes that withdrew or left", got)
		}
	})
}

// A busy engine is slow with the first message; meanwhile something else happens.
type busy struct {
	Engine
	meanwhile  func()
	calls      atomic.Int32
	overtaken  atomic.Bool // the second message was quicker
	firstIsOut atomic.Bool
}

// Publish implements [Engine].
func (e *busy) Publish(subject string, token uint64, data []byte) error {
	// It yields instead of waiting: a bubble stands still while a goroutine waits for a
	// mutex.
	yield := func(until *atomic.Bool) {
		for i := 0; i < 10_000 && !until.Load(); i++ {
			runtime.Gosched()
		}
	}
	switch e.calls.Add(1) {
	case 1:
		go e.meanwhile()
		yield(&e.overtaken)
		defer e.firstIsOut.Store(true)
	case 2:
		defer yield(&e.firstIsOut)
		defer e.overtaken.Store(true)
	}
	return e.Engine.Publish(subject, token, data)
}

// A beat does not arrive after a later announcement, or after the farewell of its node.
func TestSignsOfLifeDoNotOvertake(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(a *Cluster) error
		want      []string
		nodes     int
	}{
		"announcement": {func(a *Cluster) error { a.Announce(Service{Name: "chat", Address: "new"}); return nil }, []string{"new"}, 1},
		"last word":    {(*Cluster).Close, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				w := newWorld()
				opt := quick
				opt.Beat = time.Hour // the next beat would repeat it
				a, b := newNode(t, w, erpc.PeerConfig{}, opt), newNode(t, w, erpc.PeerConfig{}, opt)
				a.Announce(Service{Name: "chat", Address: "old"})
				synctest.Wait()
				ended := make(chan error, 1)
				a.Cluster.engine = &busy{Engine: a.engine, meanwhile: func() { ended <- c.meanwhile(a.Cluster) }}
				check(t, a.say(a.subjectAll(), kindBeat, 0))
				check(t, kit.Await(t, "what happens meanwhile", ended))
				synctest.Wait()
				if got := addresses(b.Services("chat")); !slices.Equal(got, c.want) || len(b.Nodes()) != c.nodes {
					t.Errorf("b knows %q of %q, want %q of %d", got, b.Nodes(), c.want, c.nodes)
				}
			})
		})
	}
}

// A node that is cut off cannot tell dead nodes from live ones: it keeps what it knew
// last, and checks when it is back.
func TestLastKnownServicesSurviveCut(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		a, b, dies := newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{}, quick)
		o, engine := observe(t, w)
		b.Announce(Service{Name: "chat", Address: "b:1"})
		dies.Announce(Service{Name: "chat", Address: "dies:1"})
		synctest.Wait()
		a.engine.SetConnected(false)
		engine.SetConnected(false)
		dies.engine.SetConnected(false)
		time.Sleep(time.Minute)
		want := []string{"b:1", "dies:1"}
		for name, got := range map[string][]Service{"node": a.Services("chat"), "observer": o.Services("chat")} {
			if !slices.Equal(addresses(got), want) {
				t.Errorf("the %s that is cut off knows %q, want %q", name, addresses(got), want)
			}
		}
		if n := a.Nodes(); len(n) != 0 {
			t.Errorf("%q live for a node that hears nobody", n)
		}
		a.engine.SetConnected(true)
		engine.SetConnected(true)
		time.Sleep(5 * quick.Beat)
		for name, got := range map[string][]Service{"node": a.Services("chat"), "observer": o.Services("chat")} {
			if !slices.Equal(addresses(got), want[:1]) {
				t.Errorf("the %s that is back knows %q, want %q", name, addresses(got), want[:1])
			}
		}
		if n := a.Nodes(); !slices.Equal(n, []string{b.Node()}) {
			t.Errorf("%q live, want %q", n, b.Node())
		}
	})
}
