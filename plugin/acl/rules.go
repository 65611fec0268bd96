package acl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goerpc/erpc/plugin/auth"
)

// A Rule says who may use some methods.
type Rule struct {
	// Methods lists names, or prefixes that end in "*". They are case-sensitive.
	Methods []string `yaml:"methods" ini:"methods" comment:"Methods that the rule is for; a prefix ends in *"`
	// Allow lists names of identities, roles as "role:NAME", [Authenticated] and
	// [Anyone]. If it is empty, the rule refuses everyone.
	Allow []string `yaml:"allow" ini:"allow" comment:"Who may: names of identities, roles as role:NAME, authenticated for every identity, anyone for everybody; empty is nobody"`
}

// Words of [Rule].Allow. They never match an identity by its name.
const (
	Authenticated = "authenticated" // every session with an identity
	Anyone        = "anyone"        // every session
	rolePrefix    = "role:"
)

// Config has the rules.
type Config struct {
	Rules []Rule `yaml:"rules" ini:"rules" comment:"The first rule that has a method decides who may use it; a method without a rule is refused"`
}

// Validate returns the first error in the rules.
func (c Config) Validate() error {
	if len(c.Rules) == 0 {
		return errors.New("acl: there are no rules, so every call would be refused; add one, or leave the plugin out")
	}
	for i, r := range c.Rules {
		if len(r.Methods) == 0 {
			return fmt.Errorf("acl: rule %d has no methods", i+1)
		}
		for _, m := range r.Methods {
			if m == "" || strings.Contains(strings.TrimSuffix(m, "*"), "*") {
				return fmt.Errorf("acl: rule %d: %q is not a method; a * may only be at the end", i+1, m)
			}
		}
		if slices.Contains(r.Allow, "") || slices.Contains(r.Allow, rolePrefix) {
			return fmt.Errorf("acl: rule %d allows a name or a role that is empty", i+1)
		}
	}
	return nil
}

func (c *Config) clone() *Config {
	n := &Config{Rules: slices.Clone(c.Rules)}
	for i, r := range n.Rules {
		n.Rules[i] = Rule{slices.Clone(r.Methods), slices.Clone(r.Allow)}
	}
	return n
}

// allows reports whether a session with identity id, nil if it has none, may
// use the method.
func (c *Config) allows(method string, id *auth.Identity) bool {
	for i := range c.Rules {
		if r := &c.Rules[i]; r.has(method) {
			return slices.ContainsFunc(r.Allow, func(who string) bool { return means(who, id) })
		}
	}
	return false
}

func (r *Rule) has(method string) bool {
	return slices.ContainsFunc(r.Methods, func(m string) bool {
		if prefix, ok := strings.CutSuffix(m, "*"); ok {
			return strings.HasPrefix(method, prefix)
		}
		return m == method
	})
}

// means reports whether a word of a rule matches the identity.
func means(who string, id *auth.Identity) bool {
	switch {
	case who == Anyone:
		return true
	case id == nil:
		return false
	case who == Authenticated:
		return true
	}
	if role, ok := strings.CutPrefix(who, rolePrefix); ok {
		return id.HasRole(role)
	}
	return who == id.Name
}
