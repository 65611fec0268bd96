package auth

import (
	"slices"

	"github.com/goerpc/erpc"
)

// An Identity is whom a session belongs to, as its checker found out. Several
// sessions may have the same. It must not be changed once a session has it.
type Identity struct {
	Name  string   // of the user or program; unique among those that the checker knows
	Roles []string // for package acl, for example
	Data  any      // what else the program wants to know
}

// HasRole reports whether the identity has that role. A nil one has none.
func (id *Identity) HasRole(role string) bool { return id != nil && slices.Contains(id.Roles, role) }

// A Store is what has the values of a session: the session itself in each phase
// of its life.
type Store interface{ Swap() erpc.Map }

// identityKey is where the store of a session has its *Identity.
type identityKey struct{}

// SetIdentity says whom a session belongs to. Checkers and Passed functions call
// it; that of [LoginConfig] and the HMAC checker do so by themselves.
func SetIdentity(sess Store, id *Identity) { sess.Swap().Store(identityKey{}, id) }

// IdentityOf returns whom the session belongs to, nil if no checker has said so.
// In a handler it is given ctx.Session().
func IdentityOf(sess Store) *Identity {
	v, _ := sess.Swap().Load(identityKey{})
	id, _ := v.(*Identity)
	return id
}

// SessionsOf returns the sessions of a peer that belong to the identity of that
// name. It looks at each session of the peer.
func SessionsOf(peer interface{ RangeSession(func(erpc.Session) bool) }, name string) []erpc.Session {
	var all []erpc.Session
	peer.RangeSession(func(s erpc.Session) bool {
		if id := IdentityOf(s); id != nil && id.Name == name {
			all = append(all, s)
		}
		return true
	})
	return all
}
