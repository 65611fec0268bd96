package session

import (
	"context"
	"errors"
	"log/slog"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/message"
)

// statusRedialing is what usable returns to a caller that must not wait.
var statusRedialing = newStatus(message.CodeConnClosed, errors.New("session: the connection is being redialed"))

var errNotLasting = errors.New("session: each connection broke soon after it was opened")

// usable returns a connection that is open, and waits for that if the session is
// being redialed, no longer than ctx lasts and quit, which may be nil, is open.
// With nowait it returns statusRedialing instead.
func (s *Engine) usable(ctx context.Context, quit <-chan struct{}, nowait bool) (*conn, *message.Status) {
	if s.State() == Open {
		return s.conns.current(), nil
	}
	tried := false // a redial has gone on while this waited: its end is the outcome
	for {
		state, changed := s.conns.look()
		switch {
		case state == Open:
			return s.conns.current(), nil
		case state == Lost && !tried && s.revive():
			tried = true
			continue
		case state != Redialing:
			return nil, statusClosed(s.Err())
		case nowait:
			return nil, statusRedialing
		}
		tried = true
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, statusContext(ctx)
		case <-quit:
			return nil, statusCanceled()
		}
	}
}

// revive begins a redial of a session that is lost. It reports whether there is
// one now.
func (s *Engine) revive() bool {
	if s.conns.revive() {
		go s.redial()
		return true
	}
	return s.State() == Redialing
}

// failOver ends c, which turned out to be gone. It reports whether the session
// has, or may yet get, another connection.
func (s *Engine) failOver(c *conn) bool {
	if s.dial == nil {
		return false
	}
	s.connDown(c, nil)
	state := s.State()
	return state == Open || state == Redialing
}

// connDown implements [upstream]: another connection is dialed, or the session
// ends.
func (s *Engine) connDown(c *conn, cause error) {
	redial, last := s.conns.down(c, s.dial != nil && !errors.Is(cause, ErrAge))
	if last {
		_ = s.finish(cause) // nothing is left to be told of its error
		return
	}
	if own := s.conns.ended(); own != nil {
		cause = own // the other side closes because this side has said that it ends
	}
	_ = c.close(cause) // nothing is left to be told of its error
	if redial {
		s.logLost(c, cause)
		go s.redial()
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
		go s.redial()
	}
}

// connEnded implements [upstream]: the other side has closed the session.
func (s *Engine) connEnded(c *conn, why *ClosedError) {
	if why.Reconnect && s.dial != nil {
		s.connDown(c, why)
		return
	}
	if s.conns.current() == c {
		_ = s.finish(why)
	}
}

// errLeaving is why a session that got a goaway redials.
var errLeaving = errors.New("session: the other side is shutting down")

// logEnd says that the session has ended: at the level INFO if this side has dialed it
// and did not end it itself, as strangers decide how many others there are.
func (s *Engine) logEnd(was State, cause error) {
	level := slog.LevelDebug
	if s.dialed && cause != nil {
		level = slog.LevelInfo
	}
	if was == Open || was == Redialing {
		s.Log(level, "session ended", errAttr(cause))
	}
}

// logLost says that the session has no connection for a while.
func (s *Engine) logLost(c *conn, cause error) {
	c.log(slog.LevelInfo, "session lost; redialing", errAttr(cause))
}

// connClosed implements [upstream].
func (s *Engine) connClosed(c *conn) { s.conns.forget(c) }

// redial makes another connection, runs the connect hooks on it and opens the
// session again. It gives up when the session is closed, or after the attempts of
// the configuration.
func (s *Engine) redial() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if !s.conns.stopWith(stop) {
		return
	}
	st := statusClosed(errNotLasting)
	attempts := 0
	for {
		wait, ok := s.conns.attempt(s.shared.RedialTimes)
		if !ok {
			break
		}
		if !backoff.Sleep(ctx, wait) {
			return // closed
		}
		st = s.redialOnce(ctx)
		if st.OK() || s.State() == Closed {
			return
		}
		s.conns.attemptFailed()
		if on := s.shared.RedialOn; on != nil && !on(st) {
			break
		}
		attempts++
		if attempts&(attempts-1) == 0 { // the first attempt, and each time that their number has doubled
			s.Log(slog.LevelWarn, "redial failed; trying again", slog.Int("attempt", attempts), statusAttr(st))
		}
	}
	s.Log(slog.LevelWarn, "redial given up", slog.Int("attempts", attempts), statusAttr(st))
	s.lose(st.Err())
}

// lose ends what a session that could not be redialed has, but for what a later
// call needs to try again.
func (s *Engine) lose(cause error) {
	s.shared.Owner.Gone(s)
	lost, first := s.conns.lose(cause)
	if !lost {
		return
	}
	s.notifyEnd()
	if first {
		s.shared.Hooks.Load().disconnect(s, nil)
	}
	s.conns.mayRevive()
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
		st = p.tooLate(nil)
	}
	if !st.OK() {
		_ = c.close(st.Err()) // it was never used
		return st
	}
	if !s.conns.replace(c) { // closed, perhaps before it could see c
		_ = c.close(s.Err()) // it was never used
		return statusClosed(s.Err())
	}
	s.reopened()
	c.log(slog.LevelInfo, "session is back")
	c.start(s.ageEnd())
	if s.State() == Closed {
		_ = c.close(s.Err()) // finish may not have seen it
	}
	unwatch()
	hooks.opened(s, true)
	return nil
}
