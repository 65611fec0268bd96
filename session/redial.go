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
func (c *Conn) usable(x *exchange, quit <-chan struct{}, nowait bool) *message.Status {
	if c.life.state() == Open {
		x.link = c.link.Load()
		return nil
	}
	ctx := x.out.Context()
	for {
		c.mu.Lock()
		state, cause := c.life.state(), c.cause
		if state == Redialing && c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		switch state {
		case Open:
			x.link = c.link.Load()
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

// replaced reports whether the session has, or may yet get, another connection
// in place of l, which is gone.
func (c *Conn) replaced(l *link) bool {
	if c.dial == nil {
		return false
	}
	c.linkDown(l, nil)
	return c.life.state() != Closed
}

// linkDown deals with the end of a connection: another one is dialed, or the
// session ends.
func (c *Conn) linkDown(l *link, cause error) {
	c.mu.Lock() // or l could be replaced between the questions and the move
	current := c.link.Load() == l && c.life.state() == Open
	again := current && c.dial != nil && !errors.Is(cause, ErrAge) && c.life.move(Open, Redialing)
	c.mu.Unlock()
	_ = l.close(cause)
	switch {
	case again:
		go c.redial(l)
	case current:
		_ = c.finish(cause)
	}
}

// redial makes another connection in place of old, runs the connect hooks on it
// and opens the session again. It gives up when the session is closed, or after
// the attempts of the configuration.
func (c *Conn) redial(old *link) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
	if c.life.state() == Closed {
		return
	}
	wait := backoff{next: c.cfg.RedialFirst, longest: c.cfg.RedialLongest}
	var st *message.Status
	for i := 0; c.cfg.RedialTimes < 0 || i < c.cfg.RedialTimes; i++ {
		if !wait.sleep(ctx, i) {
			return // closed
		}
		if st = c.redialOnce(ctx, old); st.OK() || c.life.state() == Closed {
			return
		}
		c.Debugf("session %s: redial, attempt %d: %v", c.ID(), i+1, st)
	}
	c.cfg.Logger.Warn("redial given up", "session", c.ID(), "attempts", c.cfg.RedialTimes, "status", st.String())
	_ = c.finish(st.Err())
}

func (c *Conn) redialOnce(ctx context.Context, old *link) *message.Status {
	conn, st := c.dial(ctx)
	if !st.OK() {
		return st
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends hooks that wait for the other side
	l := newLink(c, conn)
	hooks := c.cfg.Hooks.Load()
	p := newPreSession(c, l)
	st = c.postDial(hooks, p, true)
	l = p.finish()
	if !st.OK() {
		_ = l.close(st.Err())
		return st
	}
	c.mu.Lock()
	c.link.Store(l)
	opened := c.life.move(Redialing, Open)
	c.signal()
	c.mu.Unlock()
	if !opened { // closed, perhaps before it could see l
		_ = l.close(c.Err())
		return statusClosed(c.Err())
	}
	c.Infof("session %s: connected again to %v", c.ID(), conn.RemoteAddr())
	l.start()
	if c.life.state() == Closed {
		_ = l.close(c.Err())
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
