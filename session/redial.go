package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/goerpc/erpc/message"
)

// statusRedialing is what usable returns to who must not wait.
var statusRedialing = newStatus(message.CodeConnClosed, errors.New("session: the connection is being redialed"))

// usable makes x one of a connection that is open, and waits for that if the
// session is being redialed, for no longer than quit, which may be nil, is open.
// With nowait it returns statusRedialing instead.
func (s *Engine) usable(x *exchange, quit <-chan struct{}, nowait bool) *message.Status {
	if s.life.state() == Open {
		x.conn = s.conn.Load()
		return nil
	}
	ctx := x.out.Context()
	for {
		s.mu.Lock()
		state, cause := s.life.state(), s.cause
		if state == Redialing && s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		switch state {
		case Open:
			x.conn = s.conn.Load()
			return nil
		case Redialing:
			if nowait {
				return statusRedialing
			}
		default:
			return statusClosed(cause)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return statusContext(ctx)
		case <-quit:
			return statusCanceled()
		}
	}
}

// failOver reports whether the session has, or may yet get, another connection
// in place of c, which is gone.
func (s *Engine) failOver(c *conn) bool {
	if s.dial == nil {
		return false
	}
	s.connDown(c, nil)
	return s.life.state() != Closed
}

// connDown deals with the end of a connection: another one is dialed, or the
// session ends.
func (s *Engine) connDown(c *conn, cause error) {
	s.mu.Lock() // or l could be replaced between the questions and the move
	current := s.conn.Load() == c && s.life.state() == Open
	again := current && s.dial != nil && !errors.Is(cause, ErrAge) && s.life.move(Open, Redialing)
	s.mu.Unlock()
	_ = c.close(cause)
	switch {
	case again:
		go s.redial(c)
	case current:
		_ = s.finish(cause)
	}
}

// redial makes another connection in place of old, runs the connect hooks on it
// and opens the session again. It gives up when the session is closed, or after
// the attempts of the configuration.
func (s *Engine) redial(old *conn) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s.mu.Lock()
	s.stop = stop
	s.mu.Unlock()
	if s.life.state() == Closed {
		return
	}
	wait := backoff{next: s.shared.RedialFirst, longest: s.shared.RedialLongest}
	var st *message.Status
	for i := 0; s.shared.RedialTimes < 0 || i < s.shared.RedialTimes; i++ {
		if !wait.sleep(ctx, i) {
			return // closed
		}
		if st = s.redialOnce(ctx, old); st.OK() || s.life.state() == Closed {
			return
		}
		s.Debugf("session %s: redial, attempt %d: %v", s.ID(), i+1, st)
	}
	s.shared.Logger.Warn("redial given up", "session", s.ID(), "attempts", s.shared.RedialTimes, "status", st.String())
	_ = s.finish(st.Err())
}

func (s *Engine) redialOnce(ctx context.Context, old *conn) *message.Status {
	nc, st := s.dial(ctx)
	if !st.OK() {
		return st
	}
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })() // ends hooks that wait for the other side
	c := newConnection(s, nc)
	hooks := s.shared.Hooks.Load()
	p := newPreSession(s, c)
	st = s.postDial(hooks, p, true)
	c = p.finish()
	if !st.OK() {
		_ = c.close(st.Err())
		return st
	}
	s.mu.Lock()
	s.conn.Store(c)
	opened := s.life.move(Redialing, Open)
	s.signalLocked()
	s.mu.Unlock()
	if !opened { // closed, perhaps before it could see l
		_ = c.close(s.Err())
		return statusClosed(s.Err())
	}
	s.Infof("session %s: connected again to %v", s.ID(), nc.RemoteAddr())
	c.start()
	if s.life.state() == Closed {
		_ = c.close(s.Err())
	}
	return nil
}

// A backoff is the time between attempts: it doubles up to longest, and each
// is drawn from the upper half of it, so that a thousand clients of one server
// do not come back in step.
type backoff struct{ next, longest time.Duration }

// sleep waits before attempt i, the first of which is 0. It returns false if
// ctx ended.
func (b *backoff) sleep(ctx context.Context, i int) bool {
	d := b.next
	if i == 0 {
		d /= 8 // the other side may well be there
	} else {
		b.next = min(2*b.next, b.longest)
	}
	if d > 0 {
		d = d/2 + rand.N(d/2+1)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
