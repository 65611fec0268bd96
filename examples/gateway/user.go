package main

import (
	"context"
	"crypto/sha256"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

// metaUser is the metadata with the user for backends. Backends trust it, so
// only the gateway may be able to reach them: put them on a separate network,
// or use TLS with client certificates (tls_client_cert).
const metaUser = "X-User"

// checker returns the function that finds the user of a token. The client sends
// the token in the Authorization header of an HTTP request or a WebSocket
// handshake, in a WebSocket sub-protocol, or in its first message. A real
// program would ask its identity provider here.
func checker(users []User) func(context.Context, auth.Session, auth.Credentials) (*auth.Identity, *erpc.Status) {
	// Compare hashes instead of tokens, so that the time of a lookup reveals
	// nothing about the tokens.
	known := map[[sha256.Size]byte]*auth.Identity{}
	for _, u := range users {
		known[sha256.Sum256([]byte(u.Token))] = &auth.Identity{Name: u.Name, Roles: u.Roles}
	}
	return func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		return known[sha256.Sum256([]byte(c.Token))], nil // nil refuses the client with 401
	}
}

// userHeader is a plugin that sends backends the authenticated user, whatever
// the client sent, and removes the client's token.
type userHeader struct{}

var (
	_ erpc.PostReadCallHeaderPlugin = userHeader{}
	_ erpc.PostReadPushHeaderPlugin = userHeader{}
)

// Name implements [erpc.Plugin].
func (userHeader) Name() string { return "user header" }

// PostReadCallHeader implements [erpc.PostReadCallHeaderPlugin]. It also runs
// for streams, which begin like a call.
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
