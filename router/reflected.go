package router

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// A kind describes how the registrations of calls, pushes and streams differ.
type kind[C any] struct {
	name    string       // session.RouteCall, session.RoutePush or session.RouteStream
	ctx     reflect.Type // the context interface that the receiver embeds
	outs    int
	outcome []reflect.Type                    // types that the last result may have
	shape   string                            // the shape of a handler, without the receiver or context
	badArg  func(reflect.Type) (wants string) // what the argument should be, if it is something else
	set     func(s *session.Spec, typ reflect.Type, invoke func(ctx C, arg any) []reflect.Value)
}

var (
	statusType = reflect.TypeFor[*message.Status]()
	errorType  = reflect.TypeFor[error]()
)

var calls = kind[session.CallCtx]{
	name: session.RouteCall, ctx: reflect.TypeFor[session.CallCtx](), outs: 2, outcome: []reflect.Type{statusType},
	shape: "(arg *A) (R, *erpc.Status)", badArg: notAPointer,
	set: func(s *session.Spec, typ reflect.Type, invoke func(session.CallCtx, any) []reflect.Value) {
		setArg(s, typ)
		s.Reply = typ.Out(0)
		s.Call = func(ctx session.CallCtx, arg any) (any, *message.Status) {
			out := invoke(ctx, arg)
			return out[0].Interface(), out[1].Interface().(*message.Status)
		}
	},
}

var pushes = kind[session.PushCtx]{
	name: session.RoutePush, ctx: reflect.TypeFor[session.PushCtx](), outs: 1, outcome: []reflect.Type{statusType},
	shape: "(arg *A) *erpc.Status", badArg: notAPointer,
	set: func(s *session.Spec, typ reflect.Type, invoke func(session.PushCtx, any) []reflect.Value) {
		setArg(s, typ)
		s.Push = func(ctx session.PushCtx, arg any) *message.Status {
			return invoke(ctx, arg)[0].Interface().(*message.Status)
		}
	},
}

// setArg sets the type to decode messages into.
func setArg(s *session.Spec, typ reflect.Type) {
	arg := typ.In(1).Elem()
	s.Arg, s.NewArg = arg, func() any { return reflect.New(arg).Interface() }
}

func notAPointer(typ reflect.Type) (wants string) {
	if typ.Kind() != reflect.Pointer {
		return "a pointer"
	}
	return ""
}

// RouteCall registers the methods of a controller as handlers of calls and
// returns their service methods. The controller is a pointer to a struct that
// embeds [session.CallCtx], or a function without arguments that makes one; fields
// that are set in it are set in the receiver of every call. Receivers are reused,
// so a later call may see what a method has left in their fields. The methods have
// the shape
//
//	func (*T) Name(arg *A) (R, *erpc.Status)
//
// Methods promoted from other embedded types are not handlers. RouteCall panics if
// there is no handler, or a method has another shape.
func (r *SubRouter) RouteCall(ctrlStructOrPoolFunc any, plugins ...plugin.Plugin) []string {
	return routeController(r, &calls, ctrlStructOrPoolFunc, plugins)
}

// RoutePush is [SubRouter.RouteCall] for pushes: the struct embeds
// [session.PushCtx] and the methods have the shape
//
//	func (*T) Name(arg *A) *erpc.Status
func (r *SubRouter) RoutePush(ctrlStructOrPoolFunc any, plugins ...plugin.Plugin) []string {
	return routeController(r, &pushes, ctrlStructOrPoolFunc, plugins)
}

// RouteCallFunc registers a function as a handler of calls and returns its
// service method, which comes from its name:
//
//	func Name(ctx erpc.CallCtx, arg *A) (R, *erpc.Status)
//
// or a method expression, (*T).Name, of a type that [SubRouter.RouteCall] accepts.
func (r *SubRouter) RouteCallFunc(callHandleFunc any, plugins ...plugin.Plugin) string {
	return routeFunc(r, &calls, callHandleFunc, plugins)
}

// RoutePushFunc is [SubRouter.RouteCallFunc] for pushes:
//
//	func Name(ctx erpc.PushCtx, arg *A) *erpc.Status
func (r *SubRouter) RoutePushFunc(pushHandleFunc any, plugins ...plugin.Plugin) string {
	return routeFunc(r, &pushes, pushHandleFunc, plugins)
}

