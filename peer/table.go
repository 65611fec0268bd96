package peer

import (
	"sync"

	"github.com/goerpc/erpc/session"
)

// table is the sessions of a peer by id.
type table struct {
	mu       sync.Mutex // guards the following
	sessions map[string]*session.Engine
	accepted map[*session.Engine]struct{} // sessions that count for MaxSessions
	list     []*session.Engine            // of sessions; nil after a change, never modified
	replaced map[*session.Engine]struct{} // that lost their id to a newer one and are about to end
}

// all returns the sessions. The caller must not modify the result.
func (t *table) all() []*session.Engine {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil {
		t.list = make([]*session.Engine, 0, len(t.sessions))
		for _, c := range t.sessions {
			t.list = append(t.list, c)
		}
	}
	return t.list
}

// Bind implements [session.Owner]: the newer session with an id wins, and the
// older one ends. A session that has ended, or lost its id and is about to,
// claims nothing: else two could take each other's ids and both end.
func (p *Peer) Bind(c *session.Engine, id string) {
	t := &p.table
	t.mu.Lock()
	older := t.sessions[id]
	if old := c.ID(); t.sessions[old] == c {
		delete(t.sessions, old)
	}
	c.Rename(id)
	if _, lost := t.replaced[c]; lost || c.State() == session.Closed {
		older = nil
	} else {
		t.sessions[id] = c
	}
	if older == c {
		older = nil
	}
	if older != nil {
		if t.replaced == nil {
			t.replaced = map[*session.Engine]struct{}{}
		}
		t.replaced[older] = struct{}{} // until Gone
	}
	t.list = nil
	t.mu.Unlock()
	if older != nil {
		older.End(session.ErrReplaced)
	}
}

// Gone implements [session.Owner].
func (p *Peer) Gone(c *session.Engine) {
	t := &p.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := c.ID(); t.sessions[id] == c {
		delete(t.sessions, id)
		t.list = nil
	}
	delete(t.replaced, c)
	if _, counted := t.accepted[c]; counted {
		delete(t.accepted, c)
		p.accepting.Add(-1)
	}
}

// count notes that c counts for MaxSessions until it is gone. It reports false
// if that it is already.
func (t *table) count(c *session.Engine) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.State() == session.Closed { // Gone may have been here
		return false
	}
	if t.accepted == nil {
		t.accepted = map[*session.Engine]struct{}{}
	}
	t.accepted[c] = struct{}{}
	return true
}

// CountSession returns the number of open sessions.
func (p *Peer) CountSession() int {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	return len(p.table.sessions)
}

// GetSession returns the session with that id.
func (p *Peer) GetSession(id string) (session.Session, bool) {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	c, ok := p.table.sessions[id]
	if !ok {
		return nil, false // not a nil *Conn in an interface
	}
	return c, true
}

// RangeSession calls fn for each session that was open when it began, until fn
// returns false.
func (p *Peer) RangeSession(fn func(sess session.Session) bool) {
	for _, c := range p.table.all() {
		if !fn(c) {
			return
		}
	}
}
