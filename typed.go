package erpc

import (
	"context"
	"io"
	"iter"

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

// A Method is a service method with its types. Both ends can share it. See
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

// Refusal marks st, which a hook returns before the handler runs, as the status
// of a call that was not executed. See [session.Refusal].
func Refusal(st *Status) *Status { return session.Refusal(st) }

// A Stream is one end of a stream that receives In and sends Out. See
// [session.TypedStream].
type Stream[In, Out any] = session.TypedStream[In, Out]

// An UntypedStream is one end of a stream whose messages have the type that each
// Send and Recv is given. See [session.Stream].
type UntypedStream = session.Stream

// StreamOpener can open streams: a session. See [session.StreamOpener].
type StreamOpener = session.StreamOpener

// HandleStream registers a typed handler of streams with a peer or sub-router.
// The error that the handler returns becomes the status of the stream. See
// [router.HandleStream].
func HandleStream[In, Out any](peerOrSubRouter router.Registrar, path string, fn func(ctx context.Context, s *Stream[In, Out]) error, plugins ...Plugin) string {
	return router.HandleStream(peerOrSubRouter, path, fn, plugins...)
}

// OpenStream opens a stream that sends Out and receives In to the handler at path
// of the other side. See [session.OpenStream].
func OpenStream[Out, In any](ctx context.Context, sess StreamOpener, path string, settings ...MessageSetting) (*Stream[In, Out], error) {
	return session.OpenStream[Out, In](ctx, sess, path, settings...)
}

// Subscribe opens a stream, sends arg as its only message and yields what the
// handler sends. See [session.Subscribe].
func Subscribe[R, A any](ctx context.Context, sess StreamOpener, path string, arg *A, settings ...MessageSetting) iter.Seq2[*R, error] {
	return session.Subscribe[R](ctx, sess, path, arg, settings...)
}

// SubscribeFrom is [Subscribe] that continues on the next connection when one
// breaks, from the position that next derives from the last message. See
// [session.SubscribeFrom].
func SubscribeFrom[R, A any](ctx context.Context, sess StreamOpener, path string, next func(last *R) *A, settings ...MessageSetting) iter.Seq2[*R, error] {
	return session.SubscribeFrom(ctx, sess, path, next, settings...)
}

// A Transfer sends or receives the bytes of one stream, with a checksum and a
// progress callback; its method Resume continues after a lost connection. See
// [session.Transfer].
type Transfer = session.Transfer

// MetaSHA256 is the key of the checksum in the metadata at the end of a transfer.
// See [session.MetaSHA256].
const MetaSHA256 = session.MetaSHA256

// ErrChecksum means that the received bytes of a transfer differ from those
// that were sent.
var ErrChecksum = session.ErrChecksum

// ErrNoStreams is the cause of the status of a stream that could not be opened
// because the other side, a proxy in between, or the protocol does not support
// streams. See [session.ErrNoStreams].
var ErrNoStreams = session.ErrNoStreams

// Upload sends all of r to the handler of uploads at path. See
// [session.Transfer.Upload].
func Upload(ctx context.Context, sess StreamOpener, path string, r io.Reader, settings ...MessageSetting) error {
	return Transfer{Settings: settings}.Upload(ctx, sess, path, r)
}

// Download returns the bytes that the handler of downloads at path sends. See
// [session.Transfer.Download].
func Download(ctx context.Context, sess StreamOpener, path string, settings ...MessageSetting) (io.ReadCloser, error) {
	return Transfer{Settings: settings}.Download(ctx, sess, path)
}

// HandleUpload registers a handler that reads uploads. See [router.HandleUpload].
func HandleUpload(peerOrSubRouter router.Registrar, path string, fn func(ctx context.Context, r io.Reader) error, plugins ...Plugin) string {
	return router.HandleUpload(peerOrSubRouter, path, fn, plugins...)
}

// HandleDownload registers a handler that writes downloads. See
// [router.HandleDownload].
func HandleDownload(peerOrSubRouter router.Registrar, path string, fn func(ctx context.Context, w io.Writer) error, plugins ...Plugin) string {
	return router.HandleDownload(peerOrSubRouter, path, fn, plugins...)
}
