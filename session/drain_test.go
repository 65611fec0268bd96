package session

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// TestDrainTellsOnce: a draining connection tells its other side once, as soon as
// that is proven, and is quiet when it has said bye.
func TestDrainTellsOnce(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	for range 3 {
		u.drain()
	}
	u.sentNothing("the other side is not proven")
	if u.goaway.local.state() != localDraining {
		t.Errorf("it is %v", u.goaway.local.state())
	}
	u.prove() // its first call that proves it comes only now
	for range 3 {
		if idle, quiet := u.drain(); quiet {
			t.Errorf("idle %v and quiet before the bye", idle)
		}
	}
	if m := u.sentOne(); m.ServiceMethod() != controlGoAway {
		t.Errorf("told %v", m)
	}
	eventually(t, "a goaway that is written", func() bool { return u.sock.Flushed() })
	if idle, quiet := u.drain(); !idle || quiet {
		t.Errorf("told, and before the bye: idle %v, quiet %v", idle, quiet)
	}
	u.accept(message.TypePush, 0, controlBye, nil)
	if idle, quiet := u.drain(); !idle || !quiet {
		t.Errorf("after the bye: idle %v, quiet %v", idle, quiet)
	}
	u.sentNothing("it was told before")
}

// TestByeThatComesUnasked: it acknowledges nothing.
func TestByeThatComesUnasked(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.prove()
	u.accept(message.TypePush, 0, controlBye, nil)
	if u.goaway.local.state() != localServing {
		t.Errorf("it is %v", u.goaway.local.state())
	}
}

// TestDrainIsBusy: a draining connection is not idle while anything is at work.
func TestDrainIsBusy(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(*unit) (end func())
	}{
		{"a handler on a worker", func(u *unit) func() {
			s := u.occupy()
			return s.free
		}},
		{"a handler on the goroutine that reads", func(u *unit) func() {
			epoch := u.handoff.enter(clock())
			return func() { u.handoff.exit(epoch) }
		}},
		{"a handler that blocks a former one", func(u *unit) func() {
			u.countBlocked()
			return u.uncountBlocked
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUnit(t, callRoute{}, nil)
			u.prove()
			u.drain()
			u.sentOne() // the goaway is written
			u.accept(message.TypePush, 0, controlBye, nil)
			end := c.begin(u)
			if idle, quiet := u.drain(); idle || quiet {
				t.Errorf("idle %v, quiet %v", idle, quiet)
			}
			end()
			if idle, _ := u.drain(); !idle {
				t.Error("afterwards it is not idle")
			}
			eventually(t, "quiet", func() bool { _, quiet := u.drain(); return quiet }) // the last write may not have returned
		})
	}
}

// TestDrainWaitsForTheReplies: it is not quiet until they are written.
func TestDrainWaitsForTheReplies(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.prove()
	u.drain()
	u.sentOne()
	u.accept(message.TypePush, 0, controlBye, nil)
	u.net.block()
	u.owe(debt{what: debtRefusal, code: message.CodeExhausted, seq: 1, cause: errTooManyHandlers})
	u.sock.StartFlush()
	if idle, quiet := u.drain(); !idle || quiet {
		t.Errorf("idle %v, quiet %v, with a reply that is not written", idle, quiet)
	}
	u.net.unblock()
	eventually(t, "quiet", func() bool { _, quiet := u.drain(); return quiet })
}

func TestDrainOfAClosedConnection(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	_ = u.conn.close(nil)
	if idle, quiet := u.drain(); !idle || !quiet {
		t.Errorf("idle %v, quiet %v", idle, quiet)
	}
}

