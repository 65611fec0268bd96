package cluster

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// Sessions leave a node one by one: the node sends GOAWAY, so that the other
// side sends its next calls over another connection, and closes the session
// when nothing is in transit any more.

// A drainer is the part of a session that this needs: see Drain of
// session.Engine.
type drainer interface {
	Drain() (idle, quiet bool)
}

// maxFarewell bounds the time of one session between goaway and its end.
const maxFarewell = 15 * time.Second

// leaving holds the sessions of a node that were sent GOAWAY.
type leaving struct {
	mu    sync.Mutex // guards the following
	all   bool       // the node drains: new sessions are refused
	since map[erpc.Session]time.Time
	aged  time.Time // when ages were last checked
}

// ageKey is the key in a session's store of the time at which the session is
// too old.
type ageKey struct{ c *Cluster }

// PostAccept implements [erpc.PostAcceptPlugin]: it refuses the session if the
// node drains, and otherwise sets its maximum age.
func (c *Cluster) PostAccept(sess erpc.PreSession) *erpc.Status {
	if c.draining() {
		return erpc.NewStatus(erpc.CodeShuttingDown, "cluster: the node is leaving; dial another")
	}
	if age := c.opt.ConnAge; age > 0 {
		jitter := time.Duration(rand.Int64N(int64(age)/5 + 1)) // spread over a fifth, so that clients do not all come back together
		sess.Swap().Store(ageKey{c}, time.Now().Add(age*9/10+jitter))
	}
	return nil
}

func (c *Cluster) draining() bool {
	c.leaving.mu.Lock()
	defer c.leaving.mu.Unlock()
	return c.leaving.all
}

// DrainOver empties the node before it stops. The other nodes learn that it is
// draining, new sessions are refused, and existing ones get GOAWAY, spread over
// the given time so that they do not all move to the other nodes at once. It
// returns when they have ended, or when ctx ends. Then close the peer and the
// cluster. Draining can't be undone.
func (c *Cluster) DrainOver(ctx context.Context, over time.Duration) error {
	if c.life.is() != lifeRunning {
		return ErrNotRunning
	}
	c.leaving.mu.Lock()
	c.leaving.all = true
	c.leaving.mu.Unlock()
	c.announce(func(a *announcement) { a.Draining = true })
	var sessions []erpc.Session
	c.peer.RangeSession(func(s erpc.Session) bool {
		sessions = append(sessions, s)
		return true
	})
	rand.Shuffle(len(sessions), func(i, k int) { sessions[i], sessions[k] = sessions[k], sessions[i] })
	ticker := time.NewTicker(tickStep)
	defer ticker.Stop()
	for begin, told := time.Now(), 0; ; {
		due := len(sessions)
		if passed := time.Since(begin); passed < over {
			due = int(float64(due) * float64(passed) / float64(over))
		}
		for ; told < due; told++ {
			c.goAway(sessions[told])
		}
		if told == len(sessions) && c.peer.CountSession() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// goAway sends GOAWAY to a session.
func (c *Cluster) goAway(sess erpc.Session) {
	c.leaving.mu.Lock()
	defer c.leaving.mu.Unlock()
	if _, has := c.leaving.since[sess]; !has {
		c.leaving.since[sess] = time.Now()
	}
}

// seeOff continues with the sessions that are leaving, and sends GOAWAY to
// those that are too old.
func (c *Cluster) seeOff(now time.Time) {
	c.leaving.mu.Lock()
	going := make(map[erpc.Session]time.Time, len(c.leaving.since))
	for sess, since := range c.leaving.since {
		going[sess] = since
	}
	look := c.opt.ConnAge > 0 && now.Sub(c.leaving.aged) >= c.opt.ConnAge/100
	if look {
		c.leaving.aged = now
	}
	c.leaving.mu.Unlock()
	for sess, since := range going {
		d, ok := sess.(drainer)
		quiet := !ok || now.Sub(since) >= maxFarewell
		if ok && !quiet {
			_, quiet = d.Drain()
		}
		if quiet {
			_ = sess.Close() // its error does not matter: the session ends
			c.leaving.mu.Lock()
			delete(c.leaving.since, sess)
			c.leaving.mu.Unlock()
		}
	}
	if look {
		c.peer.RangeSession(func(sess erpc.Session) bool {
			if old, has := sess.Swap().Load(ageKey{c}); has && now.After(old.(time.Time)) {
				c.goAway(sess)
			}
			return true
		})
	}
}

// Ready returns nil if the node should get new sessions, or an error if not: it
// is draining, not running, or cut off from the others. Use it as a check of
// plugin/health.
func (c *Cluster) Ready() error {
	switch {
	case c.life.is() != lifeRunning:
		return ErrNotRunning
	case c.draining():
		return errDraining
	case c.nodes.isCut():
		return ErrDown
	}
	return nil
}
