package multiclient

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goerpc/erpc"
)

// dialAgain is how long a pool that has sessions does not dial after a failed
// dial.
const dialAgain = time.Second

// A member is a session of the pool. The pool's mutex guards hired and used.
type member struct {
	sess  erpc.Session
	hired int       // calls and pushes of the pool that use it
	used  time.Time // when the last of them ended
}

// load returns how many calls are in flight. A call that hired the session may
// not be pending yet, and the session may have pending calls that did not go
// through the pool.
func (m *member) load() int { return max(m.hired, m.sess.Stats().Pending) }

// close ends the session.
func (m *member) close() { _ = m.sess.Close() } // how it ends does not matter

// MaxHold is how long a call waits for a dial while the pool has a session that
// could take it. A dial on a healthy network is faster; a hanging one must not
// hold up calls.
const MaxHold = 50 * time.Millisecond

// settle applies the settings of a call or push once. It returns their context,
// and one setting that replaces all of them.
func settle(serviceMethod string, arg any, settings []erpc.MessageSetting) (context.Context, []erpc.MessageSetting) {
	if len(settings) == 0 {
		return context.Background(), nil
	}
	m := erpc.NewMessage(erpc.WithServiceMethod(serviceMethod), erpc.WithBody(arg))
	m.Apply(settings)
	return m.Context(), []erpc.MessageSetting{erpc.WithMessage(m)}
}

// hire returns the session for the next call or push, which must release it. If
// there is no session, it waits for one until ctx ends; if all sessions are
// busy, it waits for a dial for at most MaxHold. d, which may be nil, is a dial
// for this caller.
func (c *MultiClient) hire(ctx context.Context, d *dial) (*member, *erpc.Status) {
	patience := time.NewTimer(MaxHold)
	defer patience.Stop()
	for held := false; ; {
		c.mu.Lock()
		if c.life.Err() != nil {
			c.mu.Unlock()
			return nil, statusClosed()
		}
		if d != nil && d.m != nil { // the dial has ended already
			c.mu.Unlock()
			return d.m, nil
		}
		var best *member
		best, d = c.chooseLocked(d, held)
		if best != nil {
			c.hireLocked(best)
			c.mu.Unlock()
			return best, nil
		}
		var changed, dialed <-chan struct{}
		if d != nil {
			dialed = d.done
		}
		if d == nil || held { // with a dial of its own, the caller waits only for that
			changed = c.changed
			c.waiting++
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-dialed:
		case <-c.life.Done():
		case <-patience.C:
			held = true
		case <-ctx.Done():
		}
		m, st := c.waited(ctx, d, changed != nil)
		if m != nil || !st.OK() {
			return m, st
		}
		if d != nil && d.over() {
			d = nil
		}
	}
}

// waited ends one wait of hire, for its own dial d if that is not nil. It
// returns a session that is hired, a status that ends hire, or neither.
func (c *MultiClient) waited(ctx context.Context, d *dial, counted bool) (*member, *erpc.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if counted {
		c.waiting--
	}
	if d != nil && d.m != nil { // hired for this caller
		return d.m, nil
	}
	if ctx.Err() != nil {
		if d != nil {
			d.abandoned = true
			d.cancel()
		}
		return nil, contextStatus(ctx)
	}
	if d == nil || d.st.OK() || c.life.Err() != nil {
		return nil, nil
	}
	c.removeEndedLocked()
	if len(c.members) == 0 {
		return nil, d.st
	}
	return nil, nil // use the sessions that are left
}

func (c *MultiClient) hireLocked(m *member) {
	m.hired++
	c.doing++
}

// ready returns a hired session that can be used without waiting. If there is
// none, it counts the caller as pending: the caller must hire a session with
// the returned dial, which may be nil, and then call pended.
func (c *MultiClient) ready() (*member, *dial, *erpc.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life.Err() != nil {
		return nil, nil, statusClosed()
	}
	if c.pending >= MaxPending {
		return nil, nil, erpc.NewStatusByCodeText(erpc.CodeExhausted, errTooManyPending, false)
	}
	best, d := c.chooseLocked(nil, false)
	if best != nil {
		c.hireLocked(best)
		return best, nil, nil
	}
	c.pending++
	return nil, d, nil
}

// pended undoes the count that ready made for a pending caller.
func (c *MultiClient) pended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending--
}

func statusClosed() *erpc.Status {
	return erpc.NewStatusByCodeText(erpc.CodeWrongConn, ErrClosed, false)
}

