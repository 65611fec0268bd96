package erpc

import (
	"context"

	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

// A Stream is one end of a stream that receives In and sends Out. See
// [session.TypedStream].
type Stream[In, Out any] = session.TypedStream[In, Out]

// StreamOpener can open streams: a session. See [session.StreamOpener].
type StreamOpener = session.StreamOpener

// HandleStream registers a typed handler of streams with a peer or sub-router. The
// stream ends with what the handler returns. See [router.HandleStream].
func HandleStream[In, Out any](peerOrSubRouter router.Registrar, path string, fn func(ctx context.Context, s *Stream[In, Out]) error, plugins ...Plugin) string {
	return router.HandleStream(peerOrSubRouter, path, fn, plugins...)
}

// OpenStream opens a stream that sends Out and receives In to the handler at path
// of the other side. See [session.OpenStream].
func OpenStream[Out, In any](ctx context.Context, sess StreamOpener, path string, settings ...MessageSetting) (*Stream[In, Out], error) {
	return session.OpenStream[Out, In](ctx, sess, path, settings...)
}
