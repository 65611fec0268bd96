package session

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// connections are those of one session: the current one, and former ones, which
// took their leave and whose last calls have not ended. They keep the state of
// the session, because that changes together with them.
type connections struct {
	life life
	now  atomic.Pointer[conn]

	mu      sync.Mutex    // guards the following, and moves of life that depend on now
	former  []*conn       // replaced, with calls in flight
	changed chan struct{} // closed at the next change of state or connection; nil: nobody waits for that
	stop    context.CancelFunc
	cause   error // why the session has ended
	over    bool  // the session has ended
}

// current returns the connection that is in use, or was last.
func (s *connections) current() *conn { return s.now.Load() }

// down reports what the end of the connection c means: redial, that another one
// is to be dialed in its place, which the caller must do; last, that it was the
// last one, so that the session ends.
func (s *connections) down(c *conn, redialable bool) (redial, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Load() != c || s.life.state() != Open {
		return false, false
	}
	if redialable && s.life.move(Open, Redialing) {
		return true, false
	}
	return false, true
}

// leaving is down for a connection whose other side goes away: it becomes a
// former one. It reports whether the caller must dial another one in its place.
func (s *connections) leaving(c *conn) (redial bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Load() != c || s.life.state() != Open || !s.life.move(Open, Redialing) {
		return false
	}
	s.former = append(s.former, c)
	return true
}

// replace makes c the current connection of a session that redials. It reports
// false if the session has ended meanwhile.
func (s *connections) replace(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(c)
	opened := s.life.move(Redialing, Open)
	s.signalLocked()
	return opened
}

// stopWith makes stop what end calls. It reports false if the session has ended.
func (s *connections) stopWith(stop context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = stop
	return s.life.state() != Closed
}

// end records that the session has ended because of cause, stops a redial, and
// returns the connections that are left, the current one first.
func (s *connections) end(cause error) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause, s.over = cause, true
	if s.stop != nil {
		s.stop()
	}
	s.signalLocked()
	all := append([]*conn{s.now.Load()}, s.former...)
	s.former = nil
	return all
}

// forget takes c out of the former connections.
func (s *connections) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.former, c); i >= 0 {
		s.former = slices.Delete(s.former, i, i+1)
	}
}

// look returns the state, why the session has ended, and a channel that is closed
// when another look is worth it, if the session redials.
func (s *connections) look() (state State, cause error, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state = s.life.state()
	if state != Redialing {
		return state, s.cause, nil
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return state, nil, s.changed
}

// err returns why the session has ended.
func (s *connections) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

func (s *connections) signalLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
