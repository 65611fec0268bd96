package router

import (
	"errors"
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

// A Router is a set of handlers. It implements [session.Routes]. All
// methods may be called concurrently, also while messages are dispatched.
type Router struct {
	*SubRouter
	warn  func(error) // not nil: see New
	mu    sync.Mutex  // serialises registration
	table atomic.Pointer[table]
}

// A table is immutable once published: dispatch takes no lock.
type table struct {
	calls, pushes, streams                  map[string]*session.Handler
	unknownCall, unknownPush, unknownStream *session.Handler
}

var _ session.Routes = (*Router)(nil)

// New returns a router whose handlers have the plugins of c around their own. A nil
// mapper means [HTTPServiceMethodMapper]. If warn is given, plugins of routes with
// hooks that would never be called there are accepted, as in erpc v7: warn gets the
// error instead of a panic, and header hooks of routes are not called.
func New(c *plugin.Container, mapper ServiceMethodMapper, warn ...func(error)) *Router {
	if mapper == nil {
		mapper = HTTPServiceMethodMapper
	}
	r := &Router{}
	if len(warn) > 0 {
		r.warn = warn[0]
	}
	r.table.Store(&table{calls: map[string]*session.Handler{}, pushes: map[string]*session.Handler{}, streams: map[string]*session.Handler{}})
	r.SubRouter = &SubRouter{root: r, plugins: c, mapper: mapper, prefix: mapper("", "")}
	return r
}

// Dispatch implements [session.Routes].
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

// DispatchStream implements [session.Routes].
func (r *Router) DispatchStream(method string) (*session.Handler, bool) {
	t := r.table.Load()
	if h, ok := t.streams[method]; ok {
		return h, true
	}
	return t.unknownStream, t.unknownStream != nil
}

// change publishes a copy of the table that f has changed.
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

// SetUnknownCall sets the handler of calls that have no other handler. It replaces
// an earlier one.
func (r *Router) SetUnknownCall(fn func(session.UnknownCallCtx) (any, *message.Status), plugins ...plugin.Plugin) {
	mustHave(fn != nil, "SetUnknownCall")
	h := session.NewHandler(session.Spec{
		Name: session.RouteUnknownCall, Kind: session.RouteUnknownCall, Arg: reflect.TypeFor[[]byte](),
		Call: func(ctx session.CallCtx, _ any) (any, *message.Status) { return fn(ctx.(session.UnknownCallCtx)) },
	})
	r.add("the handler of unknown calls", []*session.Handler{h}, plugins, func(t *table) error { t.unknownCall = h; return nil })
}

// SetUnknownPush sets the handler of pushes that have no other handler. It
// replaces an earlier one.
func (r *Router) SetUnknownPush(fn func(session.UnknownPushCtx) *message.Status, plugins ...plugin.Plugin) {
	mustHave(fn != nil, "SetUnknownPush")
	h := session.NewHandler(session.Spec{
		Name: session.RouteUnknownPush, Kind: session.RouteUnknownPush, Arg: reflect.TypeFor[[]byte](),
		Push: func(ctx session.PushCtx, _ any) *message.Status { return fn(ctx.(session.UnknownPushCtx)) },
	})
	r.add("the handler of unknown pushes", []*session.Handler{h}, plugins, func(t *table) error { t.unknownPush = h; return nil })
}

// SetUnknownStream sets the handler of streams that have no other handler. It
// replaces an earlier one. HTTP clients do not reach it: their requests to unknown
// methods are calls.
func (r *Router) SetUnknownStream(fn func(session.CallCtx, *session.Stream) *message.Status, plugins ...plugin.Plugin) {
	mustHave(fn != nil, "SetUnknownStream")
	h := session.NewHandler(session.Spec{
		Name: session.RouteUnknownStream, Kind: session.RouteUnknownStream, Arg: reflect.TypeFor[[]byte](),
		Stream: fn,
	})
	r.add("the handler of unknown streams", []*session.Handler{h}, plugins, func(t *table) error { t.unknownStream = h; return nil })
}

// A SubRouter registers handlers below a prefix, with plugins of its own.
type SubRouter struct {
	root    *Router
	plugins *plugin.Container
	mapper  ServiceMethodMapper
	prefix  string
}

// SubRoute returns a router below the prefix of r, whose plugins come after those
// of r.
func (r *SubRouter) SubRoute(prefix string, plugins ...plugin.Plugin) *SubRouter {
	return &SubRouter{root: r.root, plugins: r.with("the group "+r.mapper(r.prefix, prefix), plugins), mapper: r.mapper, prefix: r.mapper(r.prefix, prefix)}
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
// method. It panics if the method is taken or is not a valid name, or if a plugin
// refuses it.
func (r *SubRouter) Handle(h *session.Handler, plugins ...plugin.Plugin) string {
	return r.HandleAll([]*session.Handler{h}, plugins...)[0]
}

// HandleAll is [SubRouter.Handle] for several handlers: all are registered, or
// none if it panics.
func (r *SubRouter) HandleAll(handlers []*session.Handler, plugins ...plugin.Plugin) []string {
	var names []string
	for _, h := range handlers {
		if err := checkHandler(h); err != nil {
			panic(err)
		}
		names = append(names, h.Name())
	}
	if len(names) == 0 {
		return nil
	}
	r.add("the route "+names[0], handlers, plugins, func(t *table) error {
		for _, h := range handlers {
			if err := t.enter(h); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range names {
		message.Know(name)
	}
	return names
}

// enter puts a handler into the table.
func (t *table) enter(h *session.Handler) error {
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
}

// maxName is the maximum length of a service method, in bytes: the raw protocol
// has one byte for it.
const maxName = 255

// checkHandler returns an error if a handler can't be registered.
func checkHandler(h *session.Handler) error {
	switch {
	case h == nil:
		return errors.New("router: nil is not a handler; make one with session.NewHandler")
	case !h.IsCall() && !h.IsPush() && !h.IsStream():
		return fmt.Errorf("router: the handler of %q has no function to call", h.Name())
	case h.Name() == "":
		return errors.New("router: a handler needs a name; the empty one is for messages without")
	case len(h.Name()) > maxName:
		return fmt.Errorf("router: the service method %.40q… has %d bytes; messages hold %d", h.Name(), len(h.Name()), maxName)
	case session.Reserved(h.Name()):
		return fmt.Errorf("router: the service method %q is reserved for erpc itself; no message to it would reach the handler", h.Name())
	}
	return nil
}

// mustHave panics unless has, with what as the place that got a nil function.
func mustHave(has bool, what string) {
	if !has {
		panic(fmt.Errorf("router: %s got a nil function; give the handler", what))
	}
}

// add gives handlers their hooks, calls the PostReg hooks, and enters the handlers
// into the table.
func (r *SubRouter) add(place string, handlers []*session.Handler, plugins []plugin.Plugin, enter func(*table) error) {
	c := r.with(place, plugins)
	for _, h := range handlers {
		h.SetHooks(r.root.hooks(c))
		for _, p := range plugin.Of[PostRegPlugin](c.GetAll()) {
			if err := p.PostReg(h); err != nil {
				panic(fmt.Errorf("router: plugin %q refuses %s handler %s: %w", p.Name(), h.RouterTypeName(), h.Name(), err))
			}
		}
	}
	if err := r.root.change(enter); err != nil {
		panic(err)
	}
	c.Watch(func() { // also called at once: the plugins may have changed meanwhile
		hooks := r.root.hooks(c)
		for _, h := range handlers {
			h.SetHooks(hooks)
		}
	})
}

// ToRouter is [SubRouter.Root] under its name in v7.
func (r *SubRouter) ToRouter() *Router { return r.root }

// Root returns the router that r is part of.
func (r *SubRouter) Root() *Router { return r.root }
