package session

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

func TestRedials(t *testing.T) {
	const first, longest = 10 * time.Millisecond, 80 * time.Millisecond
	type end struct {
		lived   time.Duration
		leaving bool
		failed  int // attempts that failed before this connection was there
	}
	for _, c := range []struct {
		name   string
		ends   []end
		failed int
		wait   time.Duration // the longest that the next attempt may wait for
	}{
		{"the first connection breaks", []end{{0, false, 0}}, 0, first / 8},
		{"it is refused twice", []end{{0, false, 2}}, 2, 2 * first},
		{"one that breaks at once counts", []end{{0, false, 0}, {0, false, 0}, {0, false, 0}}, 0, 2 * first},
		{"one that has lasted does not", []end{{0, false, 0}, {0, false, 0}, {longest, false, 0}}, 0, first / 8},
		{"a goaway is no failure, and yet no reason to hurry", []end{{0, true, 0}, {0, true, 0}, {0, true, 0}}, 0, 2 * first},
	} {
		r := newRedials(nil, first, longest)
		for i, e := range c.ends {
			if i > 0 {
				r.wait.Next() // it took an attempt to get it
			}
			r.ended(e.lived, e.leaving)
			for range e.failed {
				r.wait.Next()
				r.failed++
			}
		}
		want := c.failed
		if c.name == "one that breaks at once counts" {
			want = 2
		}
		if r.failed != want {
			t.Errorf("%s: %d failures, want %d", c.name, r.failed, want)
		}
		if d := r.wait.Next(); d > c.wait || d < c.wait/2 {
			t.Errorf("%s: the next attempt waits for %v, want %v to %v", c.name, d, c.wait/2, c.wait)
		}
	}
}

// TestServerThatHangsUpAtOnce: it is not dialed more often because of that: the
// backoff goes on, and the attempts run out.
func TestServerThatHangsUpAtOnce(t *testing.T) {
	srv := startServer(t, callRoute{}, nil)
	const times = 3
	s := srv.connect(times, func(sh *Shared) { sh.RedialFirst, sh.RedialLongest = 20*time.Millisecond, time.Minute })
	begin := time.Now()
	for range times + 1 {
		srv.next().End(nil)
	}
	receive(t, s.CloseNotify())
	if s.State() != Lost || !errors.Is(s.Err(), errNotLasting) {
		t.Errorf("the session is %v: %v", s.State(), s.Err())
	}
	if d := time.Since(begin); d < 30*time.Millisecond {
		t.Errorf("the attempts were made within %v", d)
	}
}

// TestServerThatGoesAwayAtOnce: this is not counted as a failure, so the client
// redials without end, but waits longer each time.
func TestServerThatGoesAwayAtOnce(t *testing.T) {
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
	const first, times = 10 * time.Millisecond, 6
	s := srv.connect(-1, func(sh *Shared) { sh.RedialFirst, sh.RedialLongest = first, time.Minute })
	begin := time.Now()
	for range times {
		there := srv.next()
		if st := s.Call("/h", 0, new(int)).Status(); !st.OK() {
			t.Fatal(st)
		}
		there.Drain()
	}
	// The first attempt is made at once, the pauses double, and are half by chance.
	if d, least := time.Since(begin), first*(1+2+4+8)/2; d < least {
		t.Errorf("%d connections within %v, want %v at least", times, d, least)
	}
}

