package session

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/backoff"
)

// connections are those of one session: the current one, and former ones, which take
// no more calls, but from which replies may still be read: their other side shuts
// down, or a write on them has failed. They hold the state of the session, because it
// changes together with them.
type connections struct {
	life life
	now  atomic.Pointer[conn]

	mu      sync.Mutex    // guards the following, and moves of life that depend on the current connection
	changed chan struct{} // closed at the next change of state, and perhaps sooner; nil: no goroutine waits for that
	cause   error         // why the session has ended, or is lost
	redials *redials      // nil: the session can't redial; set before the session is opened
}

// redials dial the connections of a session after its first, and count the attempts
// since the last connection that lasted.
type redials struct {
	dial   Dial
	opened time.Duration // on clock, when the current connection was opened; 0: none since the session was lost

	wait     backoff.Backoff
	failed   int             // attempts, and connections that did not last
	revival  backoff.Backoff // between redials that callers begin after the session was lost
	reviveAt time.Duration   // on clock, when the next caller may begin one

	former []*conn            // connections that were replaced, with calls in flight
	stop   context.CancelFunc // ends the attempt in progress; nil: there was none
}

// newRedials returns redials with dial, whose waits grow from first to longest.
func newRedials(dial Dial, first, longest time.Duration) *redials {
	r := &redials{
		dial:    dial,
		wait:    backoff.Backoff{First: first, Max: longest, Soon: true},
		revival: backoff.Backoff{First: max(first, time.Millisecond), Max: longest},
	}
	r.revival.Next() // the first does not wait
	return r
}

// began records that the current connection was opened.
func (r *redials) began() {
	if r != nil {
		r.opened = clock()
	}
}

// lived returns how long ago the current connection was opened.
func (r *redials) lived() time.Duration { return clock() - r.opened }

// ended records the end of a connection that lived for lived. leaving means that
// its other side announced the end, which is not counted as a failure.
func (r *redials) ended(lived time.Duration, leaving bool) {
	switch {
	case lived >= max(r.wait.Max, r.wait.First):
		r.wait.Reset()
		r.revival.Reset()
		r.revival.Next()
		r.failed = 0
	case leaving:
		r.failed = 0
	case r.wait.Attempts() > 0:
		r.failed++
	}
}

// redialable reports whether the session can dial another connection.
func (s *connections) redialable() bool { return s.redials != nil }

// current returns the current connection or, without one, the last.
func (s *connections) current() *conn { return s.now.Load() }

// open makes c the connection of a session whose connect hooks have run. It
// reports false if the session has ended meanwhile.
func (s *connections) open(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(c)
	s.redials.began()
	s.signalLocked()
	return s.life.move(Preparing, Open)
}

// down records the end of the connection c. redial means that the caller must dial
// another one; last means that the session ends with it.
func (s *connections) down(c *conn, redialable bool) (redial, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Load() != c || s.life.state() != Open {
		return false, false
	}
	if redialable && s.life.move(Open, Redialing) {
		s.redials.ended(s.redials.lived(), false)
		s.signalLocked()
		return true, false
	}
	return false, true
}

// retire is down for a connection that becomes a former one. leaving means that its
// other side shuts down. It reports whether the caller must dial another one.
func (s *connections) retire(c *conn, leaving bool) (redial bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Load() != c || s.life.state() != Open || !s.life.move(Open, Redialing) {
		return false
	}
	s.redials.ended(s.redials.lived(), leaving)
	s.redials.former = append(s.redials.former, c)
	s.signalLocked()
	return true
}

// attempt returns how long to wait before the next attempt to redial. ok is false
// if times attempts were made; a negative times is no bound.
func (s *connections) attempt(times int) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if times >= 0 && s.redials.failed >= times {
		return 0, false
	}
	return s.redials.wait.Next(), true
}

// attemptFailed counts an attempt that failed.
func (s *connections) attemptFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redials.failed++
}

// replace makes c the current connection of a session that redials. It reports
// false if the session has ended meanwhile.
func (s *connections) replace(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(c)
	s.redials.began()
	s.cause = nil
	opened := s.life.move(Redialing, Open)
	s.signalLocked()
	return opened
}

// lose makes the session lost, because no attempt to redial has succeeded. lost is
// false if the session has ended meanwhile; first reports that it was open since
// the last time it was lost.
func (s *connections) lose(cause error) (lost, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.life.move(Redialing, Lost) {
		return false, false
	}
	first = s.redials.opened != 0
	s.redials.opened = 0
	s.cause = cause
	s.redials.failed = 0
	s.redials.wait.Reset()
	s.redials.reviveAt = math.MaxInt64
	s.signalLocked()
	return true, first
}

// mayRevive allows a caller to redial the lost session, after a wait.
func (s *connections) mayRevive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redials.reviveAt = clock() + s.redials.revival.Next()
}

// revive reports whether the caller must redial the session, which was lost.
func (s *connections) revive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if clock() < s.redials.reviveAt || !s.life.move(Lost, Redialing) {
		return false
	}
	s.signalLocked()
	return true
}

// stopWith makes end call stop. It reports false if the session has ended.
func (s *connections) stopWith(stop context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redials.stop = stop
	return s.life.state() != Closed
}

// end records that the session has ended in the state from because of cause, stops a
// redial, and returns the remaining connections, the current one first. connected
// reports whether the session was open, now or since it was last lost.
func (s *connections) end(from State, cause error) (left []*conn, connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause
	s.signalLocked()
	left = s.allLocked()
	connected = from == Open
	if r := s.redials; r != nil {
		connected = connected || from == Redialing && r.opened != 0
		r.former = nil
		if r.stop != nil {
			r.stop()
		}
	}
	return left, connected
}

// all returns the connections, the current one first.
func (s *connections) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.allLocked()
}

func (s *connections) allLocked() []*conn {
	all := []*conn{s.now.Load()}
	if s.redials != nil {
		all = append(all, s.redials.former...)
	}
	return all
}

// forget removes c from the former connections.
func (s *connections) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.redials; r != nil {
		r.former = slices.DeleteFunc(r.former, func(old *conn) bool { return old == c })
	}
}

// look returns the state and a channel that is closed when it changes.
func (s *connections) look() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.life.state(), s.changed
}

// err returns why the session has ended, or is lost.
func (s *connections) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// ended returns why this side has ended the session, nil if it has not, or gave no
// reason.
func (s *connections) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.state() != Closed {
		return nil
	}
	return s.cause
}

// signal tells those who wait for a change.
func (s *connections) signal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signalLocked()
}

func (s *connections) signalLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
