// Package plugin names, orders and selects plugins. It does not know sessions
// or messages: each layer declares the hook interfaces that it calls, and
// selects the plugins that implement them with [Of] when a list of plugins
// changes, never per message.
package plugin

import "fmt"

// A Plugin is anything with a name that implements at least one hook. Hooks may
// be called concurrently.
type Plugin interface {
	Name() string
}

// Of returns the plugins that implement hook H, in order.
func Of[H Plugin](plugins []Plugin) []H {
	var hooks []H
	for _, p := range plugins {
		if h, ok := p.(H); ok {
			hooks = append(hooks, h)
		}
	}
	return hooks
}

// check returns an error for a nil plugin or a duplicate name.
func check(plugins []Plugin) error {
	seen := make(map[string]bool, len(plugins))
	for _, p := range plugins {
		if p == nil {
			return fmt.Errorf("plugin: a plugin is nil; pass only non-nil plugins")
		}
		if seen[p.Name()] {
			return fmt.Errorf("plugin: %q is given twice; a name must be unique among the plugins of a peer and of a route", p.Name())
		}
		seen[p.Name()] = true
	}
	return nil
}
