package main

import (
	"context"
	"crypto/sha256"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

// metaUser tells a backend who calls. Backends believe it, so nobody but the gateway may
// reach them: put them on a network of their own, or give them TLS with client
// certificates (tls_client_cert).
const metaUser = "X-User"

// checker returns the function that finds out whose token a client shows: in the field
// Authorization of HTTP or of a WebSocket's handshake, in its sub-protocols, or in the
// first message. A program with real users asks its identity provider here.
func checker(users []User) func(context.Context, auth.Session, auth.Credentials) (*auth.Identity, *erpc.Status) {
	// Sums are compared in place of tokens, so how long a look takes tells nothing of
	// these.
	known := map[[sha256.Size]byte]*auth.Identity{}
	for _, u := range users {
		known[sha256.Sum256([]byte(u.Token))] = &auth.Identity{Name: u.Name, Roles: u.Roles}
	}
	return func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		return known[sha256.Sum256([]byte(c.Token))], nil // nil is refused with 401
	}
}

// userHeader is a plugin that names the user to backends, whatever the client says, and
// keeps its token from them.
type userHeader struct{}

var (
	_ erpc.PostReadCallHeaderPlugin = userHeader{}
	_ erpc.PostReadPushHeaderPlugin = userHeader{}
)

// Name implements [erpc.Plugin].
func (userHeader) Name() string { return "user header" }

// PostReadCallHeader implements [erpc.PostReadCallHeaderPlugin]. A stream begins with a
// call, too.
func (userHeader) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	meta := ctx.Input().Meta()
	for _, name := range []string{metaUser, "Authorization", "Cookie"} {
		for meta.Has(name) {
			meta.Del(name)
		}
	}
	meta.Set(metaUser, auth.IdentityOf(ctx.Session()).Name)
	return nil
}

// PostReadPushHeader implements [erpc.PostReadPushHeaderPlugin].
func (u userHeader) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	return u.PostReadCallHeader(ctx)
}
