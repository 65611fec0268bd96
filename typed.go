package erpc

import (
	"context"

	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

// HandleCall registers a typed handler of calls with a peer or sub-router,
// without reflection. See [router.HandleCall].
func HandleCall[A, R any](peerOrSubRouter router.Registrar, path string, fn func(ctx context.Context, arg *A) (*R, error), plugins ...Plugin) string {
	return router.HandleCall(peerOrSubRouter, path, fn, plugins...)
}

// HandlePush registers a typed handler of pushes. See [router.HandlePush].
func HandlePush[A any](peerOrSubRouter router.Registrar, path string, fn func(ctx context.Context, arg *A) error, plugins ...Plugin) string {
	return router.HandlePush(peerOrSubRouter, path, fn, plugins...)
}

// Call sends arg to the handler at path and returns its reply. A failed status
// comes back as a [*StatusError], which errors.As finds. See [session.Call].
func Call[R any](ctx context.Context, to CallMaker, path string, arg any, settings ...MessageSetting) (*R, error) {
	return session.Call[R](ctx, to, path, arg, settings...)
}

// CallValue is [Call] for a result that is a value, such as an int. See
// [session.CallValue].
func CallValue[R any](ctx context.Context, to CallMaker, path string, arg any, settings ...MessageSetting) (R, error) {
	return session.CallValue[R](ctx, to, path, arg, settings...)
}

// CallMeta is [Call] that returns the metadata of the reply too. See
// [session.CallMeta].
func CallMeta[R any](ctx context.Context, to CallMaker, path string, arg any, settings ...MessageSetting) (*R, *Meta, error) {
	return session.CallMeta[R](ctx, to, path, arg, settings...)
}

// A Method is a service method with its types, for both ends to share. See
// [router.Method].
type Method[A, R any] = router.Method[A, R]

// A Caller can call and push: a session, or a pool of them. See [session.Caller].
type Caller = session.Caller

// A CallMaker makes calls: any [Caller], or a target of plugin/retry. See
// [session.CallMaker].
type CallMaker = session.CallMaker

// A Pusher sends pushes: any [Caller]. See [session.Pusher].
type Pusher = session.Pusher

// CallCtxFrom returns the CallCtx of a typed handler of calls. See
// [session.CallCtxFrom].
func CallCtxFrom(ctx context.Context) CallCtx { return session.CallCtxFrom(ctx) }

// PushCtxFrom returns the PushCtx of a typed handler of pushes. See
// [session.PushCtxFrom].
func PushCtxFrom(ctx context.Context) PushCtx { return session.PushCtxFrom(ctx) }

// NewBatch returns an empty batch of calls and pushes that are sent in one
// write. See [session.NewBatch].
func NewBatch(sess Caller) *Batch { return session.NewBatch(sess) }

// NotExecuted reports whether st is the outcome of a call that was certainly not
// executed, so that it is safe to send it again. See [session.NotExecuted].
func NotExecuted(st *Status) bool { return session.NotExecuted(st) }

// Refusal marks st, of a hook in front of a handler, as that of a call that is not
// executed. See [session.Refusal].
func Refusal(st *Status) *Status { return session.Refusal(st) }
