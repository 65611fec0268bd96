package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/session"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	addrType    = reflect.TypeFor[Addr]()
	errorType   = reflect.TypeFor[error]()
	bytesType   = reflect.TypeFor[[]byte]()
)

// A function is a registered function with its arguments and results analysed.
type function struct {
	name  string
	fn    reflect.Value
	first reflect.Type // the argument in front of the request; nil: none
	arg   reflect.Type // the type to decode the body into; []byte without a request
	ptr   bool         // the request is a pointer to arg
	takes bool         // it has a request
	reply reflect.Type // nil: it has no response
	fails bool         // its last result is an error
}

const shape = "func([context.Context | dispatcher.Addr,] [request]) ([response,] [error])"

func newFunction(name string, fn reflect.Value) (*function, error) {
	if name == "" || name == "/" {
		return nil, errors.New("dispatcher: a function needs a name")
	}
	if fn.Kind() != reflect.Func || fn.IsNil() {
		return nil, fmt.Errorf("dispatcher: %q is not a function; it must be a %s", name, shape)
	}
	f := &function{name: name, fn: fn, arg: bytesType}
	typ := fn.Type()
	why := f.arguments(typ)
	if why == "" {
		why = f.results(typ)
	}
	if why != "" {
		return nil, fmt.Errorf("dispatcher: %q, a %v, %s; it must be a %s", name, typ, why, shape)
	}
	return f, nil
}

// arguments returns what is wrong with the arguments of a function of type typ, or
// "".
func (f *function) arguments(typ reflect.Type) (why string) {
	n := typ.NumIn()
	switch {
	case typ.IsVariadic():
		return "takes any number of arguments"
	case n > 2:
		return fmt.Sprintf("takes %d arguments", n)
	case n == 0:
		return ""
	}
	switch first := typ.In(0); {
	case first == contextType, first == addrType, n == 2 && first == reflect.TypeFor[string]():
		f.first = first
	case n == 2:
		return fmt.Sprintf("takes a %v in front of its request", first)
	}
	if f.first != nil && n == 1 {
		return ""
	}
	f.takes, f.arg = true, typ.In(n-1)
	f.ptr = f.arg.Kind() == reflect.Pointer
	if f.ptr {
		f.arg = f.arg.Elem()
	}
	if unsendable(f.arg) {
		return fmt.Sprintf("takes a %v, which no codec can make", f.arg)
	}
	return ""
}

// results returns what is wrong with the results of a function of type typ, or "".
func (f *function) results(typ reflect.Type) (why string) {
	n := typ.NumOut()
	if n > 2 {
		return fmt.Sprintf("returns %d values", n)
	}
	if n > 0 && typ.Out(n-1) == errorType {
		f.fails = true
		n--
	}
	switch {
	case n == 2:
		return fmt.Sprintf("returns a %v where an error must be", typ.Out(1))
	case n == 1:
		f.reply = typ.Out(0)
		if unsendable(f.reply) || f.reply == errorType {
			return fmt.Sprintf("returns a %v, which no codec can send", f.reply)
		}
	}
	return ""
}

func unsendable(typ reflect.Type) bool {
	switch typ.Kind() {
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	}
	return false
}

func (f *function) newArg() any { return reflect.New(f.arg).Interface() }

func (f *function) call(c session.CallCtx, arg any) (any, *message.Status) { return f.do(c, arg) }

func (f *function) push(c session.PushCtx, arg any) *message.Status {
	_, st := f.do(c, arg)
	return st
}

func (f *function) do(c session.PushCtx, arg any) (any, *message.Status) {
	in := make([]reflect.Value, 0, 2)
	switch f.first {
	case nil:
	case contextType:
		ctx := new(session.HandlerContext)
		ctx.Bind(c)
		in = append(in, reflect.ValueOf(ctx))
	default:
		in = append(in, reflect.ValueOf(c.Session().RemoteAddr().String()).Convert(f.first))
	}
	if f.takes {
		v := reflect.ValueOf(arg)
		if !f.ptr {
			v = v.Elem()
		}
		in = append(in, v)
	}
	out := f.fn.Call(in)
	if f.fails {
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			return nil, session.HandlerStatus(err)
		}
	}
	if f.reply == nil {
		return nil, nil
	}
	return out[0].Interface(), nil
}
