package dispatcher

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

// A Dispatcher is a set of functions by name. They have one of the shapes
//
//	func([context.Context | dispatcher.Addr,] [request]) ([response,] [error])
//
// where request and response are of any type that the codecs of the peers support.
// Pointers are allowed; other interfaces and variadic arguments are not. A single
// result of type error is the error. As in gorpc, the first of two arguments may
// also be a string, which gets the address of the caller.
//
// Each function handles calls and pushes to its name, with a slash in front and
// below the prefix of the router. An error becomes a status as with
// erpc.HandleCall. All methods may be called concurrently. The zero value is
// ready.
type Dispatcher struct {
	mu     sync.Mutex // guards the following; held while routers are changed
	names  []string
	funcs  []*function
	routes []route
}

// A route is a place where a dispatcher's functions are registered.
type route struct {
	to      router.Registrar
	plugins []plugin.Plugin
}

// Addr is the address of the caller's connection, for functions that ask for it.
type Addr string

// AddFunc adds the function fn under name. It panics if fn does not have one of
// the shapes or the name is taken.
func (d *Dispatcher) AddFunc(name string, fn any) {
	f, err := newFunction(name, reflect.ValueOf(fn))
	if err != nil {
		panic(err)
	}
	d.add([]*function{f})
}

// AddService adds each exported method of receiver under name/Method. Several
// receivers of one type may be added under different names. It panics if receiver
// has no exported method, one does not have one of the shapes, or a name is taken.
func (d *Dispatcher) AddService(name string, receiver any) {
	v := reflect.ValueOf(receiver)
	if !v.IsValid() || v.NumMethod() == 0 {
		panic(fmt.Errorf("dispatcher: service %q: %T has no exported method; give a pointer if its methods have pointer receivers", name, receiver))
	}
	var funcs []*function
	for i := range v.NumMethod() {
		f, err := newFunction(name+"/"+v.Type().Method(i).Name, v.Method(i))
		if err != nil {
			panic(err)
		}
		funcs = append(funcs, f)
	}
	d.add(funcs)
}

// Register registers the functions, including those that are added later, with a
// peer or sub-router, with the given plugins. Several peers may share a
// dispatcher.
func (d *Dispatcher) Register(to router.Registrar, plugins ...plugin.Plugin) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := route{to, plugins}
	r.register(d.funcs)
	d.routes = append(d.routes, r)
}

// Names returns the names of the functions, in the order in which they were
// added.
func (d *Dispatcher) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.names)
}

func (d *Dispatcher) add(funcs []*function) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range funcs {
		if slices.Contains(d.names, f.name) {
			panic(fmt.Errorf("dispatcher: %q is added already; use another name", f.name))
		}
	}
	for _, r := range d.routes {
		r.register(funcs)
	}
	for _, f := range funcs {
		d.names = append(d.names, f.name)
		d.funcs = append(d.funcs, f)
	}
}

// register registers all functions or, if it panics, none.
func (r route) register(funcs []*function) {
	var handlers []*session.Handler
	for _, f := range funcs {
		spec := session.Spec{Name: r.to.Path(path(f.name)), Arg: f.arg, NewArg: f.newArg}
		call, push := spec, spec
		call.Kind, call.Reply, call.Call = session.RouteCall, f.reply, f.call
		push.Kind, push.Push = session.RoutePush, f.push
		handlers = append(handlers, session.NewHandler(call), session.NewHandler(push))
	}
	r.to.HandleAll(handlers, r.plugins...)
}

// path returns the service method of a name.
func path(name string) string { return "/" + strings.TrimPrefix(name, "/") }
