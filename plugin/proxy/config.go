package proxy

import (
	"fmt"
	"time"
)

// Config adjusts a proxy. The zero value works.
type Config struct {
	// TrustRealIP forwards the X-Real-IP, Forwarded and X-Forwarded-* that a
	// client sends. Set it only if all clients are trusted proxies, because other
	// clients could claim any address. Otherwise X-Real-IP is set to the address
	// of the client's connection, and the others are dropped.
	TrustRealIP bool `yaml:"trust_real_ip" ini:"trust_real_ip" comment:"Forward the address that a client claims to speak for"`
	// TrustHost forwards the Host that a client sends, which chooses the
	// virtual host of an HTTP backend.
	TrustHost bool `yaml:"trust_host" ini:"trust_host" comment:"Forward the Host that a client names"`
	// MaxInFlight is how many messages of one client are forwarded at the same
	// time; 0 is 1000, below 0 is no limit.
	MaxInFlight int `yaml:"max_in_flight" ini:"max_in_flight" comment:"Messages of one client that are forwarded at the same time; 0 is 1000, below 0 no limit"`
	// MaxWait is how long a call waits for its turn; 0 is 3s.
	MaxWait time.Duration `yaml:"max_wait" ini:"max_wait" comment:"How long a call waits for its turn until it is refused; 0s is 3s"`
	// MaxHops is how many proxies a message may pass; 0 is 16.
	MaxHops int `yaml:"max_hops" ini:"max_hops" comment:"Proxies that a message may pass; 0 is 16"`
	// OrderedPushes forwards the pushes of a client one after another.
	OrderedPushes bool `yaml:"ordered_pushes" ini:"ordered_pushes" comment:"Forward the pushes of a client in the order of their arrival"`
}

// Defaults of [Config].
const (
	DefaultMaxInFlight = 1000
	DefaultMaxWait     = 3 * time.Second
	DefaultMaxHops     = 16
)

// Validate returns the error in the configuration, if any.
func (c Config) Validate() error {
	if c.MaxWait < 0 || c.MaxHops < 0 {
		return fmt.Errorf("proxy: max_wait %v and max_hops %d must not be below 0", c.MaxWait, c.MaxHops)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.MaxInFlight == 0 {
		c.MaxInFlight = DefaultMaxInFlight
	}
	if c.MaxWait == 0 {
		c.MaxWait = DefaultMaxWait
	}
	if c.MaxHops == 0 {
		c.MaxHops = DefaultMaxHops
	}
	return c
}
