package peer

import (
	"maps"
	"slices"
	"sync"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/session"
)

// A Group is a named set of sessions of one peer: the members of a chat room,
// the subscribers of a topic. A group exists as long as it has members, and a
// session leaves its groups when it ends. The value only holds the name, so it
// can be made at any time. All methods may be called concurrently.
type Group struct {
	peer *Peer
	name string
}

// Group returns the group of that name.
func (p *Peer) Group(name string) Group { return Group{p, name} }

// Groups returns the names of the groups that the session is in, sorted.
func (p *Peer) Groups(sess session.Session) []string { return p.groups.of(sess) }

// Name returns the name of the group.
func (g Group) Name() string { return g.name }

// Join makes a session of the peer a member. It returns false if the session has
// ended, or belongs to another peer.
func (g Group) Join(sess session.Session) bool {
	s, ok := sess.(*session.Engine)
	return ok && s.Peer() == session.Peer(g.peer) && g.peer.groups.join(g.name, s)
}

// Leave ends a membership and reports whether there was one.
func (g Group) Leave(sess session.Session) bool {
	s, ok := sess.(*session.Engine)
	return ok && g.peer.groups.leave(g.name, s)
}

// Has reports whether the session is a member.
func (g Group) Has(sess session.Session) bool { return slices.Contains(g.peer.Groups(sess), g.name) }

// Members returns the members, in no particular order.
func (g Group) Members() []session.Session {
	engines := g.peer.groups.members(g.name)
	members := make([]session.Session, 0, len(engines))
	for _, s := range engines {
		members = append(members, s)
	}
	return members
}

// Len returns the number of members.
func (g Group) Len() int { return g.peer.groups.size(g.name) }

// Broadcast is [Peer.Broadcast] to the members except those in except.
func (g Group) Broadcast(serviceMethod string, arg any, except []session.Session, settings ...message.Setting) (sent int, failed map[string]*message.Status) {
	members := g.peer.groups.members(g.name)
	if len(except) > 0 {
		members = slices.DeleteFunc(members, func(s *session.Engine) bool { return slices.Contains(except, session.Session(s)) })
	}
	return broadcast(slices.Values(members), true, serviceMethod, arg, settings)
}

// groups holds the memberships of a peer's sessions, by group and by session.
// The zero value is empty.
type groups struct {
	mu        sync.Mutex // guards the following
	byName    map[string]map[*session.Engine]struct{}
	bySession map[*session.Engine]map[string]struct{}
}

func (g *groups) join(name string, s *session.Engine) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.State() == session.Closed { // gone may have run already
		return false
	}
	if g.byName == nil {
		g.byName, g.bySession = map[string]map[*session.Engine]struct{}{}, map[*session.Engine]map[string]struct{}{}
	}
	enter(g.byName, name, s)
	enter(g.bySession, s, name)
	return true
}

func (g *groups) leave(name string, s *session.Engine) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, was := g.byName[name][s]
	remove(g.byName, name, s)
	remove(g.bySession, s, name)
	return was
}

// gone removes a session that has ended from all groups.
func (g *groups) gone(s *session.Engine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name := range g.bySession[s] {
		remove(g.byName, name, s)
	}
	delete(g.bySession, s)
}

func (g *groups) members(name string) []*session.Engine {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.byName[name]))
}

func (g *groups) size(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.byName[name])
}

func (g *groups) of(sess session.Session) []string {
	s, _ := sess.(*session.Engine)
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.bySession[s]))
}

// enter adds v to the set at k, and creates the set if there is none.
func enter[K, V comparable](sets map[K]map[V]struct{}, k K, v V) {
	if sets[k] == nil {
		sets[k] = map[V]struct{}{}
	}
	sets[k][v] = struct{}{}
}

// remove removes v from the set at k, and deletes the set once it is empty.
func remove[K, V comparable](sets map[K]map[V]struct{}, k K, v V) {
	delete(sets[k], v)
	if len(sets[k]) == 0 {
		delete(sets, k)
	}
}