// chooseLocked returns the session to use, or the dial that the caller waits
// for: d, if it is not nil, or a dial that chooseLocked begins. If it returns
// neither, the caller waits for the dials of others. If held is true, the
// caller has waited long enough and takes any session.
func (c *MultiClient) chooseLocked(d *dial, held bool) (*member, *dial) {
	c.removeEndedLocked()
	best := c.leastLoadedLocked()
	switch {
	case best != nil && held:
		c.late = c.dialing > 0
		if d != nil {
			d.abandoned = true
		}
		return best, nil
	case d != nil:
		return nil, d
	case best != nil && (best.load() == 0 || c.late):
		return best, nil
	case len(c.members)+c.dialing < c.quota && (best == nil || time.Now().After(c.barred)):
		return nil, c.dialLocked()
	// A session that is being dialed gets the call it is dialed for and its share
	// of the waiting ones. If every waiting caller took the first session that is
	// ready, that session would become the busiest of all.
	case best != nil && (c.dialing == 0 || best.load() <= 1+c.waiting/c.dialing):
		return best, nil
	}
	return nil, nil
}

// A dial makes a member on its own goroutine. The pool's mutex guards all
// fields except done.
type dial struct {
	cancel    context.CancelFunc
	done      chan struct{} // closed when the dial has ended
	m         *member       // if the dial succeeded and its caller waits: the member, hired for that caller
	st        *erpc.Status  // why it failed
	abandoned bool          // its caller no longer waits
}

// over reports whether the dial has ended.
func (d *dial) over() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// dialLocked begins a dial.
func (c *MultiClient) dialLocked() *dial {
	ctx, cancel := context.WithCancel(c.life)
	d := &dial{cancel: cancel, done: make(chan struct{})}
	c.dialing++
	go func() {
		sess, st := c.peer.DialContext(ctx, c.addr, c.proto...)
		cancelled := ctx.Err() != nil
		cancel()
		c.dialed(d, sess, st, cancelled)
	}()
	return d
}

// dialed records the result of a dial.
func (c *MultiClient) dialed(d *dial, sess erpc.Session, st *erpc.Status, cancelled bool) {
	c.mu.Lock()
	closed := c.life.Err() != nil
	c.dialing--
	c.late = false
	switch {
	case st.OK() && !closed:
		m := &member{sess: sess, used: time.Now()}
		if !d.abandoned {
			d.m = m
			c.hireLocked(m)
		}
		c.members = append(c.members, m)
		c.created++
		if c.sweep == nil {
			c.sweep = time.AfterFunc(c.idle, c.closeIdle)
		}
	case !st.OK():
		d.st = st
		if !cancelled {
			c.barred = time.Now().Add(dialAgain)
		}
	}
	c.wakeLocked()
	close(d.done)
	c.mu.Unlock()
	if st.OK() && closed {
		_ = sess.Close() // it was not used
	}
}

// wakeLocked lets the waiting callers choose again.
func (c *MultiClient) wakeLocked() {
	if c.waiting > 0 {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// release gives a hired session back.
func (c *MultiClient) release(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.hired--
	m.used = time.Now()
	c.doing--
	c.done++
	c.wakeLocked()
}

// leastLoadedLocked returns the member with the smallest load, or nil if there
// is none.
func (c *MultiClient) leastLoadedLocked() *member {
	var best *member
	least := 0
	for _, m := range c.members {
		if load := m.load(); best == nil || load < least {
			best, least = m, load
		}
	}
	return best
}

// removeEndedLocked removes the members whose session has ended for good. A
// session that redials stays, because it can be used again later.
func (c *MultiClient) removeEndedLocked() {
	c.members = slices.DeleteFunc(c.members, func(m *member) bool { return !m.sess.Health() })
}

// closeIdle closes the sessions that have been idle for long enough, and
// schedules itself for when the next one may be.
func (c *MultiClient) closeIdle() {
	c.mu.Lock()
	var leave []*member
	if c.life.Err() == nil {
		c.removeEndedLocked()
		now, next := time.Now(), c.idle
		c.members = slices.DeleteFunc(c.members, func(m *member) bool {
			if m.hired > 0 {
				return false // its idle time begins when it is released
			}
			if stats := m.sess.Stats(); stats.Pending > 0 || stats.Handlers > 0 {
				m.used = now
				return false
			}
			left := c.idle - now.Sub(m.used)
			if left <= 0 {
				leave = append(leave, m)
				return true
			}
			next = min(next, left)
			return false
		})
		if len(c.members) > 0 {
			c.sweep.Reset(next)
		} else {
			c.sweep = nil
		}
	}
	c.mu.Unlock()
	for _, m := range leave {
		m.close()
	}
}

// contextStatus returns the status of a call whose context has ended.
func contextStatus(ctx context.Context) *erpc.Status {
	code := erpc.CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = erpc.CodeHandleTimeout
	}
	return erpc.NewStatusByCodeText(code, context.Cause(ctx), false)
}
