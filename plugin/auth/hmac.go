package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

const (
	hmacScheme = "erpc-hmac-sha256-v1"
	hmacNonce  = 32 // bytes
	maxHMACID  = 255
	// MinHMACKey is the shortest key, in bytes, that is taken: it must be
	// random, not a password.
	MinHMACKey = 16
)

// An HMACBearerConfig configures the side that dials.
type HMACBearerConfig struct {
	ID      string        `yaml:"id" ini:"id" comment:"Name under which the other side knows the key, up to 255 bytes"`
	Key     string        `yaml:"key" ini:"key" comment:"Shared key, 16 random bytes or more"`
	Timeout time.Duration `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
}

// NewHMACBearer returns the plugin of the side that dials. With an ID or a key
// that can't work no peer can be made.
func NewHMACBearer(cfg HMACBearerConfig) *BearerPlugin {
	p := &BearerPlugin{timeout: cfg.Timeout, settings: plain()}
	p.do = func(x *exchange) *erpc.Status { return bearHMAC(x, cfg.ID, []byte(cfg.Key)) }
	switch {
	case len(cfg.Key) < MinHMACKey:
		p.mistake = fmt.Errorf("auth: the key has %d bytes; take %d random ones or more", len(cfg.Key), MinHMACKey)
	case cfg.ID == "" || len(cfg.ID) > maxHMACID:
		p.mistake = fmt.Errorf("auth: the ID has %d bytes; it takes 1 to %d", len(cfg.ID), maxHMACID)
	}
	return p
}

// An HMACCheckerConfig configures the side that accepts.
type HMACCheckerConfig struct {
	// Key returns the key of an ID. It may be called concurrently.
	Key func(sess Session, id string) (key []byte, ok bool) `yaml:"-" ini:"-"`
	// Passed, which may be nil, is called when the client has proved to be id,
	// which is the name of the session's [Identity] by then. It may set another
	// identity, name the session, or still refuse it.
	Passed  func(sess Session, id string) *erpc.Status `yaml:"-" ini:"-"`
	Timeout time.Duration                              `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
	Detail  bool                                       `yaml:"detail" ini:"detail" comment:"Tell refused clients the cause"`
}

// NewHMACChecker returns the plugin of the side that accepts. Without a Key no
// peer can be made. A client with a wrong key and one with an unknown ID are
// refused in the same way.
func NewHMACChecker(cfg HMACCheckerConfig) *CheckerPlugin {
	p := &CheckerPlugin{timeout: cfg.Timeout, settings: plain(), detail: cfg.Detail}
	if cfg.Key == nil {
		p.mistake = errors.New("auth: there is no function Key to look keys up with")
	}
	p.do = func(x *exchange) (any, *erpc.Status) { return checkHMAC(x, &cfg) }
	return p
}

func plain() []erpc.MessageSetting {
	return []erpc.MessageSetting{erpc.WithBodyCodec(codec.ID_PLAIN)}
}

func bearHMAC(x *exchange, id string, key []byte) *erpc.Status {
	mine := newNonce()
	hello := strings.Join([]string{hmacScheme, toBase64([]byte(id)), toBase64(mine)}, " ")
	if st := x.send(erpc.TypeAuthCall, hello); !st.OK() {
		return st
	}
	var challenge, proof string
	if st := x.receive(erpc.TypeAuthReply, &challenge); !st.OK() {
		return st
	}
	theirs, err := unbase64(challenge)
	if err != nil || len(theirs) != hmacNonce {
		return unauthorized("the server sent no challenge; it does not expect one that answers it")
	}
	if st := x.send(erpc.TypeAuthCall, toBase64(prove(key, "client", id, mine, theirs))); !st.OK() {
		return st
	}
	if st := x.receive(erpc.TypeAuthReply, &proof); !st.OK() {
		return st
	}
	if !proves(proof, prove(key, "server", id, mine, theirs)) {
		return unauthorized("the server has not proved that it knows the key")
	}
	return nil
}

func checkHMAC(x *exchange, cfg *HMACCheckerConfig) (any, *erpc.Status) {
	var hello, proof string
	if st := x.receive(erpc.TypeAuthCall, &hello); !st.OK() {
		return nil, st
	}
	id, theirs, err := parseHello(hello)
	if err != nil {
		return nil, unauthorized(err)
	}
	key, known := cfg.Key(x, id)
	if known && len(key) < MinHMACKey {
		return nil, unauthorized(fmt.Errorf("auth: the key of %q has %d bytes; take %d random ones or more", id, len(key), MinHMACKey))
	}
	if !known {
		key = newNonce() // goes on with a key that nobody has
	}
	mine := newNonce()
	if st := x.send(erpc.TypeAuthReply, toBase64(mine)); !st.OK() {
		return nil, st
	}
	if st := x.receive(erpc.TypeAuthCall, &proof); !st.OK() {
		return nil, st
	}
	if !proves(proof, prove(key, "client", id, theirs, mine)) {
		return nil, unauthorized(fmt.Errorf("auth: no proof of the key of %q (known: %t)", id, known))
	}
	SetIdentity(x, &Identity{Name: id})
	if cfg.Passed != nil {
		if st := cfg.Passed(x, id); !st.OK() {
			return nil, st
		}
	}
	return toBase64(prove(key, "server", id, theirs, mine)), nil
}

// maxHello is longer than any hello: the scheme, an ID of maxHMACID bytes and the
// random value, the last two in base64.
const maxHello = 512

var errHello = errors.New("auth: the client did not begin a challenge and response of this version")

func parseHello(s string) (id string, nonce []byte, err error) {
	if len(s) > maxHello {
		return "", nil, errHello
	}
	scheme, rest, _ := strings.Cut(s, " ")
	name64, nonce64, ok := strings.Cut(rest, " ")
	if !ok || scheme != hmacScheme {
		return "", nil, errHello
	}
	name, err := unbase64(name64)
	if err != nil || len(name) == 0 || len(name) > maxHMACID {
		return "", nil, errHello
	}
	nonce, err = unbase64(nonce64)
	if err != nil || len(nonce) != hmacNonce {
		return "", nil, errHello
	}
	return string(name), nonce, nil
}

// prove returns the proof of one of the two roles. What it covers has no second
// reading: the nonces have one length, and the role is one of two.
func prove(key []byte, role, id string, client, server []byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range []string{hmacScheme, "\x00", role, "\x00", string(client), string(server), id} {
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

func proves(text string, want []byte) bool {
	got, err := unbase64(text)
	return err == nil && hmac.Equal(got, want)
}

func newNonce() []byte {
	b := make([]byte, hmacNonce)
	_, _ = rand.Read(b) // it never fails
	return b
}

func toBase64(b []byte) string          { return base64.RawURLEncoding.EncodeToString(b) }
func unbase64(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
