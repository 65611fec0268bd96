package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/retry"
)

// A service is one of the four services, running.
type service struct {
	peer erpc.Peer
	addr string // where it listens
	done chan error
	web  *http.Server // only the gateway has one
	stop func()       // ends other work of the service; may be nil
}

// shutdown ends the service gracefully: accepted calls are answered, unless ctx
// ends before.
func (s *service) shutdown(ctx context.Context) error {
	var err error
	if s.web != nil {
		err = s.web.Shutdown(ctx)
	}
	if perr := s.peer.Shutdown(ctx); err == nil {
		err = perr
	}
	if s.stop != nil {
		s.stop()
	}
	return err
}

// startNamed starts the service of that name. observers are plugins that every
// peer of the shop gets, such as those of package plugin/otel. ctx bounds the
// start, which waits for the services behind this one.
func startNamed(ctx context.Context, name string, cfg *Config, log *slog.Logger, observers ...erpc.Plugin) (*service, error) {
	start, ok := map[string]func(context.Context, *Config, *slog.Logger, []erpc.Plugin) (*service, error){
		"gateway": startGateway, "orders": startOrders, "stock": startStock, "payment": startPayment,
	}[name]
	if !ok {
		return nil, fmt.Errorf("there is no service %q; use gateway, orders, stock or payment", name)
	}
	s, err := start(ctx, cfg, log.With("service", name), observers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// serve makes p accept sessions.
func serve(p erpc.Peer) (*service, error) {
	lis, err := p.Listen()
	if err != nil {
		_ = p.Close() // it does not serve yet
		return nil, err
	}
	s := &service{peer: p, addr: lis.Addr().String(), done: make(chan error, 1)}
	go func() { s.done <- p.Serve(lis) }()
	return s, nil
}

// A backend is the client side of a service: a session that redials, with
// retries of calls that were refused before execution. A call with an unknown
// outcome is not repeated.
type backend struct {
	erpc.CallMaker
	sess erpc.Session
}

// dial waits for a backend until ctx ends, so services can be started in any
// order.
func dial(ctx context.Context, p erpc.Peer, addr string, r *retry.Retry) (backend, error) {
	sess, st := p.DialContext(ctx, addr)
	if !st.OK() {
		return backend{}, fmt.Errorf("dial %s: %w", addr, st.Err())
	}
	return backend{r.On(sess), sess}, nil
}
