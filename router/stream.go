package router

import (
	"context"
	"reflect"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// HandleStream registers a typed handler of streams, which receives In and sends
// Out. The path is the service method as it stands, below the prefix of a
// sub-router. The stream ends when the handler returns: well with nil or with the
// io.EOF that Recv returned, else with the status of the error, as
// [HandleCall] makes it.
func HandleStream[In, Out any](r Registrar, path string, fn func(ctx context.Context, s *session.TypedStream[In, Out]) error, plugins ...plugin.Plugin) string {
	return r.Handle(session.NewHandler(session.Spec{
		Name: r.Path(path), Kind: session.RouteStream, Arg: reflect.TypeFor[In](), Reply: reflect.TypeFor[*Out](),
		Stream: func(c session.CallCtx, s *session.Stream) *message.Status {
			ctx := new(session.HandlerContext)
			ctx.Bind(c)
			if err := fn(ctx, session.NewTypedStream[In, Out](s)); err != nil {
				return statusOf(err)
			}
			return nil
		},
	}), plugins...)
}
