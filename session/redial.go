package session

import (
	"context"
	"errors"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/message"
)

// statusRedialing is what usable returns to a caller that must not wait.
var statusRedialing = newStatus(message.CodeConnClosed, errors.New("session: the connection is being redialed"))

// usable returns a connection that is open, and waits for that if the session is
// being redialed, no longer than ctx lasts and quit, which may be nil, is open.
// With nowait it returns statusRedialing instead.
func (s *Engine) usable(ctx context.Context, quit <-chan struct{}, nowait bool) (*conn, *message.Status) {
	if s.State() == Open {
		return s.conns.current(), nil
	}
	for {
		state, cause, changed := s.conns.look()
		switch {
		case state == Open:
			return s.conns.current(), nil
		case state != Redialing:
			return nil, statusClosed(cause)
		case nowait:
			return nil, statusRedialing
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, statusContext(ctx)
		case <-quit:
			return nil, statusCanceled()
		}
	}
}

// failOver ends c, which turned out to be gone. It reports whether the session
// has, or may yet get, another connection.
func (s *Engine) failOver(c *conn) bool {
	if s.dial == nil {
		return false
	}
	s.connDown(c, nil)
	return s.State() != Closed
}

// connDown implements [upstream]: another connection is dialed, or the session
// ends.
func (s *Engine) connDown(c *conn, cause error) {
	redial, last := s.conns.down(c, s.dial != nil && !errors.Is(cause, ErrAge))
	_ = c.close(cause) // nothing is left to be told of its error
	switch {
	case redial:
		s.logLost(c, cause)
		go s.redial(c)
	case last:
		_ = s.finish(cause)
	}
}

// connLeaving implements [upstream]. Another connection takes the place of c if
// the session can dial one.
func (s *Engine) connLeaving(c *conn) {
	if s.dial == nil {
		c.leave()
		return
	}
	if s.conns.leaving(c) {
		s.logLost(c, errLeaving)
		c.leave()
		go s.redial(c)
	}
}

// errLeaving is why a session that got a goaway redials.
var errLeaving = errors.New("session: the other side is shutting down")

// logLost says that the session has no connection for a while.
func (s *Engine) logLost(c *conn, cause error) {
	s.shared.Logger.Info("session lost; redialing", "session", s.ID(), "remote", c.sock.Conn().RemoteAddr().String(), "err", cause)
}

// connClosed implements [upstream].
func (s *Engine) connClosed(c *conn) { s.conns.forget(c) }

// redial makes another connection in place of old, runs the connect hooks on it
// and opens the session again. It gives up when the session is closed, or after
// the attempts of the configuration.
func (s *Engine) redial(old *conn) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if !s.conns.stopWith(stop) {
		return
	}
	wait := backoff.Backoff{First: s.shared.RedialFirst, Max: s.shared.RedialLongest, Soon: true}
	var st *message.Status
	for s.shared.RedialTimes < 0 || wait.Attempts() < s.shared.RedialTimes {
		if !backoff.Sleep(ctx, wait.Next()) {
			return // closed
		}
		st = s.redialOnce(ctx)
		if st.OK() || s.State() == Closed {
			return
		}
		if on := s.shared.RedialOn; on != nil && !on(st) {
			break
		}
		if n := wait.Attempts(); n&(n-1) == 0 { // the first attempt, and each time that their number has doubled
			s.shared.Logger.Warn("redial failed; trying again", "session", s.ID(), "attempt", n, "err", st.Err())
		}
	}
	s.shared.Logger.Warn("redial given up", "session", s.ID(), "attempts", wait.Attempts(), "err", st.Err())
	_ = s.finish(st.Err())
}

func (s *Engine) redialOnce(ctx context.Context) *message.Status {
	nc, st := s.dial(ctx)
	if !st.OK() {
		return st
	}
	unwatch := context.AfterFunc(ctx, func() { _ = nc.Close() }) // ends hooks that wait for the other side
	defer unwatch()
	p := newPreSession(s, newConnection(s, nc))
	hooks := s.shared.Hooks.Load()
	st = s.postDial(hooks, p, true)
	c := p.finish()
	if st.OK() {
		st = p.tooLate(hooks)
	}
	if !st.OK() {
		_ = c.close(st.Err()) // it was never used
		return st
	}
	if !s.conns.replace(c) { // closed, perhaps before it could see c
		_ = c.close(s.Err()) // it was never used
		return statusClosed(s.Err())
	}
	s.shared.Logger.Info("session is back", "session", s.ID(), "remote", nc.RemoteAddr().String())
	c.start(s.ageEnd())
	if s.State() == Closed {
		_ = c.close(s.Err()) // finish may not have seen it
	}
	return nil
}
