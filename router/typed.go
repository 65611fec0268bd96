package router

import (
	"context"
	"fmt"
	"reflect"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// A Registrar registers handlers: a peer, a router or a sub-router.
type Registrar interface {
	Handle(h *session.Handler, plugins ...plugin.Plugin) string
	// HandleAll registers several handlers, or none if it panics.
	HandleAll(handlers []*session.Handler, plugins ...plugin.Plugin) []string
	// Path returns the service method of a path given to the registrar.
	Path(name string) string
}

// Path implements [Registrar].
func (r *SubRouter) Path(name string) string { return r.join(name) }

// A typed is the argument of a typed handler together with its context: one
// allocation instead of two for each message.
type typed[A any] struct {
	ctx session.HandlerContext
	arg A
}

func newTyped[A any]() any { return new(typed[A]) }

func typedBody[A any](arg any) any { return &arg.(*typed[A]).arg }

// HandleCall registers a typed handler of calls; it needs no reflection. The path
// is the unmapped service method, below the prefix of a sub-router.
// [session.HandlerStatus] says what the caller gets of an error.
func HandleCall[A, R any](r Registrar, path string, fn func(ctx context.Context, arg *A) (*R, error), plugins ...plugin.Plugin) string {
	mustHave(fn != nil, fmt.Sprintf("HandleCall of %q", path))
	return r.Handle(session.NewHandler(session.Spec{
		Name: r.Path(path), Kind: session.RouteCall, Arg: reflect.TypeFor[A](), Reply: reflect.TypeFor[*R](),
		NewArg: newTyped[A], Body: typedBody[A],
		Call: func(c session.CallCtx, arg any) (any, *message.Status) {
			t := arg.(*typed[A])
			t.ctx.Bind(c)
			res, err := fn(&t.ctx, &t.arg)
			if err != nil {
				return nil, session.HandlerStatus(err)
			}
			return res, nil
		},
	}), plugins...)
}

// HandlePush registers a typed handler of pushes; see [HandleCall].
func HandlePush[A any](r Registrar, path string, fn func(ctx context.Context, arg *A) error, plugins ...plugin.Plugin) string {
	mustHave(fn != nil, fmt.Sprintf("HandlePush of %q", path))
	return r.Handle(session.NewHandler(session.Spec{
		Name: r.Path(path), Kind: session.RoutePush, Arg: reflect.TypeFor[A](),
		NewArg: newTyped[A], Body: typedBody[A],
		Push: func(c session.PushCtx, arg any) *message.Status {
			t := arg.(*typed[A])
			t.ctx.Bind(c)
			return session.HandlerStatus(fn(&t.ctx, &t.arg))
		},
	}), plugins...)
}
