package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/limit"
)

// Config is the content of gateway.yaml. SetDefaults sets the values of keys
// that the file leaves out.
type Config struct {
	Gateway GatewayConfig `yaml:"gateway" ini:"gateway"`
	Text    TextConfig    `yaml:"text" ini:"text"`
}

// GatewayConfig configures the gateway.
type GatewayConfig struct {
	Peer     erpc.PeerConfig `yaml:"peer" ini:"peer" comment:"For clients; default_context_age is the time of a request"`
	Admin    string          `yaml:"admin" ini:"admin" comment:"Address of metrics and health, for nobody outside"`
	Origins  []string        `yaml:"origins" ini:"origins" comment:"Hosts of pages that may connect, besides the gateway's own"`
	Users    []User          `yaml:"users" ini:"users"`
	Rules    acl.Config      `yaml:"acl" ini:"acl" comment:"Who may call what; all else is refused"`
	PerIP    limit.Rate      `yaml:"per_ip" ini:"per_ip"`
	PerUser  limit.Rate      `yaml:"per_user" ini:"per_user"`
	Services []Service       `yaml:"services" ini:"services"`
	Drain    time.Duration   `yaml:"drain" ini:"drain" comment:"How long /ready says no before connections are refused, so that balancers hear of it"`
}

// A User is a user with a token.
type User struct {
	Name  string   `yaml:"name" ini:"name"`
	Token string   `yaml:"token" ini:"token" comment:"Better as a variable of the environment, such as ${ANN_TOKEN}"`
	Roles []string `yaml:"roles" ini:"roles"`
}

// A Service serves the methods with a prefix.
type Service struct {
	Prefix    string   `yaml:"prefix" ini:"prefix" comment:"What its methods begin with, such as /text/"`
	Instances []string `yaml:"instances" ini:"instances" comment:"Addresses"`
	Safe      []string `yaml:"safe" ini:"safe" comment:"Methods that may be executed twice, so that they are tried again after any failure"`
}

// TextConfig configures the service behind the gateway.
type TextConfig struct {
	Addresses []string `yaml:"addresses" ini:"addresses" comment:"One for each instance"`
}

// SetDefaults is called before the file is read.
func (c *Config) SetDefaults() {
	c.Gateway.Peer.SetDefaults()
	c.Gateway.Peer.DefaultContextAge = 5 * time.Second
	c.Gateway.Peer.IdleTimeout = 2 * time.Minute
	c.Gateway.Peer.MaxSessions = 10_000
	c.Gateway.PerIP = limit.Rate{Per: limit.PerIP, Limit: 100}
	c.Gateway.PerUser = limit.Rate{Per: limit.PerIdentity, Limit: 50}
}

// Validate is called after the file was read.
func (c *Config) Validate() error {
	g := &c.Gateway
	switch {
	case g.Peer.DefaultContextAge <= 0:
		return errors.New("gateway.peer.default_context_age must be above 0, so that a request can't hang")
	case g.PerIP.Per != limit.PerIP || g.PerUser.Per != limit.PerIdentity:
		return errors.New("gateway: per_ip.per must be ip, and per_user.per must be identity")
	case g.Drain < 0:
		return errors.New("gateway.drain must not be below 0")
	}
	tokens := map[string]bool{}
	for _, u := range g.Users {
		if u.Name == "" || u.Token == "" || tokens[u.Token] {
			return fmt.Errorf("gateway.users: %q needs a name and a token of its own", u.Name)
		}
		tokens[u.Token] = true
	}
	prefixes := map[string]bool{}
	for _, s := range g.Services {
		if prefixes[s.Prefix] {
			return fmt.Errorf("gateway.services: %q is listed twice; list its instances in one place", s.Prefix)
		}
		prefixes[s.Prefix] = true
		if !strings.HasPrefix(s.Prefix, "/") || !strings.HasSuffix(s.Prefix, "/") || len(s.Instances) == 0 {
			return fmt.Errorf("gateway.services: %q must begin and end with /, and have instances", s.Prefix)
		}
	}
	return errors.Join(g.Rules.Validate(), g.PerIP.Validate(), g.PerUser.Validate())
}
