package auth

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/goerpc/erpc"
)

// Equal reports whether two secrets are the same, in a time that tells nothing
// about where they differ, nor about the length of either.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Token returns a [Bearer] that shows a token and ignores the answer, except that
// it was not refused.
func Token(token string) Bearer {
	return func(_ Session, send SendOnce) *erpc.Status {
		var answer string
		return send(token, &answer)
	}
}

// CheckToken returns a [Checker] that lets those pass who show a token that
// valid agrees with; the answer is the text "pass". valid may be called
// concurrently, and compares best with [Equal].
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