// TestLostSessionIsRedialedByTheNextCall: erpc v7 does this, and programs that
// keep one session rely on it.
func TestLostSessionIsRedialedByTheNextCall(t *testing.T) {
	for _, async := range []bool{false, true} {
		srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
		var down atomic.Bool
		var dials, connects, disconnects atomic.Int64
		s := srv.connect(1, func(sh *Shared) {
			sh.Hooks.Store(NewHooks([]plugin.Plugin{&lifeHooks{connects: &connects, disconnects: &disconnects}}))
		})
		srv.onDial(func(context.Context) *message.Status {
			dials.Add(1)
			if down.Load() {
				return newStatus(message.CodeDialFailed, "nobody is there")
			}
			return nil
		})
		call := func() *message.Status {
			if async {
				return s.AsyncCall("/h", 1, new(int), nil).Status()
			}
			return s.Call("/h", 1, new(int)).Status()
		}
		for round := range 3 {
			down.Store(true)
			srv.next().End(nil)
			gone := s.CloseNotify()
			receive(t, gone)
			eventually(t, "a lost session", func() bool { return s.State() == Lost })
			if s.Health() || s.Connected() {
				t.Error("a lost session is healthy")
			}
			before, begin := dials.Load(), time.Now()
			took := func() time.Duration { return time.Since(begin) }
			for took() < 100*time.Millisecond || dials.Load() == before && took() < longest {
				if st := call(); st.Code() != message.CodeConnClosed {
					t.Fatalf("while nobody is there: %v", st)
				}
			}
			if n := dials.Load() - before; n == 0 || n > 20*int64(1+took()/(100*time.Millisecond)) {
				t.Errorf("calls for %v made %d dials", took(), n)
			}
			down.Store(false)
			eventually(t, "a call that succeeds", func() bool { return call().OK() })
			select {
			case <-s.CloseNotify():
				t.Error("CloseNotify of a session that is back is closed")
			default:
			}
			if c, d := connects.Load(), disconnects.Load(); c != int64(round+2) || d != int64(round+1) {
				t.Errorf("round %d: %d connect hooks, %d disconnect hooks", round, c, d)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if d := disconnects.Load(); d != 4 {
			t.Errorf("%d disconnect hooks, want 4", d)
		}
	}
}

// lifeHooks count; refuse, if set, refuses redials.
type lifeHooks struct {
	connects, disconnects, opens *atomic.Int64
	refuse                       atomic.Bool
}

func (*lifeHooks) Name() string { return "life" }
func (p *lifeHooks) PostDial(_ PreSession, isRedial bool) *message.Status {
	p.connects.Add(1)
	if isRedial && p.refuse.Load() {
		return newStatus(message.CodeUnauthorized, "no")
	}
	return nil
}
func (p *lifeHooks) PostOpen(_ Session, isRedial bool) {
	if p.opens != nil {
		if isRedial {
			p.opens.Add(100)
		} else {
			p.opens.Add(1)
		}
	}
}
func (p *lifeHooks) PostDisconnect(Base) *message.Status {
	p.disconnects.Add(1)
	return nil
}

// before is a plugin in front of one that refuses.
type before struct{ disconnects atomic.Int64 }

func (*before) Name() string                              { return "before" }
func (*before) PostDial(PreSession, bool) *message.Status { return nil }
func (p *before) PostDisconnect(Base) *message.Status {
	p.disconnects.Add(1)
	return nil
}

func TestRefusedRedialIsNoDisconnect(t *testing.T) {
	srv := startServer(t, callRoute{}, nil)
	var first before
	p := &lifeHooks{connects: new(atomic.Int64), disconnects: new(atomic.Int64), opens: new(atomic.Int64)}
	s := srv.connect(-1, func(sh *Shared) { sh.Hooks.Store(NewHooks([]plugin.Plugin{&first, p})) })
	p.refuse.Store(true)
	srv.next().End(nil)
	eventually(t, "three refused redials", func() bool { return p.connects.Load() >= 4 })
	if n := first.disconnects.Load() + p.disconnects.Load(); n > 0 {
		t.Errorf("%d disconnect hooks on a session that lives", n)
	}
	p.refuse.Store(false)
	eventually(t, "the session back", s.Connected)
	eventually(t, "the open hooks", func() bool { return p.opens.Load() == 101 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if first.disconnects.Load() != 1 || p.disconnects.Load() != 1 {
		t.Errorf("disconnect hooks: %d and %d", first.disconnects.Load(), p.disconnects.Load())
	}
}

func TestChangesAreTold(t *testing.T) {
	srv := startServer(t, callRoute{}, nil)
	s := srv.connect(-1, nil)
	gate := make(chan struct{})
	srv.onDial(func(context.Context) *message.Status {
		<-gate
		return nil
	})
	changed := s.Changed()
	if !s.Connected() || !s.Health() {
		t.Fatal("not connected")
	}
	srv.next().End(nil)
	receive(t, changed)
	changed = s.Changed()
	if s.Connected() || !s.Health() {
		t.Errorf("while it redials: connected %v, healthy %v", s.Connected(), s.Health())
	}
	close(gate)
	receive(t, changed)
	changed = s.Changed()
	if !s.Connected() {
		t.Error("not connected again")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	receive(t, changed)
	if s.Connected() || s.Health() {
		t.Error("a closed session is healthy")
	}
}

func TestCloseWith(t *testing.T) {
	for _, reconnect := range []bool{false, true} {
		srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
		s := srv.connect(-1, nil)
		there := srv.next()
		if st := s.Call("/h", 1, new(int)).Status(); !st.OK() { // the proof
			t.Fatal(st)
		}
		eventually(t, "the proof", func() bool { return s.conns.current().proof.peek().given() })
		changed := s.Changed()
		if err := there.CloseWith(message.NewStatus(message.CodeUnauthorized, "token", "it has expired"), reconnect); err != nil {
			t.Error(err)
		}
		receive(t, changed)
		if reconnect {
			srv.next()
			eventually(t, "connected again", s.Connected)
			continue
		}
		receive(t, s.CloseNotify())
		var why *ClosedError
		if !errors.As(s.Err(), &why) || why.Status.Code() != message.CodeUnauthorized || why.Status.Msg() != "token: it has expired" || why.Reconnect {
			t.Errorf("ended with %v", s.Err())
		}
		if s.State() != Closed {
			t.Errorf("the session is %v", s.State())
		}
		select {
		case <-srv.accepted:
			t.Error("it came back")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestParseEnd(t *testing.T) {
	for _, c := range []struct {
		in        string
		ok        bool
		code      int32
		msg       string
		reconnect bool
	}{
		{"0 401 token: it has expired", true, 401, "token: it has expired", false},
		{"1 503 ", true, 503, "", true},
		{"", false, 0, "", false},
		{"0 401", false, 0, "", false},
		{"2 401 x", false, 0, "", false},
		{"0 0 fine", false, 0, "", false},
		{"0 99999999999 x", false, 0, "", false},
	} {
		got, ok := parseEnd(c.in)
		if ok != c.ok || ok && (got.Status.Code() != c.code || got.Status.Msg() != c.msg || got.Reconnect != c.reconnect) {
			t.Errorf("%q: %v, %v", c.in, got, ok)
		}
		if ok && endText(got.Status, got.Reconnect) != c.in {
			t.Errorf("%q is written as %q", c.in, endText(got.Status, got.Reconnect))
		}
	}
}
