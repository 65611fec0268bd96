package protobuf

import (
	"context"
	"errors"
	"io"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/router"
)

// A Registrar takes handlers: a peer or a sub-router. The name of a method is the
// one of its .proto below the prefix of a sub-router, which clients do not add.
type Registrar = router.Registrar

// HandleServerStream registers the handler of a method that takes one message and
// sends many. s is for sending, metadata and Draining; there is nothing to receive.
func HandleServerStream[A, Out any](r Registrar, method string, fn func(ctx context.Context, in *A, s *erpc.Stream[A, Out]) error, plugins ...erpc.Plugin) {
	erpc.HandleStream(r, method, func(ctx context.Context, s *erpc.Stream[A, Out]) error {
		in, err := s.Recv()
		if err != nil {
			return missing(err)
		}
		return fn(ctx, in, s)
	}, plugins...)
}

// missing is the error of a stream whose first message could not be received.
func missing(err error) error {
	if errors.Is(err, io.EOF) { // which would end the stream well
		return erpc.NewStatusByCodeText(erpc.CodeBadMessage, errors.New("protobuf: the stream ended before its message"), false).Err()
	}
	return err
}

// HandleClientStream registers the handler of a method that takes many messages
// and answers with one.
func HandleClientStream[In, R any](r Registrar, method string, fn func(ctx context.Context, s *erpc.Stream[In, R]) (*R, error), plugins ...erpc.Plugin) {
	erpc.HandleStream(r, method, func(ctx context.Context, s *erpc.Stream[In, R]) error {
		out, err := fn(ctx, s)
		if err != nil {
			return err
		}
		if out == nil {
			return erpc.NewStatusByCodeText(erpc.CodeInternalServerError, errors.New("protobuf: the handler returned no message and no error"), false).Err()
		}
		return s.Send(out)
	}, plugins...)
}

// Unimplemented returns the error of a method that a handler does not have.
func Unimplemented(method string) error {
	return erpc.NewStatusByCodeText(erpc.CodeNotFound, errors.New("protobuf: "+method+" is not implemented"), false).Err()
}
