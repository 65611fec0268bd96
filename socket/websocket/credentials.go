package websocket

import (
	"encoding/base64"
	"net/http"
	"strings"
)

const (
	// Subprotocol is the sub-protocol that the server chooses if a client offers
	// it. Browsers require the server to choose one of those that they offer.
	Subprotocol = "erpc"
	// TokenPrefix begins the sub-protocol in which a browser, whose pages cannot
	// set headers here, sends a token: it is followed by the token in unpadded
	// base64url.
	TokenPrefix = "erpc.token."
)

// credentials returns the token of a request: that of the header Authorization,
// without the word Bearer, or the one among the sub-protocols.
func credentials(r *http.Request) (token string, ok bool) {
	if a := r.Header.Get("Authorization"); a != "" {
		scheme, rest, found := strings.Cut(a, " ")
		if found && strings.EqualFold(scheme, "Bearer") {
			a = strings.TrimSpace(rest)
		}
		return a, true
	}
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offer := range strings.SplitSeq(line, ",") {
			encoded, found := strings.CutPrefix(strings.TrimSpace(offer), TokenPrefix)
			if !found {
				continue
			}
			b, err := base64.RawURLEncoding.DecodeString(encoded)
			return string(b), err == nil
		}
	}
	return "", false
}

// Token returns the token of the request of a handshake, if it has one: that of the
// header Authorization, without the word Bearer, or the one that a page has sent as a
// sub-protocol.
func Token(r *http.Request) (token string, ok bool) { return credentials(r) }

// Credentials returns the token of the request of an accepted connection, if it
// had one. Package auth asks for it.
func (c *conn) Credentials() (token string, ok bool) { return c.token, c.hasToken }
