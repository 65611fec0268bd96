package peer

import (
	"fmt"
	"iter"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/goerpc/erpc/session"
)

// table holds the sessions of a peer by id.
type table struct {
	mu       sync.Mutex                   // guards the following
	next     uint64                       // suffix that makes an id unique
	reserved map[string]struct{}          // ids of sessions whose connect hooks run
	places   map[string]int               // of the sessions in the roster, by id
	roster   roster                       // of the sessions
	accepted map[*session.Engine]struct{} // sessions that count for MaxSessions
	replaced map[*session.Engine]struct{} // sessions that lost their id to a newer one and are about to end
}

// all returns the sessions in the table now; later changes don't affect it.
func (t *table) all() iter.Seq[*session.Engine] {
	t.mu.Lock()
	chunks := t.roster.all()
	t.mu.Unlock()
	return func(yield func(*session.Engine) bool) {
		for _, chunk := range chunks {
			for _, c := range chunk {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// findLocked returns the session with that id, nil if there is none.
func (t *table) findLocked(id string) *session.Engine {
	place, ok := t.places[id]
	if !ok {
		return nil
	}
	return t.roster.at(place)
}

// enterLocked gives c an id, which must be free.
func (t *table) enterLocked(c *session.Engine, id string) { t.places[id] = t.roster.add(c) }

// leaveLocked frees c's id, if c still has it.
func (t *table) leaveLocked(c *session.Engine) {
	id := c.ID()
	place, ok := t.places[id]
	if !ok || t.roster.at(place) != c {
		return
	}
	delete(t.places, id)
	if moved := t.roster.remove(place); moved != nil {
		t.places[moved.ID()] = place
	}
}

// reserve returns an id for a connection that is about to become a session: the
// address if it is free, else the address and a number. Another session may
// have the address as its id: a redialed session keeps the id of its first
// address, one local port can be used towards several addresses, and a peer
// that dials itself sees one address from both sides. The id is reserved until
// release.
func (t *table) reserve(addr net.Addr) (id string) {
	id = addr.String()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !unique(addr.Network(), id) || t.takenLocked(id) {
		id = t.numberLocked(id)
	}
	if t.reserved == nil {
		t.reserved = map[string]struct{}{}
	}
	t.reserved[id] = struct{}{}
	return id
}

// numberLocked returns base with a number that makes it a free id.
func (t *table) numberLocked(base string) string {
	for {
		t.next++
		if id := fmt.Sprintf("%s#%d", base, t.next); !t.takenLocked(id) {
			return id
		}
	}
}

func (t *table) takenLocked(id string) bool {
	_, bound := t.places[id]
	_, reserved := t.reserved[id]
	return bound || reserved
}

// release frees a reserved id, once the session has bound an id or failed.
func (t *table) release(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.reserved, id)
}

// unique reports whether an address names one connection, as an IP address with
// a port does. The address of a unix socket does not, and its client chooses
// it.
func unique(network, addr string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Port() != 0 && !isUnix(network)
}

// isDefault reports whether the id is one that reserve made for c.
func isDefault(c *session.Engine, id string) bool {
	base, _, _ := strings.Cut(id, "#")
	for _, addr := range []net.Addr{c.RemoteAddr(), c.LocalAddr()} {
		if addr != nil && addr.String() == base {
			return true
		}
	}
	return false
}

// Bind implements [session.Owner]: the newer session with an id wins, and the
// older one ends. A session that has ended, or has lost its id and is about to
// end, can't claim an id; otherwise two sessions could take each other's ids
// and both end. An id derived from an address never displaces another session:
// c gets the address with a number instead.
func (p *Peer) Bind(c *session.Engine, id string) {
	t := &p.table
	t.mu.Lock()
	older := t.findLocked(id)
	if older != nil && older != c && isDefault(c, id) {
		id, older = t.numberLocked(id), nil
	}
	t.leaveLocked(c)
	if older == c {
		older = nil
	}
	if _, lost := t.replaced[c]; lost || c.State() == session.Closed {
		older = nil
		c.Rename(id)
	} else {
		if older != nil {
			t.leaveLocked(older)
		}
		c.Rename(id)
		t.enterLocked(c, id)
	}
	if older != nil {
		if t.replaced == nil {
			t.replaced = map[*session.Engine]struct{}{}
		}
		t.replaced[older] = struct{}{} // until Gone
	}
	t.mu.Unlock()
	if older != nil {
		older.End(session.ErrReplaced)
	}
}

// Gone implements [session.Owner].
func (p *Peer) Gone(c *session.Engine) {
	p.groups.gone(c)
	t := &p.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaveLocked(c)
	delete(t.replaced, c)
	if _, counted := t.accepted[c]; counted {
		delete(t.accepted, c)
		p.accepting.Add(-1)
	}
}

// count makes c count towards MaxSessions until it is gone. It returns false if
// c is already gone.
func (t *table) count(c *session.Engine) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.State() == session.Closed { // Gone may have run already
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
	return len(p.table.places)
}

// GetSession returns the session with that id.
func (p *Peer) GetSession(id string) (session.Session, bool) {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	c := p.table.findLocked(id)
	if c == nil {
		return nil, false // not a nil *Engine in an interface
	}
	return c, true
}

// RangeSession calls fn for each session that was open when it began, until fn
// returns false.
func (p *Peer) RangeSession(fn func(sess session.Session) bool) {
	for c := range p.table.all() {
		if !fn(c) {
			return
		}
	}
}
