package router

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// PostRegPlugin is called when a handler was registered that the plugin
// applies to. An error refuses the registration, which panics.
type PostRegPlugin interface {
	plugin.Plugin
	PostReg(*session.Handler) error
}

// IsHook reports whether p implements a hook of a router.
func IsHook(p plugin.Plugin) bool {
	_, ok := p.(PostRegPlugin)
	return ok
}

// A Router is a set of handlers. It implements [session.Dispatcher]. All
// methods may be called concurrently, also while messages are dispatched.
type Router struct {
	*SubRouter
	mu    sync.Mutex // serialises registration
	table atomic.Pointer[table]
}

// A table is immutable once published: dispatch takes no lock.
type table struct {
	calls, pushes, streams   map[string]*session.Handler
	unknownCall, unknownPush *session.Handler
}

var _ session.Dispatcher = (*Router)(nil)

// New returns a router whose handlers have the plugins of c around their own.
// mapper is [HTTPServiceMethodMapper] if nil.
func New(c *plugin.Container, mapper ServiceMethodMapper) *Router {
	if mapper == nil {
		mapper = HTTPServiceMethodMapper
	}
	r := &Router{}
	r.table.Store(&table{calls: map[string]*session.Handler{}, pushes: map[string]*session.Handler{}, streams: map[string]*session.Handler{}})
	r.SubRouter = &SubRouter{root: r, plugins: c, mapper: mapper, prefix: mapper("", "")}
	return r
}

// Dispatch implements [session.Dispatcher].
func (r *Router) Dispatch(call bool, method string) (*session.Handler, bool) {
	t := r.table.Load()
	m, unknown := t.pushes, t.unknownPush
	if call {
		m, unknown = t.calls, t.unknownCall
	}
	if h, ok := m[method]; ok {
		return h, true
	}
	return unknown, unknown != nil
}

// DispatchStream implements [session.Dispatcher].
func (r *Router) DispatchStream(method string) (*session.Handler, bool) {
	h, ok := r.table.Load().streams[method]
	return h, ok
}

// change publishes a table that f has changed.
func (r *Router) change(f func(*table) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := *r.table.Load()
	next.calls, next.pushes, next.streams = maps.Clone(next.calls), maps.Clone(next.pushes), maps.Clone(next.streams)
	if err := f(&next); err != nil {
		return err
	}
	r.table.Store(&next)
	return nil
}

// SetUnknownCall sets the handler of calls that have no other. The last one set
// counts.
func (r *Router) SetUnknownCall(fn func(session.UnknownCallCtx) (any, *message.Status), plugins ...plugin.Plugin) {
	h := session.NewHandler(session.Spec{
		Name: session.RouteUnknownCall, Kind: session.RouteUnknownCall, Arg: reflect.TypeFor[[]byte](),
		Call: func(ctx session.CallCtx, _ any) (any, *message.Status) { return fn(ctx.(session.UnknownCallCtx)) },
	})
	r.add(h, plugins, func(t *table) error { t.unknownCall = h; return nil })
}

// SetUnknownPush sets the handler of pushes that have no other. The last one
// set counts.
func (r *Router) SetUnknownPush(fn func(session.UnknownPushCtx) *message.Status, plugins ...plugin.Plugin) {
	h := session.NewHandler(session.Spec{
		Name: session.RouteUnknownPush, Kind: session.RouteUnknownPush, Arg: reflect.TypeFor[[]byte](),
		Push: func(ctx session.PushCtx, _ any) *message.Status { return fn(ctx.(session.UnknownPushCtx)) },
	})
	r.add(h, plugins, func(t *table) error { t.unknownPush = h; return nil })
}

// A SubRouter registers handlers below a prefix, with plugins of its own.
type SubRouter struct {
	root    *Router
	plugins *plugin.Container
	mapper  ServiceMethodMapper
	prefix  string
}

// SubRoute returns a router below the prefix of r, whose plugins come behind
// those of r.
func (r *SubRouter) SubRoute(prefix string, plugins ...plugin.Plugin) *SubRouter {
	return &SubRouter{root: r.root, plugins: r.with(plugins), mapper: r.mapper, prefix: r.mapper(r.prefix, prefix)}
}

// with returns the container of a route or group with plugins of its own. Those
// that have only hooks of a session, such as header hooks, are let pass, because
// programs written against erpc v7 give them: they never run.
func (r *SubRouter) with(plugins []plugin.Plugin) *plugin.Container {
	c, err := r.plugins.With(plugins...)
	if err != nil {
		panic(err)
	}
	for _, p := range plugins {
		if !session.IsHook(p) && !IsHook(p) {
			panic(fmt.Sprintf("router: plugin %q (%T) implements no hook of a route: PostReg, PreRead…Body, PostRead…Body, PreWriteReply or PostWriteReply; give it to NewPeer", p.Name(), p))
		}
	}
	return c
}

// join returns the service method of a path below the prefix of r.
func (r *SubRouter) join(name string) string {
	switch {
	case r.prefix == "" || r.prefix == "/":
		return name
	case strings.HasPrefix(r.prefix, "/"):
		return path.Join(r.prefix, name)
	}
	return r.prefix + "." + strings.TrimPrefix(name, ".")
}

// Handle registers a handler with plugins of its own and returns its service
// method. It panics if the method is taken or a plugin refuses.
func (r *SubRouter) Handle(h *session.Handler, plugins ...plugin.Plugin) string {
	r.add(h, plugins, func(t *table) error {
		m := t.calls
		switch {
		case h.IsPush():
			m = t.pushes
		case h.IsStream():
			m = t.streams
		}
		if _, taken := m[h.Name()]; taken {
			return fmt.Errorf("router: a %s handler is registered already for %q; give one of the two another name or prefix", h.RouterTypeName(), h.Name())
		}
		m[h.Name()] = h
		return nil
	})
	message.Know(h.Name())
	return h.Name()
}

func (r *SubRouter) add(h *session.Handler, plugins []plugin.Plugin, enter func(*table) error) {
	c := r.with(plugins)
	c.Watch(func() { h.SetHooks(session.NewHooks(c.GetAll())) })
	for _, p := range plugin.Of[PostRegPlugin](c.GetAll()) {
		if err := p.PostReg(h); err != nil {
			panic(fmt.Errorf("router: plugin %q refuses %s handler %s: %w", p.Name(), h.RouterTypeName(), h.Name(), err))
		}
	}
	if err := r.root.change(enter); err != nil {
		panic(err)
	}
}

// Root returns the router that r is part of.
func (r *SubRouter) Root() *Router { return r.root }
