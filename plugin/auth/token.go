package auth

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/goerpc/erpc"
)

// Equal reports whether two secrets are equal. Its running time reveals neither
// where they differ nor how long they are.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Token returns a [Bearer] that sends a token. It ignores the answer, unless
// that is a refusal.
func Token(token string) Bearer {
	return func(_ Session, send SendOnce) *erpc.Status {
		var answer string
		return send(token, &answer)
	}
}

// CheckToken returns a [Checker] that accepts the tokens for which valid
// returns true; the answer is the text "pass". valid must be safe for
// concurrent use, and should compare with [Equal].
func CheckToken(valid func(token string) bool) Checker {
	return func(_ Session, receive RecvOnce) (any, *erpc.Status) {
		var token string
		if st := receive(&token); !st.OK() {
			return nil, st
		}
		if !valid(token) {
			return nil, unauthorized("the token is not valid")
		}
		return "pass", nil
	}
}
