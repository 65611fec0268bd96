// Package plugin names, orders and selects plugins. It knows nothing of
// sessions or messages: each layer declares the hook interfaces that it calls
// and picks the plugins that implement them with [Of], when a list changes and
// never for a message.
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

// check returns an error for a nil plugin or a repeated name.
func check(plugins []Plugin) error {
	seen := make(map[string]bool, len(plugins))
	for _, p := range plugins {
		if p == nil {
			return fmt.Errorf("plugin: a nil plugin was given; pass only plugins that were made")
		}
		if seen[p.Name()] {
			return fmt.Errorf("plugin: %q is given twice; a name may occur once among the plugins of a peer and of a route", p.Name())
		}
		seen[p.Name()] = true
	}
	return nil
}
