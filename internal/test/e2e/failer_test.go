package e2e

import (
	"context"
	"io"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/router/dispatcher"
)

// failer has handlers of calls that fail with err.
type failer struct {
	erpc.CallCtx
	err error
}

func (f *failer) Status(*int) (int, *erpc.Status) { return 0, erpc.StatusFromError(f.err) }

func (f *failer) Set(*int) (int, *erpc.Status) {
	f.Output().SetStatus(erpc.StatusFromError(f.err))
	return 0, nil
}

// failerStreams has handlers of streams that fail with err.
type failerStreams struct {
	erpc.CallCtx
	err error
}

func (f *failerStreams) Fail(*erpc.Stream[int, int]) error { return f.err }

func (f *failerStreams) Status(*erpc.Stream[int, int]) *erpc.Status {
	return erpc.StatusFromError(f.err)
}

// failWith registers handlers of every kind that fail with err.
func failWith(p erpc.Peer, err error) {
	typed := func(context.Context, *int) (*int, error) { return nil, err }
	erpc.HandleCall(p, "/typed", typed, erpc.Safe())
	erpc.HandleCall(p, "/ordered", typed, limit.Ordered())
	p.RouteCall(&failer{err: err})
	p.RouteStream(&failerStreams{err: err})
	d := new(dispatcher.Dispatcher)
	d.AddFunc("func", func(int) (int, error) { return 0, err })
	d.Register(p)
	p.SetUnknownCall(func(erpc.UnknownCallCtx) (any, *erpc.Status) { return nil, erpc.StatusFromError(err) })
	erpc.HandleUpload(p, "/upload", func(_ context.Context, r io.Reader) error {
		_, _ = io.Copy(io.Discard, r) // its error does not matter
		return err
	})
}