func routeController[C any](r *SubRouter, k *kind[C], ctrl any, plugins []plugin.Plugin) []string {
	build, typ := builder(k, ctrl)
	field := k.embedded(typ)
	var handlers []*session.Handler
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		if promoted(m) {
			continue
		}
		if why := k.misfit(m.Type, 1); why != "" {
			panic(fmt.Sprintf("router: %s.%s %s; a handler of a %s has the shape func (%s) %s%s; "+
				"methods that are not handlers must not be exported or belong to an embedded type", typ, m.Name, why, k.name, typ, m.Name, k.shape))
		}
		name := r.mapper(r.mapper(r.prefix, typeName(typ)), m.Name)
		handlers = append(handlers, reflected(k, name, m.Type, newReceivers[C](m.Func, build, field)))
	}
	if handlers == nil {
		panic(fmt.Sprintf("router: %s has no handler; add a method of the shape func (%s) Name%s", typ, typ, k.shape))
	}
	return r.HandleAll(handlers, plugins...)
}

func routeFunc[C any](r *SubRouter, k *kind[C], fn any, plugins []plugin.Plugin) string {
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		panic(fmt.Sprintf("router: %T is not a function of the shape func Name%s", fn, k.funcShape()))
	}
	typ, name := v.Type(), runtime.FuncForPC(v.Pointer()).Name()
	if why := k.misfit(typ, 0); why != "" {
		panic(fmt.Sprintf("router: function %s (%s) %s; it needs the shape func Name%s, or a method expression of that shape", name, typ, why, k.funcShape()))
	}
	var call func(ctx C, arg any) []reflect.Value
	switch in := typ.In(0); {
	case in == k.ctx:
		call = func(ctx C, arg any) []reflect.Value {
			return v.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(arg)})
		}
	case in.Kind() == reflect.Pointer && in.Elem().Kind() == reflect.Struct:
		build := func() reflect.Value { return reflect.New(in.Elem()) }
		call = newReceivers[C](v, build, k.embedded(in)).call
	default:
		panic(fmt.Sprintf("router: the first argument of %s is %s; it must be %s or a pointer to a struct that embeds that", name, in, k.ctx))
	}
	return r.Handle(handler(k, r.mapper(r.prefix, funcName(name)), typ, call), plugins...)
}

func (k *kind[C]) funcShape() string {
	return strings.Replace(k.shape, "(", "(ctx erpc."+k.ctx.Name()+", ", 1)
}

func reflected[C any](k *kind[C], name string, typ reflect.Type, f *receivers[C]) *session.Handler {
	return handler(k, name, typ, f.call)
}

func handler[C any](k *kind[C], name string, typ reflect.Type, call func(C, any) []reflect.Value) *session.Handler {
	s := session.Spec{Name: name, Kind: k.name}
	k.set(&s, typ, call)
	return session.NewHandler(s)
}

// misfit returns what is wrong with a function whose first argument is the
// receiver or context. hidden is 1 if it is a receiver, which does not count as an
// argument in the text.
func (k *kind[C]) misfit(typ reflect.Type, hidden int) string {
	switch {
	case typ.IsVariadic():
		return "takes any number of arguments"
	case typ.NumIn() != 2:
		return fmt.Sprintf("takes %d arguments in place of %d", typ.NumIn()-hidden, 2-hidden)
	}
	if wants := k.badArg(typ.In(1)); wants != "" {
		return fmt.Sprintf("takes a %s, which is not %s", typ.In(1), wants)
	}
	switch {
	case typ.NumOut() != k.outs:
		return fmt.Sprintf("returns %d values", typ.NumOut())
	case !slices.Contains(k.outcome, typ.Out(k.outs-1)):
		want := "*erpc.Status"
		if len(k.outcome) > 1 {
			want += " or error"
		}
		return fmt.Sprintf("returns a %s where a %s must be", typ.Out(k.outs-1), want)
	}
	return ""
}

