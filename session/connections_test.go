package session

import (
	"context"
	"errors"
	"testing"
	"time"
)

func openConnections() (*connections, *conn) {
	s, c := new(connections), new(conn)
	s.redials = newRedials(nil, time.Nanosecond, time.Nanosecond)
	s.now.Store(c)
	s.open(c)
	return s, c
}

func TestOneConnectionEndsTheSession(t *testing.T) {
	s, c := openConnections()
	if redial, last := s.down(new(conn), true); redial || last {
		t.Error("a connection that is not the current one counts")
	}
	if redial, last := s.down(c, false); redial || !last || s.life.state() != Open {
		t.Errorf("redial %v, last %v; the session is %v", redial, last, s.life.state())
	}
	cause := errors.New("why")
	if left, connected := s.end(Open, cause); len(left) != 1 || left[0] != c || !connected || s.err() != cause {
		t.Errorf("left %v, connected %v, err %v", left, connected, s.err())
	}
}

// A session that ends just before it opens was never connected: only the goroutine that
// opens it runs the disconnect hooks.
func TestSessionThatEndsBeforeItOpens(t *testing.T) {
	s, c := new(connections), new(conn)
	s.redials = newRedials(nil, time.Nanosecond, time.Nanosecond)
	from, _ := s.life.end()
	if s.open(c) {
		t.Error("it opens after its end")
	}
	if _, connected := s.end(from, nil); connected {
		t.Error("it was connected")
	}
}

func TestOneRedialsForAConnection(t *testing.T) {
	s, c := openConnections()
	redials := 0
	for range 3 {
		if redial, last := s.down(c, true); redial {
			redials++
		} else if last {
			t.Error("it ends the session")
		}
		if s.retire(c, true) || s.retire(c, false) {
			t.Error("a connection that is down takes its leave")
		}
	}
	if redials != 1 || s.life.state() != Redialing {
		t.Errorf("%d redials, the session is %v", redials, s.life.state())
	}
	next := new(conn)
	if !s.replace(next) || s.current() != next || s.life.state() != Open {
		t.Errorf("the session is %v", s.life.state())
	}
	if redial, last := s.down(c, true); redial || last {
		t.Error("the end of the old connection counts")
	}
}

func TestFormerConnectionsEndWithTheSession(t *testing.T) {
	s, c := openConnections()
	if !s.retire(c, true) || s.retire(c, true) {
		t.Error("it takes its leave twice, or not at all")
	}
	second, third := new(conn), new(conn)
	s.replace(second)
	s.retire(second, false)
	s.forget(c)
	s.forget(c) // a second time does nothing
	s.replace(third)
	was, _ := s.life.end()
	left, _ := s.end(was, nil)
	if len(left) != 2 || left[0] != third || left[1] != second {
		t.Errorf("left %v", left)
	}
	if left, _ := s.end(Closed, nil); len(left) != 1 {
		t.Errorf("a second time %v", left)
	}
}

func TestRedialOfASessionThatEnds(t *testing.T) {
	s, c := openConnections()
	s.down(c, true)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if !s.stopWith(stop) {
		t.Error("the session has not ended")
	}
	_, changed := s.look()
	was, _ := s.life.end()
	s.end(was, nil)
	<-ctx.Done()
	<-changed
	if s.replace(new(conn)) || s.stopWith(stop) {
		t.Error("the session was opened after its end")
	}
	if lost, _ := s.lose(nil); lost {
		t.Error("the session was lost after its end")
	}
}

func TestLostAndRevived(t *testing.T) {
	s, c := openConnections()
	cause := errors.New("nobody is there")
	for round := range 3 {
		s.down(c, true)
		if s.revive() {
			t.Fatal("a session that redials was revived")
		}
		lost, first := s.lose(cause)
		if !lost || !first || s.err() != cause {
			t.Fatalf("round %d: lost %v, first %v", round, lost, first)
		}
		if s.revive() {
			t.Fatal("revived before the hooks of its loss have run")
		}
		s.mayRevive()
		time.Sleep(time.Millisecond)
		if !s.revive() || s.revive() {
			t.Fatal("two revive a session, or nobody")
		}
		if lost, first := s.lose(cause); !lost || first {
			t.Fatalf("round %d: lost again %v, first %v", round, lost, first)
		}
		s.mayRevive()
		time.Sleep(5 * time.Millisecond)
		if !s.revive() {
			t.Fatal("not revived")
		}
		c = new(conn)
		if !s.replace(c) || s.err() != nil {
			t.Fatalf("round %d: not open: %v", round, s.err())
		}
	}
}

func TestAttemptsRunOut(t *testing.T) {
	s, c := openConnections()
	s.down(c, true)
	for i := range 3 {
		if _, ok := s.attempt(3); !ok {
			t.Fatalf("no attempt %d", i+1)
		}
		s.attemptFailed()
	}
	if _, ok := s.attempt(3); ok {
		t.Error("a fourth attempt of three")
	}
	if _, ok := s.attempt(-1); !ok {
		t.Error("endless attempts have an end")
	}
}