// TestLeave: after leave, calls in flight end and no more begin. Then the
// connection sends bye or, if the session dials another one, ends.
func TestLeave(t *testing.T) {
	for _, replaceable := range []bool{false, true} {
		u := newUnit(t, callRoute{}, nil)
		u.setReplaceable(replaceable)
		u.prove()
		cmd := &CallCmd{sess: u.sess, wake: make(chan struct{}, 1)}
		seq, inFlight, _ := cmd.enter(u.conn)
		if inFlight != 1 {
			t.Fatalf("%d in flight", inFlight)
		}
		u.accept(message.TypePush, 0, controlGoAway, nil)
		u.want("leaving")
		u.leave()
		u.leave() // a second goaway
		if _, inFlight, _ := new(CallCmd).enter(u.conn); inFlight != 0 {
			t.Errorf("replaceable %v: a call begins after the goaway", replaceable)
		}
		if u.goaway.remote.state() != remoteLeaving || u.isClosed() {
			t.Errorf("replaceable %v: %v with a call in flight", replaceable, u.goaway.remote.state())
		}
		u.sentNothing("a call is in flight")
		u.accept(message.TypeReply, seq, "", 1)
		receive(t, cmd.wake)
		if u.goaway.remote.state() != remoteFinished {
			t.Errorf("replaceable %v: %v after the last call", replaceable, u.goaway.remote.state())
		}
		if replaceable {
			eventually(t, "the end of the connection", u.isClosed)
			u.want("closed")
			continue
		}
		if m := u.sentOne(); m.ServiceMethod() != controlBye {
			t.Errorf("sent %v", m)
		}
		u.closeIfDone()
		u.sentNothing("one bye is enough")
		u.want()
	}
}

// TestCallEndsWithTheConnection: calls in flight get the cause, handlers see their
// context end, and a second close does nothing.
func TestCallEndsWithTheConnection(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	before := u.context()
	var calls []*CallCmd
	for range 10 {
		cmd := &CallCmd{sess: u.sess, wake: make(chan struct{}, 1)}
		cmd.enter(u.conn)
		calls = append(calls, cmd)
	}
	why := errors.New("why")
	if err := u.conn.close(why); err != nil {
		t.Error(err)
	}
	if err := u.conn.close(errors.New("another")); err != nil {
		t.Error(err)
	}
	for _, cmd := range calls {
		receive(t, cmd.wake)
		if cmd.st.Code() != message.CodeConnClosed || !errors.Is(cmd.st.Cause(), why) {
			t.Errorf("a call ended with %v", cmd.st)
		}
	}
	u.want("closed")
	for _, ctx := range []interface{ Err() error }{before, u.context()} {
		if ctx.Err() == nil {
			t.Error("a context of the connection is open")
		}
	}
	if u.context() != u.context() {
		t.Error("the context is made twice")
	}
	if totals := u.shared.Totals(slices.Values([]*Engine(nil))); totals.Ended != 1 {
		t.Errorf("%d connections have ended", totals.Ended)
	}
}

// TestQuietSideThatCallsAgain: it is not quiet any more.
func TestQuietSideThatCallsAgain(t *testing.T) {
	q := quiescence{opened: -time.Hour}
	now := time.Millisecond
	for range 10 {
		q.look(now, false, 5)
		now += quietAfter / 2
	}
	if !q.look(now, false, 5) {
		t.Error("silent, and not quiet")
	}
	if q.look(now, false, 6) {
		t.Error("a message came, and it is quiet")
	}
	if q.look(now+quietAfter-1, false, 6) || !q.look(now+quietAfter, false, 6) {
		t.Error("it is not quiet exactly when it was silent for long enough")
	}
}

// A connection whose other side leaves is done at once if nothing is at work on it,
// and otherwise when the last handler has ended.
func TestLeaveWithoutCalls(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.prove()
	handler := u.occupy()
	u.leave()
	u.sentNothing("a handler is at work")
	handler.free()
	if m := u.sentOne(); m.ServiceMethod() != controlBye {
		t.Errorf("sent %v, want a bye", m)
	}

	u = newUnit(t, callRoute{}, nil)
	u.prove()
	u.leave()
	if m := u.sentOne(); m.ServiceMethod() != controlBye || u.goaway.remote.state() != remoteFinished {
		t.Errorf("nothing is at work: sent %v, %v", m, u.goaway.remote.state())
	}
}

func TestWhoLeavesInGoodOrder(t *testing.T) {
	for s, want := range map[remoteState]bool{remoteServing: false, remoteLeaving: true, remoteHalfClosed: false, remoteFinished: true} {
		if s.leaves() != want {
			t.Errorf("%v: leaves is %v", s, s.leaves())
		}
	}
}