// embedded returns the index of the context that typ, a pointer to a struct,
// embeds.
func (k *kind[C]) embedded(typ reflect.Type) []int {
	f, ok := typ.Elem().FieldByName(k.ctx.Name())
	if !ok || !f.Anonymous || f.Type != k.ctx {
		panic(fmt.Sprintf("router: %s does not embed erpc.%s, which a %s handler needs: type %s struct { erpc.%s }",
			typ, k.ctx.Name(), k.name, typeName(typ), k.ctx.Name()))
	}
	for i := 1; i < len(f.Index); i++ { // receivers would share the target of a pointer
		if in := typ.Elem().FieldByIndex(f.Index[:i]); in.Type.Kind() == reflect.Pointer {
			panic(fmt.Sprintf("router: %s embeds erpc.%s through the pointer %s, which concurrent calls would share; embed %s itself",
				typ, k.ctx.Name(), in.Type, in.Type.Elem()))
		}
	}
	return f.Index
}

// builder returns a function that makes receivers, and their type.
func builder[C any](k *kind[C], ctrl any) (build func() reflect.Value, typ reflect.Type) {
	v := reflect.ValueOf(ctrl)
	if !v.IsValid() {
		panic(fmt.Sprintf("router: nil is not a controller; give a pointer to a struct that embeds erpc.%s", k.ctx.Name()))
	}
	if v.Kind() == reflect.Func && v.Type().NumIn() == 0 && v.Type().NumOut() == 1 && !v.IsNil() {
		pool := v
		build = func() reflect.Value {
			out := pool.Call(nil)[0]
			if out.Kind() == reflect.Interface {
				out = out.Elem()
			}
			return out
		}
		v = build()
	} else {
		if v.Kind() == reflect.Struct { // allowed in v7
			p := reflect.New(v.Type())
			p.Elem().Set(v)
			v = p
		}
		build = func() reflect.Value {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(v.Elem())
			return p
		}
	}
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("router: %T is not a controller; give a pointer to a struct that embeds erpc.%s, or a function that returns one", ctrl, k.ctx.Name()))
	}
	return build, v.Type()
}

// promoted reports whether m comes from an embedded type. The compiler generates
// such methods, and pointer methods for value methods. The latter are recognised
// because the value's method set has a hand-written one.
func promoted(m reflect.Method) bool {
	if !generated(m) {
		return false
	}
	of, ok := m.Type.In(0).Elem().MethodByName(m.Name)
	return !ok || generated(of)
}

func generated(m reflect.Method) bool {
	fn := runtime.FuncForPC(m.Func.Pointer())
	file, _ := fn.FileLine(fn.Entry())
	return file == "<autogenerated>"
}

func typeName(typ reflect.Type) string {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	name, _, _ := strings.Cut(typ.Name(), "[")
	return name
}

// funcName returns the last part of the name that the runtime gives a function.
func funcName(name string) string {
	name, _, _ = strings.Cut(name, "[") // type arguments
	name = strings.TrimSuffix(name, "-fm")
	return name[strings.LastIndexByte(name, '.')+1:]
}

// receivers calls a method on pooled values of its type. C is the context
// interface that the type embeds.
type receivers[C any] struct {
	fn   reflect.Value
	pool sync.Pool // of *receiver[C]
}

type receiver[C any] struct {
	ctx *C               // the embedded field of in[0]
	in  [2]reflect.Value // receiver, argument
}

func newReceivers[C any](fn reflect.Value, build func() reflect.Value, field []int) *receivers[C] {
	f := &receivers[C]{fn: fn}
	f.pool.New = func() any {
		v := build()
		ctx := v.Elem().FieldByIndex(field).Addr().Interface().(*C)
		return &receiver[C]{ctx, [2]reflect.Value{v, {}}}
	}
	return f
}

// call binds ctx and calls the method. After a panic the receiver is not reused.
func (f *receivers[C]) call(ctx C, arg any) []reflect.Value {
	v := f.pool.Get().(*receiver[C])
	*v.ctx, v.in[1] = ctx, reflect.ValueOf(arg)
	out := f.fn.Call(v.in[:])
	var none C
	*v.ctx, v.in[1] = none, reflect.Value{}
	f.pool.Put(v)
	return out
}
