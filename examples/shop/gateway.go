package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/health"
	"github.com/goerpc/erpc/plugin/retry"
)

// A gateway serves customers over HTTP. PUT /orders/{id} places an order, and
// may be repeated with the same id until it is answered. GET /orders/{id}
// returns an order. GET /ready reports whether it can serve customers, which
// takes a connection to orders; GET /live whether the process runs.
type gateway struct {
	orders backend
	health *health.Health
}

func startGateway(ctx context.Context, cfg *Config, log *slog.Logger, observers []erpc.Plugin) (_ *service, err error) {
	c := cfg.Gateway
	c.Peer.Logger = log
	r := retry.New(c.Retry)
	h := health.New()
	h.NoListener = true // customers come through the HTTP server
	p := erpc.NewPeer(c.Peer, slices.Concat(observers, []erpc.Plugin{r, h})...)
	defer func() {
		if err != nil {
			_ = p.Close() // return the error instead
		}
	}()
	orders, err := dial(ctx, p, c.Orders, r)
	if err != nil {
		return nil, err
	}
	lis, err := net.Listen("tcp", c.HTTP)
	if err != nil {
		return nil, err
	}
	h.Add("orders", func(context.Context) error {
		if !orders.sess.Connected() {
			return errors.New("no connection")
		}
		return nil
	})
	g := &gateway{orders, h}
	s := &service{peer: p, addr: lis.Addr().String(), done: make(chan error, 1)}
	s.web = &http.Server{Handler: g.handler(p), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go func() { s.done <- s.web.Serve(lis) }()
	return s, nil
}

// handler converts requests to calls of the peer's own handlers. Their context
// ends with the request, or at the context age of the peer's configuration. The
// calls that they make end with it, and carry the remaining time.
func (g *gateway) handler(p erpc.Peer) http.Handler {
	erpc.HandleCall(p, "/gateway/place", func(ctx context.Context, arg *Place) (*Order, error) {
		arg.ID = erpc.CallCtxFrom(ctx).GetMeta("{id}")
		return placeOrder.Call(ctx, g.orders, arg)
	})
	erpc.HandleCall(p, "/gateway/find", func(ctx context.Context, arg *OrderID) (*Order, error) {
		return findOrder.Call(ctx, g.orders, arg)
	}, erpc.Safe()) // so that GET can call it

	mux := http.NewServeMux()
	mux.Handle("GET /live", g.health.Live())
	mux.Handle("GET /ready", g.health.Ready())
	mux.Handle("/orders/", erpc.HTTPHandler(p, erpc.HTTPConfig{
		Routes: []erpc.HTTPRoute{
			{Pattern: "PUT /orders/{id}", Method: "/gateway/place"},
			{Pattern: "GET /orders/{id}", Method: "/gateway/find"},
		},
		Status: httpStatus,
	}))
	return mux
}

// httpStatus returns the HTTP status for a code. A refused order is not a
// failure, so it gets 200 and a reason.
func httpStatus(code int32) int {
	switch code {
	case codeBadOrder:
		return http.StatusBadRequest
	case codeUnknownOrder:
		return http.StatusNotFound
	case codeOtherOrder:
		return http.StatusConflict
	case erpc.CodeExhausted, erpc.CodeConnClosed, erpc.CodeDialFailed:
		return http.StatusServiceUnavailable // PUT it again
	case erpc.CodeHandleTimeout:
		return http.StatusGatewayTimeout // PUT it again
	}
	if code >= 400 && code < 600 {
		return int(code)
	}
	return http.StatusInternalServerError
}
