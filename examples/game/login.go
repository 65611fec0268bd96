package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

// mint returns the token of a player: name, role and a proof that the holder of
// the secret made it. A real game would also include an expiry.
func mint(secret, name, role string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(name + ":" + role))
	return name + ":" + role + ":" + hex.EncodeToString(mac.Sum(nil))
}

// login is a plugin that accepts clients with a valid token.
func login(secret string) erpc.Plugin {
	return auth.NewLogin(auth.LoginConfig{
		Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
			part := strings.Split(c.Token, ":")
			if len(part) != 3 || part[0] == "" || len(part[0]) > 40 || !auth.Equal(c.Token, mint(secret, part[0], part[1])) {
				return nil, erpc.NewStatus(erpc.CodeUnauthorized, "unknown token")
			}
			return &auth.Identity{Name: part[0], Roles: []string{part[1]}}, nil
		},
	})
}
