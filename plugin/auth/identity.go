package auth

import (
	"slices"
	"time"

	"github.com/goerpc/erpc"
)

// An Identity is the user or program that a session belongs to, as established
// by its checker. Several sessions may share one. It must not be changed once a
// session has it.
type Identity struct {
	Name  string   // of the user or program; unique for the checker
	Roles []string // for package acl, for example
	Data  any      // anything else that the program needs
	// Expires is when the login ends; zero is never. A session with an identity that
	// has expired is refused, and one that is open then is closed with
	// [erpc.CodeUnauthorized]; the client may log in again. [SetIdentity] with another
	// identity extends the login of an open session.
	Expires time.Time
}

// HasRole reports whether the identity has the role. A nil identity has none.
func (id *Identity) HasRole(role string) bool { return id != nil && slices.Contains(id.Roles, role) }

// A Store holds the values of a session: an open session, or one in its connect
// or disconnect hooks.
type Store interface{ Swap() erpc.Map }

// expired reports whether the login has ended. That of nil does not.
func (id *Identity) expired(now time.Time) bool {
	return id != nil && !id.Expires.IsZero() && !now.Before(id.Expires)
}

// loginKey is the key of the *login in the store of a session.
type loginKey struct{}

// SetIdentity sets the identity of a session. Checkers and Passed functions
// call it; [NewLogin] and the HMAC checker set it themselves. A handler may call
// it to extend the login of its session, for example after the client has sent a new
// token. The plugins of this package close the session when the identity expires.
func SetIdentity(sess Store, id *Identity) {
	v, _ := sess.Swap().LoadOrStore(loginKey{}, new(login))
	v.(*login).set(id)
}

// IdentityOf returns the identity of a session, or nil if no checker has set
// one. In a handler, pass ctx.Session().
func IdentityOf(sess Store) *Identity {
	if l := loginOf(sess); l != nil {
		return l.identity.Load()
	}
	return nil
}

// loginOf returns the login of a session, or nil if no identity was set.
func loginOf(sess Store) *login {
	v, _ := sess.Swap().Load(loginKey{})
	l, _ := v.(*login)
	return l
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
