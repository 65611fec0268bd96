package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
)

// TestHeldCalls: held calls are refused in order when they have waited for long
// enough, and their number is bounded.
func TestHeldCalls(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	handler := u.occupy() // it works for longer than a call is held
	defer handler.free()
	u.drain()
	for seq := range int32(3) {
		u.accept(message.TypeCall, 10+seq, "/h", 1)
	}
	u.drain()
	u.sentNothing("they are held")
	q := u.goaway.quiet.Load()
	q.held[0].since -= holdFor
	q.held[1].since -= holdFor
	u.drain()
	refused := u.sent()
	if len(refused) != 2 || refused[0].Seq() != 10 || refused[1].Seq() != 11 || refused[1].Status().Code() != message.CodeShuttingDown {
		t.Errorf("%v, want refusals of 10 and 11", refused)
	}
	u.sentNothing("the third is held")
	for seq := range int32(maxHeldCalls - 1) {
		u.accept(message.TypeCall, 100+seq, "/h", 1)
	}
	u.sentNothing("so many are held")
	u.accept(message.TypeCall, 7, "/h", 1)
	if m := u.sentOne(); m.Seq() != 7 || m.Status().Code() != message.CodeShuttingDown {
		t.Errorf("one above the limit: %v", m)
	}
}

func TestQuiescence(t *testing.T) {
	const ms = time.Millisecond
	type look struct {
		at       time.Duration
		busy     bool
		received uint64
		quiet    bool
	}
	for name, looks := range map[string][]look{
		"silent from the beginning": {
			{1 * ms, false, 7, false}, {50 * ms, false, 7, false}, {51 * ms, false, 7, true},
		},
		"a message comes": {
			{1 * ms, false, 7, false}, {40 * ms, false, 8, false}, {80 * ms, false, 8, false}, {90 * ms, false, 8, true},
		},
		"a handler works": {
			{1 * ms, false, 7, false}, {40 * ms, true, 7, false}, {60 * ms, false, 7, false}, {109 * ms, false, 7, false}, {110 * ms, false, 7, true},
		},
		"one that has just connected gets longer": {
			{1 * ms, false, 0, false}, {500 * ms, false, 0, false}, {501 * ms, false, 0, true},
		},
		"and speaks": {
			{1 * ms, false, 0, false}, {400 * ms, false, 1, false}, {449 * ms, false, 1, false}, {450 * ms, false, 1, true},
		},
	} {
		var q quiescence
		for _, l := range looks {
			if got := q.look(l.at, l.busy, l.received); got != l.quiet {
				t.Errorf("%s: at %v quiet is %v", name, l.at, got)
			}
		}
	}
}

// TestDrainLooks: what one look at a draining connection means.
func TestDrainLooks(t *testing.T) {
	type look = drainLook
	for _, c := range []struct {
		name             string
		state            localState
		look             drainLook
		idle, quiet, end bool
	}{
		{"a handler works", localDraining, look{busy: true, silent: true, closed: true, flushed: true}, false, false, false},
		{"closed", localTold, look{closed: true, proven: true}, true, true, false},
		{"a reply is being written", localDraining, look{silent: true}, true, false, false},
		{"and a call is held", localHolding, look{silent: true}, true, false, false},
		{"a call is held", localHolding, look{flushed: true}, true, true, true},
		{"and a handler works", localHolding, look{busy: true, flushed: true}, false, false, false},
		{"and the connection is closed", localHolding, look{closed: true, flushed: true}, true, true, false},
		{"nobody has said bye", localTold, look{flushed: true, silent: true, proven: true}, true, false, false},
		{"bye", localAcknowledged, look{flushed: true, proven: true}, true, true, false},
		{"a side that can't be told speaks", localDraining, look{flushed: true}, true, false, false},
		{"and is silent", localDraining, look{flushed: true, silent: true}, true, true, false},
	} {
		var g goaway
		for _, way := range [][]localState{localDraining: {localDraining}, localHolding: {localDraining, localHolding}, localTold: {localDraining, localTold}, localAcknowledged: {localDraining, localTold, localAcknowledged}}[c.state] {
			g.local.move(g.local.state(), way)
		}
		if idle, quiet, end := g.decide(c.look); idle != c.idle || quiet != c.quiet || end != c.end {
			t.Errorf("%s: idle %v, quiet %v, end %v", c.name, idle, quiet, end)
		}
	}
}

