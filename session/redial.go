package session

import (
	"context"
	"errors"
	"log/slog"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/message"
)

// statusRedialing is returned by usable to a caller that must not wait.
var statusRedialing = newStatus(message.CodeConnClosed, errors.New("session: the connection is being redialed"))

var errNotLasting = errors.New("session: each connection broke soon after it was opened")

// usable returns an open connection. While the session redials it waits for one,
// until ctx ends or quit, which may be nil, is closed. With nowait it returns
// statusRedialing instead of waiting.
func (s *Engine) usable(ctx context.Context, quit <-chan struct{}, nowait bool) (*conn, *message.Status) {
	if s.State() == Open {
		return s.conns.current(), nil
	}
	tried := false // this has waited for a redial: the end of that is the outcome
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

// revive starts a redial of a lost session. It reports whether a redial is in
// progress.
func (s *Engine) revive() bool {
	if s.conns.revive() {
		go s.redial()
		return true
	}
	return s.State() == Redialing
}

// failOver replaces c, which takes no more messages. Replies may have come before it
// broke, so it stays open until everything is read, which the socket bounds. It reports
// whether the session has, or may get, another connection.
func (s *Engine) failOver(c *conn) bool {
	if !s.conns.redialable() {
		return false
	}
	if s.conns.retire(c, false) {
		s.logLost(c, c.sock.Err())
		go s.redial()
	}
	state := s.State()
	return state == Open || state == Redialing
}

// connDown implements [upstream]: the session dials another connection, or ends.
func (s *Engine) connDown(c *conn, cause error) {
	redial, last := s.conns.down(c, s.conns.redialable() && !errors.Is(cause, ErrAge))
	if last {
		_ = s.finish(cause) // its error has no one left to report to
		return
	}
	if own := s.conns.ended(); own != nil {
		cause = own // the other side closes because this side has said that it ends
	}
	_ = c.close(cause) // its error has no one left to report to
	if redial {
		s.logLost(c, cause)
		go s.redial()
	}
}

// connLeaving implements [upstream]. The session replaces c if it can dial another
// connection.
func (s *Engine) connLeaving(c *conn) {
	if !s.conns.redialable() {
		c.leave()
		return
	}
	if s.conns.retire(c, true) {
		s.logLost(c, errLeaving)
		c.leave()
		go s.redial()
	}
}

// connEnded implements [upstream]: the other side has closed the session.
func (s *Engine) connEnded(c *conn, why *ClosedError) {
	if why.Reconnect && s.conns.redialable() {
		s.connDown(c, why)
		return
	}
	if s.conns.current() == c {
		_ = s.finish(why)
	}
}

// errLeaving is why a session that got a goaway redials.
var errLeaving = errors.New("session: the other side is shutting down")

// logEnd logs that the session has ended: at the level INFO if this side dialed it and
// did not end it itself, else at a lower one, because clients decide how many accepted
// sessions end.
func (s *Engine) logEnd(was State, cause error) {
	level := slog.LevelDebug
	if s.dialed && cause != nil {
		level = slog.LevelInfo
	}
	if was == Open || was == Redialing {
		s.Log(level, "session ended", errAttr(cause))
	}
}

// logLost logs that the session has lost its connection and redials.
func (s *Engine) logLost(c *conn, cause error) {
	c.log(slog.LevelInfo, "session lost; redialing", errAttr(cause))
}

// connClosed implements [upstream].
func (s *Engine) connClosed(c *conn) { s.conns.forget(c) }

// redial dials another connection, runs the connect hooks on it and opens the
// session again. It gives up when the session is closed, or after the configured
// number of attempts.
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
		if attempts&(attempts-1) == 0 { // the first attempt, and whenever their number has doubled
			s.Log(slog.LevelWarn, "redial failed; trying again", slog.Int("attempt", attempts), statusAttr(st))
		}
	}
	s.Log(slog.LevelWarn, "redial given up", slog.Int("attempts", attempts), statusAttr(st))
	s.lose(st.Err())
}

// lose ends a session that could not be redialed, except for what a later call
// needs to try again.
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
	nc, st := s.conns.redials.dial(ctx)
	if !st.OK() {
		return st
	}
	unwatch := context.AfterFunc(ctx, func() { _ = nc.Close() }) // so that hooks which wait for the other side end
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
	if !s.conns.replace(c) { // the session was closed, perhaps before it could see c
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
