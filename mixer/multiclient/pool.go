package multiclient

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goerpc/erpc"
)

// dialAgain is how long a pool that has sessions makes do with them after a
// failed dial, which may have taken as long as the peer lets it.
const dialAgain = time.Second

// A member is a session of the pool. The pool's mutex guards hired and used.
type member struct {
	sess  erpc.Session
	hired int       // calls and pushes of the pool that have it
	used  time.Time // when the last of these ended
}

// load is how much is in flight. What was hired may not be pending yet, and
// handlers may have calls pending that the pool knows nothing of.
func (m *member) load() int { return max(m.hired, m.sess.Stats().Pending) }

// close ends the session.
func (m *member) close() { _ = m.sess.Close() } // it is not needed any more, however it ends

// hire returns the session for the next call or push, which must release it.
func (c *MultiClient) hire(settings []erpc.MessageSetting) (*member, *erpc.Status) {
	ctx := context.Background()
	if len(settings) > 0 {
		ctx = erpc.NewMessage(settings...).Context()
	}
	for {
		c.mu.Lock()
		if c.life.Err() != nil {
			c.mu.Unlock()
			return nil, erpc.NewStatusByCodeText(erpc.CodeWrongConn, ErrClosed, false)
		}
		best, dial := c.choose()
		if best != nil {
			best.hired++
			c.doing++
			c.mu.Unlock()
			return best, nil
		}
		if dial {
			c.dialing++
			c.mu.Unlock()
			m, st := c.dial(ctx)
			if m != nil {
				return m, nil
			}
			if ctx.Err() != nil || c.empty() {
				return nil, st
			}
			continue // what is left has to do
		}
		c.waiting++
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-c.life.Done():
		case <-ctx.Done():
		}
		c.mu.Lock()
		c.waiting--
		c.mu.Unlock()
		if ctx.Err() != nil {
			return nil, contextStatus(ctx)
		}
	}
}

// choose returns the session to use, or whether to dial; if neither, a dial
// under way is to be waited for. The mutex must be held.
func (c *MultiClient) choose() (best *member, dial bool) {
	c.bury()
	best = c.leastLoaded()
	if best != nil && best.load() == 0 {
		return best, false
	}
	if len(c.members)+c.dialing < c.quota && (best == nil || time.Now().After(c.barred)) {
		return nil, true
	}
	// A session that is being dialed will have its dialer's call and its share
	// of those that wait: who takes the first that is ready regardless makes it
	// the busiest of all.
	if best != nil && (c.dialing == 0 || best.load() <= 1+c.waiting/c.dialing) {
		return best, false
	}
	return nil, false
}

// dial makes a member that is hired already. It has been counted as dialing.
func (c *MultiClient) dial(ctx context.Context) (*member, *erpc.Status) {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	sess, st := c.peer.DialContext(both, c.addr, c.proto...)

	c.mu.Lock()
	c.dialing--
	c.wake()
	closed := c.life.Err() != nil
	var m *member
	if st.OK() && !closed {
		m = &member{sess: sess, hired: 1}
		c.members = append(c.members, m)
		c.created++
		c.doing++
		if c.sweep == nil {
			c.sweep = time.AfterFunc(c.idle, c.closeIdle)
		}
	} else if ctx.Err() == nil {
		c.barred = time.Now().Add(dialAgain)
	}
	c.mu.Unlock()
	switch {
	case m != nil:
		return m, nil
	case closed:
		if st.OK() {
			_ = sess.Close() // nobody has used it
		}
		return nil, erpc.NewStatusByCodeText(erpc.CodeWrongConn, ErrClosed, false)
	case ctx.Err() != nil:
		return nil, contextStatus(ctx)
	}
	return nil, st
}

// wake lets those that wait choose again. The mutex must be held.
func (c *MultiClient) wake() {
	if c.waiting > 0 {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// release ends what hire began.
func (c *MultiClient) release(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.hired--
	m.used = time.Now()
	c.doing--
	c.done++
	c.wake()
}

// empty reports that no session is left to make do with.
func (c *MultiClient) empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bury()
	return len(c.members) == 0
}

// leastLoaded returns the member with the smallest load, nil if there is none.
// The mutex must be held.
func (c *MultiClient) leastLoaded() *member {
	var best *member
	least := 0
	for _, m := range c.members {
		if load := m.load(); best == nil || load < least {
			best, least = m, load
		}
	}
	return best
}

// bury removes the members whose session has ended for good. One that redials
// stays, as it will be of use again. The mutex must be held.
func (c *MultiClient) bury() {
	c.members = slices.DeleteFunc(c.members, func(m *member) bool { return !m.sess.Health() })
}

// closeIdle closes the sessions that have been idle for long enough, and comes
// back when the next one may be.
func (c *MultiClient) closeIdle() {
	c.mu.Lock()
	var leave []*member
	if c.life.Err() == nil {
		c.bury()
		now, next := time.Now(), c.idle
		c.members = slices.DeleteFunc(c.members, func(m *member) bool {
			if m.hired > 0 {
				return false // its time begins with the release
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

// contextStatus is what a call ends with whose context ended.
func contextStatus(ctx context.Context) *erpc.Status {
	code := erpc.CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = erpc.CodeHandleTimeout
	}
	return erpc.NewStatusByCodeText(code, context.Cause(ctx), false)
}
