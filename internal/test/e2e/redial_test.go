package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// dials counts the dials of a peer and its connect hooks.
type dials struct {
	n     atomic.Int64
	mu    sync.Mutex // guards the following
	order []string
	fail  int // how many redials are refused
	call  bool
}

func (d *dials) Name() string { return "dials" }

func (d *dials) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order = append(d.order, what)
}

func (d *dials) noted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.order...)
}

// refuses reports whether to refuse a redial.
func (d *dials) refuses() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail--
	return d.fail >= 0
}

func (d *dials) PreDial(net.Addr, string) *erpc.Status {
	d.n.Add(1)
	return nil
}

func (d *dials) PostDial(s erpc.PreSession, isRedial bool) *erpc.Status {
	if isRedial && d.refuses() {
		d.note("refused")
		return erpc.NewStatus(erpc.CodeUnauthorized, "not yet")
	}
	if d.call {
		var n int
		if st := s.PreCall("/add", &kit.Sum{A: 1, B: 2}, &n); !st.OK() || n != 3 {
			d.note(fmt.Sprintf("call: %v, %d", st, n))
			return st
		}
	}
	if isRedial {
		d.note("redialed")
	} else {
		d.note("dialed")
	}
	return nil
}

func (d *dials) PostDisconnect(erpc.BaseSession) *erpc.Status {
	d.note("disconnected")
	return nil
}

// redials returns a client that redials forever.
func redials(d *dials, on kit.Medium, t *testing.T) erpc.Peer {
	return on.Peer(t, erpc.PeerConfig{
		RedialTimes: -1, RedialInterval: time.Millisecond, RedialMaxInterval: 20 * time.Millisecond,
	}, d)
}

// Case 6 of the catalogue.
func TestCloseWhileRedialing(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		d := new(dials)
		client := redials(d, on, t)
		server := on.Peer(t, erpc.PeerConfig{})
		addr := kit.Start(t, server)
		s := kit.Open(t, client, addr)
		_ = server.Close()
		kit.Eventually(t, kit.Bound, "redials", func() bool { return d.n.Load() > 3 })
		const limit = 100 * time.Millisecond
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		var st *erpc.Status
		took := kit.Within(t, kit.Bound, "call", func() {
			st = s.Call("/add", &kit.Sum{}, nil, erpc.WithContext(ctx)).Status()
		})
		if time.Since(began) < limit || took > limit+kit.Prompt {
			t.Errorf("the call ended after %v", took)
		}
		kit.WantCode(t, "call while redialing", st, erpc.CodeHandleTimeout)
		waiting := s.AsyncCall("/add", &kit.Sum{}, nil, nil)
		pushed := make(chan *erpc.Status, 1)
		go func() { pushed <- s.Push("/add", &kit.Sum{}) }()

		kit.Within(t, kit.Prompt, "Close", func() { _ = s.Close() })
		kit.AwaitIn(t, kit.Prompt, "end of the call", waiting.Done())
		kit.WantCode(t, "call without a deadline", waiting.Status(), erpc.CodeConnClosed)
		kit.WantCode(t, "push", kit.AwaitIn(t, kit.Prompt, "end of the push", pushed), erpc.CodeConnClosed)
		kit.AwaitIn(t, kit.Prompt, "end of the session", s.CloseNotify())
	})
}

// A session that was closed while it redialed never dials again. (Case 6.)
func TestNoDialAfterClose(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		near, far := net.Pipe()
		var n atomic.Int64
		dial := func(context.Context, string, string) (net.Conn, error) {
			if n.Add(1) == 1 {
				return near, nil
			}
			return nil, errors.New("nobody is there any more")
		}
		client := kit.Peer(t, erpc.PeerConfig{
			RedialTimes: -1, RedialInterval: time.Millisecond, RedialMaxInterval: 20 * time.Millisecond,
			Network: "mine", Transports: []erpc.Transport{erpc.CustomTransport{Nets: []string{"mine"}, DialFunc: dial}},
		})
		s := kit.Open(t, client, "anywhere")
		_ = far.Close() // never fails for a pipe
		time.Sleep(time.Second)
		if n.Load() < 10 {
			t.Errorf("%d dials in a second", n.Load())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		before := n.Load()
		time.Sleep(time.Hour)
		if more := n.Load() - before; more > 0 {
			t.Errorf("%d dials after Close", more)
		}
	})
}

// Case 6 of the catalogue.
func TestCloseWhileDialing(t *testing.T) {
	kit.NoLeaks(t)
	lis := kit.TCP.Listen(t)
	addr := lis.Addr().String()
	_ = lis.Close() // no server listens
	d := new(dials)
	client := redials(d, kit.TCP, t)
	dialed := make(chan *erpc.Status, 1)
	go func() {
		_, st := client.Dial(addr)
		dialed <- st
	}()
	kit.Eventually(t, kit.Bound, "several dials", func() bool { return d.n.Load() > 3 })
	kit.Within(t, kit.Prompt, "Close", func() { _ = client.Close() })
	if st := kit.AwaitIn(t, kit.Prompt, "end of Dial", dialed); st.OK() {
		t.Error("a dial succeeded with nobody there")
	}
}

