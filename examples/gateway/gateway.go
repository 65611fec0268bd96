package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/health"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/plugin/proxy"
	"github.com/goerpc/erpc/plugin/stats"
)

// routes maps HTTP paths to methods. Every other method can be called with a
// POST to its name.
var routes = []erpc.HTTPRoute{
	{Pattern: "GET /upper/{text}", Method: upper.Name, Safe: true},
	{Pattern: "GET /ticks", Method: watchTicks, Safe: true, Stream: true},
}

// A gateway serves clients over HTTP and WebSocket on one port. Both become
// sessions of one peer, so its plugins apply to both.
type gateway struct {
	clients  *websocket.Server
	backends *backends
	health   *health.Health
	counts   *stats.Stats
	drain    time.Duration
	leaving  atomic.Bool
	addr     net.Addr
	admin    net.Listener
	adminSrv *http.Server
	done     chan error
}

func startGateway(cfg GatewayConfig, log *slog.Logger) (_ *gateway, err error) {
	cfg.Peer.Logger = log
	g := &gateway{
		backends: newBackends(cfg.Services, log),
		health:   health.New(), counts: stats.New(stats.Config{}),
		drain: cfg.Drain, done: make(chan error, 2),
	}
	// The order matters: an unauthenticated client costs no more than checking its
	// token, and backends get the user that login has established.
	g.clients = websocket.NewServer("/ws", cfg.Peer,
		g.counts,
		g.health,
		auth.NewLogin(auth.LoginConfig{Check: checker(cfg.Users)}),
		limit.NewRate(cfg.PerIP),
		limit.NewRate(cfg.PerUser),
		acl.New(cfg.Rules),
		userHeader{},
		proxy.NewPlugin(g.backends.choose),
	).AllowOrigins(cfg.Origins...)
	g.clients.Handle("/", erpc.HTTPHandler(g.clients.Peer, erpc.HTTPConfig{Routes: routes}))
	g.health.Add("leaving", func(context.Context) error {
		if g.leaving.Load() {
			return errors.New("the gateway is shutting down")
		}
		return nil
	})
	g.backends.watch(g.health)
	defer func() {
		if err != nil {
			err = errors.Join(err, g.clients.Close())
			g.backends.close()
			if g.admin != nil {
				_ = g.admin.Close() // it was not used
			}
		}
	}()
	g.admin, err = net.Listen("tcp", cfg.Admin)
	if err != nil {
		return nil, err
	}
	lis, err := g.clients.Listen()
	if err != nil {
		return nil, err
	}
	g.addr = lis.Addr()
	go func() { g.done <- fmt.Errorf("gateway: %w", g.clients.Serve(lis)) }()
	g.adminSrv = &http.Server{Handler: g.adminHandler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { g.done <- fmt.Errorf("admin: %w", g.adminSrv.Serve(g.admin)) }()
	return g, nil
}

// adminHandler returns the handler for operators and load balancers.
func (g *gateway) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", g.counts.Handler())
	mux.Handle("GET /live", g.health.Live())
	mux.Handle("GET /ready", g.health.Ready())
	mux.HandleFunc("GET /instances", g.backends.serveInstances)
	return mux
}

// Addr returns the address for clients.
func (g *gateway) Addr() string { return g.addr.String() }

// AdminAddr returns the address for operators.
func (g *gateway) AdminAddr() string { return g.admin.Addr().String() }

// Done receives the reason when the gateway stops serving.
func (g *gateway) Done() <-chan error { return g.done }

// Shutdown ends the gateway gracefully. It first tells load balancers, then
// clients, whose calls are answered unless ctx ends before. Backends and the
// admin port come last.
func (g *gateway) Shutdown(ctx context.Context) error {
	g.leaving.Store(true)
	select {
	case <-time.After(g.drain):
	case <-ctx.Done():
	}
	err := g.clients.Shutdown(ctx)
	if cerr := g.clients.Close(); !errors.Is(cerr, erpc.ErrClosed) { // closes idle HTTP connections
		err = errors.Join(err, cerr)
	}
	g.backends.close()
	return errors.Join(err, g.adminSrv.Shutdown(ctx))
}
