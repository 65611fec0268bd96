package router

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// PostRegPlugin is called when a handler to which the plugin applies is
// registered. An error refuses the registration, which then panics.
type PostRegPlugin interface {
	plugin.Plugin
	PostReg(*session.Handler) error
}

// HookTypes returns the interfaces of the hooks of a router.
func HookTypes() []reflect.Type { return []reflect.Type{reflect.TypeFor[PostRegPlugin]()} }

// gates are the hooks that decide about a connection before any route is known. On
// a route such a plugin would not be asked, and every client would pass. Hooks of
// the calling side, which a plugin for both sides also has, are not needed on a
// route and are ignored.
var gates = []reflect.Type{
	reflect.TypeFor[session.PostAcceptPlugin](), reflect.TypeFor[session.PreReadHeaderPlugin](), reflect.TypeFor[session.PostDisconnectPlugin](),
}

// checkRoutePlugin returns an error if a plugin can't be used at place, a route or
// a group: it has no hook of a route, or one that would never be called there.
func checkRoutePlugin(place string, p plugin.Plugin) error {
	onRoute, onPeer := session.HookTypes()
	onRoute = append(onRoute, HookTypes()...)
	if err := plugin.CheckShapes(p, slices.Concat(onRoute, onPeer)); err != nil {
		return err
	}
	if never := plugin.Hooks(p, gates); len(never) > 0 {
		return &NeverRunError{Plugin: p.Name(), Place: place, Hooks: never}
	}
	_, selects := p.(plugin.Selector)
	if !selects && len(plugin.Hooks(p, onRoute)) == 0 {
		return fmt.Errorf("router: plugin %q (%T) implements no hook of a route, at %s: PostReg, PostRead…Header, PreRead…Body, PostRead…Body, PreWriteReply, PostWriteReply, PostHandle, PreSendMessage, PreRecvMessage or PostEndStream; give it to NewPeer", p.Name(), p, place)
	}
	return nil
}

// A NeverRunError is the error for a plugin of a route with hooks that would never
// be called there.
type NeverRunError struct {
	Plugin, Place string
	Hooks         []string
}

// Error implements error.
func (e *NeverRunError) Error() string {
	return fmt.Sprintf("router: plugin %q at %s has hooks that would never be called there, because they are about sessions and not about one route: %s; give it to NewPeer",
		e.Plugin, e.Place, strings.Join(e.Hooks, ", "))
}

// with returns the container of a route or group with plugins of its own.
func (r *SubRouter) with(place string, plugins []plugin.Plugin) *plugin.Container {
	c, err := r.plugins.With(plugins...)
	if err != nil {
		panic(err)
	}
	for _, p := range plugins {
		err := checkRoutePlugin(place, p)
		var never *NeverRunError
		switch {
		case err == nil:
		case r.root.warn != nil && errors.As(err, &never):
			r.root.warn(err)
		default:
			panic(err)
		}
	}
	return c
}

// hooks resolves the hooks of a handler.
func (r *Router) hooks(c *plugin.Container) *session.Hooks {
	if r.warn != nil {
		return session.NewHooks(c.GetAll())
	}
	return session.NewRouteHooks(c.GetAll(), c.Own())
}
