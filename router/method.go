package router

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// A Method is a service method with the types of its argument and result, for both
// ends to share: declare it once, as a variable, and the compiler checks both
// ends. Name is the whole service method, so register it with the peer or its root
// router. The zero value has no name and can't be registered.
type Method[A, R any] struct{ Name string }

// Handle registers the handler of calls to m. See [HandleCall].
func (m Method[A, R]) Handle(r Registrar, fn func(ctx context.Context, arg *A) (*R, error), plugins ...plugin.Plugin) string {
	return HandleCall(r, m.Name, fn, plugins...)
}

// Call calls m. See [session.Call].
func (m Method[A, R]) Call(ctx context.Context, to session.CallMaker, arg *A, settings ...message.Setting) (*R, error) {
	return session.Call[R](ctx, to, m.Name, arg, settings...)
}

// HandlePush registers the handler of pushes to m. See [HandlePush].
func (m Method[A, R]) HandlePush(r Registrar, fn func(ctx context.Context, arg *A) error, plugins ...plugin.Plugin) string {
	return HandlePush(r, m.Name, fn, plugins...)
}

// Push pushes arg to m. Success means that it was queued.
func (m Method[A, R]) Push(ctx context.Context, to session.Pusher, arg *A, settings ...message.Setting) error {
	all := append([]message.Setting{message.WithContext(ctx)}, settings...)
	return to.Push(m.Name, arg, all...).Err()
}
