package router

import (
	"reflect"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

var streams = kind[session.CallCtx]{
	name: session.RouteStream, ctx: reflect.TypeFor[session.CallCtx](), outs: 1, outcome: []reflect.Type{statusType, errorType},
	shape: "(s *erpc.Stream[In, Out]) *erpc.Status", badArg: notAStream,
	set: func(s *session.Spec, typ reflect.Type, invoke func(session.CallCtx, any) []reflect.Value) {
		t, _ := session.StreamTypeOf(typ.In(1)) // notAStream has checked that it is one
		s.Arg, s.Reply = t.In, reflect.PointerTo(t.Out)
		s.Stream = func(ctx session.CallCtx, raw *session.Stream) *message.Status {
			switch out := invoke(ctx, t.New(raw))[0].Interface().(type) {
			case *message.Status:
				return out
			case error:
				return streamStatus(out)
			}
			return nil // a nil error
		}
	},
}

func notAStream(typ reflect.Type) (wants string) {
	if _, ok := session.StreamTypeOf(typ); !ok {
		return "a *erpc.Stream[In, Out]"
	}
	return ""
}

// RouteStream is [SubRouter.RouteCall] for streams: the struct embeds
// [session.CallCtx] and the methods have one of the shapes
//
//	func (*T) Name(s *erpc.Stream[In, Out]) *erpc.Status
//	func (*T) Name(s *erpc.Stream[In, Out]) error
//
// The stream ends with the result of the method; an error becomes a status as with
// [HandleStream]. The receiver belongs to the stream until the method has
// returned.
func (r *SubRouter) RouteStream(ctrlStructOrPoolFunc any, plugins ...plugin.Plugin) []string {
	return routeController(r, &streams, ctrlStructOrPoolFunc, plugins)
}

// RouteStreamFunc is [SubRouter.RouteCallFunc] for streams:
//
//	func Name(ctx erpc.CallCtx, s *erpc.Stream[In, Out]) *erpc.Status
//	func Name(ctx erpc.CallCtx, s *erpc.Stream[In, Out]) error
func (r *SubRouter) RouteStreamFunc(streamHandleFunc any, plugins ...plugin.Plugin) string {
	return routeFunc(r, &streams, streamHandleFunc, plugins)
}
