package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// HandleStream registers a typed handler of streams, which receives In and sends
// Out. The path is the unmapped service method, below the prefix of a sub-router.
// The stream ends when the handler returns: with success for nil or the io.EOF
// that Recv returned, else with the status of the error, as with [HandleCall].
func HandleStream[In, Out any](r Registrar, path string, fn func(ctx context.Context, s *session.TypedStream[In, Out]) error, plugins ...plugin.Plugin) string {
	mustHave(fn != nil, fmt.Sprintf("HandleStream of %q", path))
	return handleStream(r, path, reflect.TypeFor[In](), reflect.TypeFor[*Out](), func(c session.CallCtx, s *session.Stream) error {
		ctx := new(session.HandlerContext)
		ctx.Bind(c)
		return fn(ctx, session.NewTypedStream[In, Out](s))
	}, plugins)
}

// HandleUpload registers a handler of uploads ([session.Transfer]): fn reads the
// bytes. A Read returns io.EOF only if all of them have arrived and their checksum
// is right.
func HandleUpload(r Registrar, path string, fn func(ctx context.Context, r io.Reader) error, plugins ...plugin.Plugin) string {
	mustHave(fn != nil, fmt.Sprintf("HandleUpload of %q", path))
	return handleStream(r, path, reflect.TypeFor[[]byte](), nil, session.HandleUpload(fn), plugins)
}

// HandleDownload registers a handler of downloads ([session.Transfer]): fn writes
// the bytes.
func HandleDownload(r Registrar, path string, fn func(ctx context.Context, w io.Writer) error, plugins ...plugin.Plugin) string {
	mustHave(fn != nil, fmt.Sprintf("HandleDownload of %q", path))
	return handleStream(r, path, nil, reflect.TypeFor[*[]byte](), session.HandleDownload(fn), plugins)
}

func handleStream(r Registrar, path string, arg, reply reflect.Type, fn func(session.CallCtx, *session.Stream) error, plugins []plugin.Plugin) string {
	return r.Handle(session.NewHandler(session.Spec{
		Name: r.Path(path), Kind: session.RouteStream, Arg: arg, Reply: reply,
		Stream: func(c session.CallCtx, s *session.Stream) *message.Status { return streamStatus(fn(c, s)) },
	}), plugins...)
}

// streamStatus returns the status of a stream whose handler returned err.
func streamStatus(err error) *message.Status {
	if err == nil || errors.Is(err, io.EOF) { // the end that Recv reports
		return nil
	}
	return session.HandlerStatus(err)
}