// A connection that has been there for a while and never said anything is no
// client that has just redialed: a shutdown does not wait longer for it.
func TestIdleConnectionIsQuietSoon(t *testing.T) {
	for opened, quietAt := range map[time.Duration]time.Duration{
		-10 * time.Second: quietAfter, -quietAfterConnect: quietAfter, -quietAfterConnect / 2: quietAfterConnect/2 + time.Millisecond, 0: quietAfterConnect + time.Millisecond,
	} {
		q := quiescence{opened: opened}
		for now := time.Millisecond; ; now += time.Millisecond {
			if q.look(now, false, 0) {
				if d := now - quietAt; d < 0 || d > 2*time.Millisecond {
					t.Errorf("opened %v before the shutdown: quiet after %v, want %v", -opened, now, quietAt)
				}
				break
			}
		}
	}
}

// proven returns a session whose two sides have proven themselves to each other,
// and its side at the server.
func proven(t *testing.T, srv *server, redials int) (s, there *Engine) {
	t.Helper()
	s = srv.connect(redials, nil)
	there = srv.next()
	if st := s.Call("/h", 0, new(int), WithTimeout(longest)).Status(); !st.OK() {
		t.Fatal(st)
	}
	eventually(t, "the proof", func() bool {
		return s.conns.current().proof.peek().given() && there.conns.current().proof.peek().given()
	})
	return s, there
}

// drained calls Drain, as a peer does that shuts down, until the session is quiet.
func drained(t *testing.T, s *Engine) {
	t.Helper()
	eventually(t, "a quiet session", func() bool {
		_, quiet := s.Drain()
		return quiet
	})
}

// TestGoAwayTowardsASideThatRedials: it goes on over another connection at once,
// and ends the old one when its last call there has ended.
func TestGoAwayTowardsASideThatRedials(t *testing.T) {
	release, started := make(chan struct{}), make(chan struct{})
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		if n == 1 {
			close(started)
			<-release
		}
		return n, nil
	})}, nil)
	s, there := proven(t, srv, -1)
	old := s.conns.current()
	slow := s.AsyncCall("/h", 1, new(int), nil)
	receive(t, started)
	there.Drain()
	srv.next()
	eventually(t, "another connection", func() bool { return s.Connected() && s.conns.current() != old })
	if st := s.Call("/h", 2, new(int)).Status(); !st.OK() {
		t.Errorf("a call after the goaway: %v", st)
	}
	if old.isClosed() || old.goaway.remote.state() != remoteLeaving {
		t.Errorf("the old connection is closed %v, %v, with a call in flight", old.isClosed(), old.goaway.remote.state())
	}
	close(release)
	if st := slow.Status(); !st.OK() {
		t.Errorf("the call in flight: %v", st)
	}
	eventually(t, "the end of the old connection", old.isClosed)
	receive(t, there.CloseNotify())
}

// TestGoAwayTowardsASideThatCannotRedial: it makes no more calls, and says bye when
// its last one has ended.
func TestGoAwayTowardsASideThatCannotRedial(t *testing.T) {
	release, started := make(chan struct{}), make(chan struct{})
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		if n == 1 {
			close(started)
			<-release
		}
		return n, nil
	})}, nil)
	s, there := proven(t, srv, 0)
	slow := s.AsyncCall("/h", 1, new(int), nil)
	receive(t, started)
	if idle, quiet := there.Drain(); idle || quiet {
		t.Errorf("idle %v, quiet %v, with a handler at work", idle, quiet)
	}
	eventually(t, "the goaway", func() bool { return s.conns.current().goaway.remote.state() == remoteLeaving })
	if st := s.Call("/h", 2, new(int)).Status(); st.Code() != message.CodeShuttingDown || !NotExecuted(st) {
		t.Errorf("a call after the goaway: %v", st)
	}
	close(release)
	if st := slow.Status(); !st.OK() {
		t.Errorf("the call in flight: %v", st)
	}
	begin := time.Now()
	drained(t, there)
	if state := there.conns.current().goaway.local.state(); state != localAcknowledged {
		t.Errorf("quiet while %v", state)
	}
	if d := time.Since(begin); d > longest/2 {
		t.Errorf("the bye took %v", d)
	}
}