// TestCloseWhileRedialHookWaits: a connect hook that waits for a silent server
// ends with the session. (Case 6.)
func TestCloseWhileRedialHookWaits(t *testing.T) {
	for _, redial := range []bool{false, true} {
		t.Run(fmt.Sprint("redial ", redial), func(t *testing.T) {
			kit.NoLeaks(t)
			h := &hookWaits{redial: redial, waits: make(chan struct{}, 1), done: make(chan *erpc.Status, 1)}
			client := kit.TCP.Peer(t, erpc.PeerConfig{
				RedialTimes: -1, RedialInterval: time.Millisecond, HandshakeTimeout: kit.Bound,
			}, h)
			lis := kit.TCP.Listen(t)
			conns := make(chan net.Conn, 2)
			go func() {
				for {
					conn, err := lis.Accept()
					if err != nil {
						return // the test has ended
					}
					conns <- conn
				}
			}()
			go client.Dial(lis.Addr().String())
			first := kit.AwaitIn(t, kit.Bound, "first connection", conns)
			defer first.Close()
			if redial {
				kit.Eventually(t, kit.Bound, "a session", func() bool { return client.CountSession() == 1 })
				_ = first.Close()
				second := kit.AwaitIn(t, kit.Bound, "second connection", conns)
				defer second.Close()
			}
			kit.AwaitIn(t, kit.Bound, "start of the hook", h.waits)
			kit.Within(t, kit.Prompt, "Close", func() { _ = client.Close() })
			if st := kit.AwaitIn(t, kit.Prompt, "end of the hook", h.done); st.OK() {
				t.Error("the hook received something")
			}
		})
	}
}

// hookWaits is a connect hook that waits for a message.
type hookWaits struct {
	redial bool // only on a redial
	waits  chan struct{}
	done   chan *erpc.Status
}

func (*hookWaits) Name() string { return "waits" }

func (h *hookWaits) PostDial(s erpc.PreSession, isRedial bool) *erpc.Status {
	if isRedial != h.redial {
		return nil
	}
	h.waits <- struct{}{}
	st := s.PreReceive(func(erpc.Header) any { return nil }).Status()
	h.done <- st
	return st
}

// Case 7 of the catalogue.
func TestServerRestarts(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		restarts := kit.Times(20, 50)
		d := new(dials)
		client := redials(d, on, t)
		var s erpc.Session
		want := []string{"dialed"}
		addr := on.Place(t)
		for i := range restarts + 1 {
			server := on.Peer(t, erpc.PeerConfig{ListenAddress: addr})
			erpc.HandleCall(server, "/add", kit.Add)
			kit.Start(t, server)
			if i == 0 {
				s = kit.Open(t, client, addr)
			} else {
				want = append(want, "redialed")
			}
			recovers(t, s)
			_ = server.Close()
			kit.Eventually(t, kit.Bound, "end of the connection", func() bool { return len(d.noted()) == len(want) && server.CountSession() == 0 })
		}
		_ = s.Close()
		want = append(want, "disconnected")
		kit.Eventually(t, kit.Bound, "disconnect hook", func() bool { return len(d.noted()) >= len(want) })
		if got := d.noted(); !slices.Equal(got, want) {
			t.Errorf("hooks ran in the order %q, want %q", got, want)
		}
	})
}

// recovers waits until calls succeed again; calls that were sent just before the
// end of the old connection may fail with it.
func recovers(t *testing.T, s erpc.Session) {
	t.Helper()
	kit.Eventually(t, kit.Bound, "recovery", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
		defer cancel()
		var n int
		st := s.Call("/add", &kit.Sum{A: 1, B: 2}, &n, erpc.WithContext(ctx)).Status()
		if !st.OK() && st.Code() != erpc.CodeConnClosed {
			t.Fatalf("call while the server restarts: %v", st)
		}
		return n == 3
	})
}

// Case 8 of the catalogue.
func TestAuthFailsTwiceInRedial(t *testing.T) {
	kit.NoLeaks(t)
	d := &dials{fail: 2}
	server := kit.TCP.Peer(t, erpc.PeerConfig{ListenAddress: kit.TCP.Place(t)})
	addr := kit.Start(t, server)
	s := kit.Open(t, redials(d, kit.TCP, t), addr)
	_ = server.Close()
	server = kit.TCP.Peer(t, erpc.PeerConfig{ListenAddress: addr})
	erpc.HandleCall(server, "/add", kit.Add)
	kit.Start(t, server)
	recovers(t, s)
	if want := []string{"dialed", "refused", "refused", "redialed"}; !slices.Equal(d.noted(), want) {
		t.Errorf("hooks ran in the order %q, want %q", d.noted(), want)
	}
}

// TestCallInConnectHook also sets a context age, so that the call has a deadline,
// which the server answers with a control message first. (Case 9.)
func TestCallInConnectHook(t *testing.T) {
	for _, age := range []time.Duration{0, kit.Bound} {
		t.Run(fmt.Sprint("age ", age), func(t *testing.T) {
			kit.NoLeaks(t)
			d := &dials{call: true}
			client := kit.TCP.Peer(t, erpc.PeerConfig{
				RedialTimes: -1, RedialInterval: time.Millisecond, RedialMaxInterval: 20 * time.Millisecond, DefaultContextAge: age,
			}, d)
			var s erpc.Session
			addr := kit.TCP.Place(t)
			for i := range 3 {
				server := kit.TCP.Peer(t, erpc.PeerConfig{ListenAddress: addr})
				erpc.HandleCall(server, "/add", kit.Add)
				kit.Start(t, server)
				if i == 0 {
					s = kit.Open(t, client, addr)
				}
				recovers(t, s)
				_ = server.Close()
			}
			if want := []string{"dialed", "redialed", "redialed"}; !slices.Equal(d.noted(), want) {
				t.Errorf("hooks ran in the order %q, want %q", d.noted(), want)
			}
		})
	}
}
