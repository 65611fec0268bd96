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
	// MinHMACKey is the minimum length of a key in bytes. A key must be random,
	// not a password.
	MinHMACKey = 16
)

// An HMACBearerConfig configures the side that dials.
type HMACBearerConfig struct {
	ID      string        `yaml:"id" ini:"id" comment:"Name under which the other side knows the key, up to 255 bytes"`
	Key     string        `yaml:"key" ini:"key" comment:"Shared key, 16 random bytes or more"`
	Timeout time.Duration `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
}

// NewHMACBearer returns the plugin of the side that dials. If the ID or the key
// is invalid, making a peer with the plugin fails.
func NewHMACBearer(cfg HMACBearerConfig) *BearerPlugin {
	p := &BearerPlugin{timeout: cfg.Timeout, settings: plain()}
	p.do = func(x *exchange) *erpc.Status { return bearHMAC(x, cfg.ID, []byte(cfg.Key)) }
	switch {
	case len(cfg.Key) < MinHMACKey:
		p.mistake = fmt.Errorf("auth: the key has %d bytes; use at least %d random ones", len(cfg.Key), MinHMACKey)
	case cfg.ID == "" || len(cfg.ID) > maxHMACID:
		p.mistake = fmt.Errorf("auth: the ID has %d bytes; use 1 to %d", len(cfg.ID), maxHMACID)
	}
	return p
}

// An HMACCheckerConfig configures the side that accepts.
type HMACCheckerConfig struct {
	// Key returns the key of an ID. It must be safe for concurrent use.
	Key func(sess Session, id string) (key []byte, ok bool) `yaml:"-" ini:"-"`
	// Passed, which may be nil, is called after the client has proved that it is
	// id, when the session has an [Identity] of that name. It may set another
	// identity, set the session's id, or still refuse the session.
	Passed  func(sess Session, id string) *erpc.Status `yaml:"-" ini:"-"`
	Timeout time.Duration                              `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
	Detail  bool                                       `yaml:"detail" ini:"detail" comment:"Tell refused clients the cause"`
}

// NewHMACChecker returns the plugin of the side that accepts. If Key is nil,
// making a peer with the plugin fails. A client with a wrong key and one with
// an unknown ID are refused in the same way.
func NewHMACChecker(cfg HMACCheckerConfig) *CheckerPlugin {
	p := &CheckerPlugin{timeout: cfg.Timeout, settings: plain(), detail: cfg.Detail}
	if cfg.Key == nil {
		p.mistake = errors.New("auth: there is no function Key; set one that looks keys up")
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
		return unauthorized("the server sent no challenge; it does not use challenge and response")
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
		return nil, unauthorized(fmt.Errorf("auth: the key of %q has %d bytes; use at least %d random ones", id, len(key), MinHMACKey))
	}
	if !known {
		key = newNonce() // continue with a random key, so that the refusal looks the same
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

// maxHello bounds a hello: the scheme, an ID of up to maxHMACID bytes and the
// random value, the last two in base64.
const maxHello = 512

var errHello = errors.New("auth: the client did not begin a challenge and response exchange of this version")

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

// prove returns the proof for one of the two roles. The input of the HMAC is
// unambiguous: the nonces have a fixed length, and the role is one of two.
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
