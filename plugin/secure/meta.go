package secure

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goerpc/erpc"
)

const (
	// SECURE_META_KEY is the metadata of a message whose body is encrypted.
	SECURE_META_KEY = "X-Secure"
	// ACCEPT_SECURE_META_KEY is the metadata of a call that asks for a sealed
	// reply, or for a clear one.
	ACCEPT_SECURE_META_KEY = "X-Accept-Secure"
	// metaCallNonce is the nonce of a clear call that asks for a sealed reply. It
	// binds the reply to this call.
	metaCallNonce = "X-Secure-Call"
)

// EnforceSecure makes the plugin seal the reply of a handler.
func EnforceSecure(output erpc.Message) { output.Meta().Set(SECURE_META_KEY, "true") }

// WithSecureMeta makes the plugin seal a call or push.
func WithSecureMeta() erpc.MessageSetting { return erpc.WithSetMeta(SECURE_META_KEY, "true") }

// WithAcceptSecureMeta asks for a sealed reply, or for a clear one.
func WithAcceptSecureMeta(accept bool) erpc.MessageSetting {
	return erpc.WithSetMeta(ACCEPT_SECURE_META_KEY, strconv.FormatBool(accept))
}

func isSecure(m erpc.Message) bool { return string(m.Meta().Peek(SECURE_META_KEY)) == "true" }

// accepts returns whether the caller asked for a sealed reply: "true", "false",
// or "" if it did not say.
func accepts(m erpc.Message) string { return string(m.Meta().Peek(ACCEPT_SECURE_META_KEY)) }

// A methods is a set of service methods: names, and prefixes that end in "*".
type methods []string

func (m methods) has(method string) bool {
	return slices.ContainsFunc(m, func(s string) bool {
		if prefix, ok := strings.CutSuffix(s, "*"); ok {
			return len(method) >= len(prefix) && strings.EqualFold(method[:len(prefix)], prefix)
		}
		return strings.EqualFold(method, s)
	})
}
