package auth

import (
	"slices"

	"github.com/goerpc/erpc"
)

// An Identity is the user or program that a session belongs to, as established
// by its checker. Several sessions may share one. It must not be changed once a
// session has it.
type Identity struct {
	Name  string   // of the user or program; unique for the checker
	Roles []string // for package acl, for example
	Data  any      // anything else that the program needs
}

// HasRole reports whether the identity has the role. A nil identity has none.
func (id *Identity) HasRole(role string) bool { return id != nil && slices.Contains(id.Roles, role) }

// A Store holds the values of a session: an open session, or one in its connect
// or disconnect hooks.
type Store interface{ Swap() erpc.Map }

// identityKey is the key of the *Identity in the store of a session.
type identityKey struct{}

// SetIdentity sets the identity of a session. Checkers and Passed functions
// call it; [NewLogin] and the HMAC checker set it themselves.
func SetIdentity(sess Store, id *Identity) { sess.Swap().Store(identityKey{}, id) }

// IdentityOf returns the identity of a session, or nil if no checker has set
// one. In a handler, pass ctx.Session().
func IdentityOf(sess Store) *Identity {
	v, _ := sess.Swap().Load(identityKey{})
	id, _ := v.(*Identity)
	return id
}

// SessionsOf returns the sessions of a peer whose identity has that name. It
// visits every session of the peer.
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
