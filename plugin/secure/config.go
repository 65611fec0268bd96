package secure

import (
	"errors"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// Ciphers of [Config].
const (
	XChaCha20 = "xchacha20-poly1305"
	// AESGCM has short random nonces: replace a key before it has sealed four
	// billion messages.
	AESGCM = "aes-gcm"
)

// MinKey is the minimum length of a key in bytes. Keys must be random; a
// password is not enough.
const MinKey = 16

// A Key is a shared secret.
type Key struct {
	ID  string `yaml:"id" ini:"id" comment:"Name of the key, which is sent with each message, up to 255 bytes"`
	Key string `yaml:"key" ini:"key" comment:"16 random bytes or more"`
}

// A Config configures the plugin. It only needs one key.
type Config struct {
	// Keys lists the keys that open messages. The first one seals. To replace a
	// key, add the new one after it everywhere, then move the new one to the front
	// everywhere, then remove the old one.
	Keys   []Key  `yaml:"keys" ini:"keys" comment:"Keys that messages are opened with; the first one seals"`
	Cipher string `yaml:"cipher" ini:"cipher" comment:"For messages that are sent: xchacha20-poly1305, which is the default, or aes-gcm"`

	Require  bool     `yaml:"require" ini:"require" comment:"All calls, pushes and replies must be sealed"`
	Required []string `yaml:"required" ini:"required" comment:"Methods that must be sealed; a prefix ends in *"`
	Optional []string `yaml:"optional" ini:"optional" comment:"Methods that need not be in spite of require; a prefix ends in *"`

	// IgnoreCase must be the same on both sides. Set it if HTTP or package
	// ignorecase changes the case of names on the way.
	IgnoreCase bool `yaml:"ignore_case" ini:"ignore_case" comment:"Let names of methods and metadata arrive in another case, as HTTP has it; the same on both sides"`
	// Relayed must be the same on both sides. Set it for hubs, which pass messages
	// on from one client to another.
	Relayed bool `yaml:"relayed" ini:"relayed" comment:"Take messages whose sender dialed although this side did, too, as through a hub; the same on both sides"`
	// MaxAge bounds how long a sealed call or push is valid, and makes the
	// receiver accept it only once. The clocks of both sides must agree to within
	// MaxAge. 0 means no bound: a recorded message can be replayed.
	MaxAge time.Duration `yaml:"max_age" ini:"max_age" comment:"How old a sealed call or push may be, which is then taken once only; the clocks must agree to that; 0s is any age, any number of times"`

	Unbound    []string `yaml:"unbound" ini:"unbound" comment:"Names of metadata that may be changed on the way; a prefix ends in *"`
	Text       bool     `yaml:"text" ini:"text" comment:"Send text, a third longer, for what lies between and can't carry any bytes"`
	StatusCode int32    `yaml:"status_code" ini:"status_code" comment:"Code of the status of messages that are not as they should be; 0 is 400"`
}

// alwaysUnbound lists metadata that erpc and its proxies add on the way.
var alwaysUnbound = methods{erpc.MetaRealIP, "X-Erpc-*"}

func (c *Config) required(method string) bool {
	return methods(c.Required).has(method) || c.Require && !methods(c.Optional).has(method)
}

func (c *Config) unbound(name string) bool {
	return alwaysUnbound.has(name) || methods(c.Unbound).has(name)
}

func (c *Config) validate() error {
	switch c.Cipher {
	case "", XChaCha20, AESGCM:
	default:
		return fmt.Errorf("secure: cipher %q is unknown; use %s or %s", c.Cipher, XChaCha20, AESGCM)
	}
	if c.MaxAge < 0 {
		return fmt.Errorf("secure: max_age %v must not be below 0", c.MaxAge)
	}
	if len(c.Keys) == 0 {
		return errors.New("secure: there is no key; add one to keys")
	}
	ids := map[string]bool{}
	for _, k := range c.Keys {
		switch {
		case k.ID == "" || len(k.ID) > 255:
			return fmt.Errorf("secure: the ID of a key has %d bytes; use 1 to 255", len(k.ID))
		case ids[k.ID]:
			return fmt.Errorf("secure: two keys have the ID %q; give each its own", k.ID)
		case len(k.Key) < MinKey:
			return fmt.Errorf("secure: key %q has %d bytes; use at least %d random ones", k.ID, len(k.Key), MinKey)
		}
		ids[k.ID] = true
	}
	return nil
}
