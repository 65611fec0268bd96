package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

// demoUsers are the names and passwords of the demo. A real program asks its
// identity provider, and has no passwords in its source.
var demoUsers = map[string]string{"Anna": "anna-demo", "Ben": "ben-demo", "Gopher": "gopher-demo"}

// tokenLife is how long a token can be used. The server then ends the sessions that logged in
// with it, and the page asks the user to log in again.
const tokenLife = 12 * time.Hour

// Login is the argument of POST /login, whose reply is a Token.
type Login struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// A Token is what getToken of clients/js returns.
type Token struct {
	Token   string `json:"token"`
	Expires int64  `json:"expires"` // in milliseconds since 1970
}

// logins knows the users, and makes and checks their tokens.
type logins struct {
	users  map[string]string // passwords by name
	secret []byte
}

// login returns a token for a user with the right password.
func (l *logins) login(arg *Login) (*Token, *erpc.Status) {
	password, known := l.users[arg.Name]
	if !auth.Equal(arg.Password, password) || !known {
		return nil, erpc.NewStatus(erpc.CodeUnauthorized, "wrong name or password")
	}
	expires := time.Now().Add(tokenLife)
	return &Token{l.mint(arg.Name, expires), expires.UnixMilli()}, nil
}

// mint returns a token: name, expiry and a proof that the holder of the secret
// made it. Names must not contain a colon.
func (l *logins) mint(name string, expires time.Time) string {
	claim := fmt.Sprintf("%s:%d", name, expires.Unix())
	mac := hmac.New(sha256.New, l.secret)
	mac.Write([]byte(claim))
	return claim + ":" + hex.EncodeToString(mac.Sum(nil))
}

// check returns the identity that a token belongs to. It is the only check for
// raw connections, WebSocket and HTTP.
func (l *logins) check(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
	refused := erpc.NewStatus(erpc.CodeUnauthorized, "log in again")
	part := strings.Split(c.Token, ":")
	if len(part) != 3 {
		return nil, refused
	}
	unix, err := strconv.ParseInt(part[1], 10, 64)
	expires := time.Unix(unix, 0)
	if err != nil || !auth.Equal(c.Token, l.mint(part[0], expires)) || time.Now().After(expires) {
		return nil, refused
	}
	return &auth.Identity{Name: part[0], Expires: expires}, nil
}