// TestDrainTowardsASideThatIsNotKnown tells it nothing, and waits for silence. A call
// that comes after that ends with the connection, at the next look.
func TestDrainTowardsASideThatIsNotKnown(t *testing.T) {
	s, w := onWire(t, fakeShared(callRoute{}), nil)
	w.send(message.TypePush, 1, "/x")
	eventually(t, "the push", func() bool { return s.Stats().MessagesIn == 1 })
	begin := time.Now()
	drained(t, s)
	if d := time.Since(begin); d < quietAfter {
		t.Errorf("quiet after %v", d)
	}
	w.silent()
	w.send(message.TypeCall, 2, "/x")
	eventually(t, "the call", func() bool { return s.Stats().MessagesIn == 2 })
	w.silent()
	if s.State() != Open {
		t.Errorf("it is %v before the next look", s.State())
	}
	drained(t, s)
	eventually(t, "the end", func() bool { return s.State() == Closed && errors.Is(s.Err(), ErrShutdown) })
}

// A call that is answered in turn is not answered out of turn: what refuses calls that
// were held for too long does not know of it.
func TestACallThatIsAnsweredInTurnIsHeldToTheEnd(t *testing.T) {
	var g goaway
	g.local.move(localServing, localDraining)
	for range maxHeldCalls + 1 {
		if !g.hold(1, true, 0) {
			t.Fatal("a call that is answered in turn is refused")
		}
	}
	if due := g.quiescence(0).overdue(time.Hour); len(due) > 0 {
		t.Errorf("%d are to be refused", len(due))
	}
	if g.local.state() != localHolding {
		t.Errorf("the state is %v", g.local.state())
	}
	if !g.hold(2, false, 0) {
		t.Error("another is refused")
	}
	if due := g.quiescence(0).overdue(clock() + holdFor); len(due) != 1 || due[0].seq != 2 {
		t.Errorf("%v are to be refused, want 2", due)
	}
}

// A refusal of what was held leaves by itself: nothing else may be sent for long.
func TestRefusalsOfHeldCallsAreFlushed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnit(t, callRoute{}, nil)
		handler := u.occupy()
		defer handler.free()
		u.drain()
		u.accept(message.TypeCall, 10, "/h", 1)
		time.Sleep(holdFor)
		u.drain()
		synctest.Wait()
		if all := u.net.messages(t); len(all) != 1 || all[0].Seq() != 10 {
			t.Errorf("sent %v, want the refusal of 10", all)
		}
	})
}

// A call that has been held for long enough is not refused when its connection may end:
// the other side would take the refusal for the outcome and call again. That a look
// comes so late is the fault of a busy machine.
func TestHeldCallsEndWithTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnit(t, callRoute{}, nil)
		handler := u.occupy()
		u.drain()
		u.accept(message.TypeCall, 10, "/h", 1)
		handler.free()
		time.Sleep(holdFor)
		if idle, quiet := u.drain(); !idle || !quiet {
			t.Errorf("idle %v, quiet %v", idle, quiet)
		}
		synctest.Wait()
		if all := u.net.messages(t); len(all) > 0 {
			t.Errorf("sent %v", all)
		}
	})
}

// A connection that was made a moment ago has its time from then.
func TestAYoungConnectionIsNotQuiet(t *testing.T) {
	var g goaway
	const opened = time.Hour
	q := g.quiescence(opened)
	if g.quiescence(0) != q {
		t.Fatal("the second look begins again")
	}
	q.look(opened, false, 0)
	if q.look(opened+quietAfterConnect-1, false, 0) || !q.look(opened+quietAfterConnect, false, 0) {
		t.Error("a side that has sent nothing has not its time from when the connection was made")
	}
}
