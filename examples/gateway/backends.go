package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster/lookup"
	"github.com/goerpc/erpc/plugin/health"
	"github.com/goerpc/erpc/plugin/proxy"
)

// backends holds the services behind the gateway. Each has a client that
// spreads calls over the instances, avoids failing ones, and retries calls that
// were not executed.
type backends struct {
	peer    erpc.Peer
	clients map[string]*lookup.Client // by the prefix of methods
}

func newBackends(services []Service, log *slog.Logger) *backends {
	b := &backends{peer: erpc.NewPeer(erpc.PeerConfig{Logger: log}), clients: map[string]*lookup.Client{}}
	for _, s := range services {
		b.clients[s.Prefix] = lookup.New(b.peer, lookup.Addresses(s.Instances...), lookup.Options{
			Safe: func(method string) bool { return slices.Contains(s.Safe, method) },
		})
	}
	return b
}

// choose returns the service with the longest matching prefix. If there is
// none, the client gets 502.
func (b *backends) choose(l *proxy.Label) (found proxy.Forwarder) {
	longest := 0
	for prefix, c := range b.clients {
		if strings.HasPrefix(l.ServiceMethod, prefix) && len(prefix) > longest {
			found, longest = c, len(prefix)
		}
	}
	return found
}

// watch makes the gateway ready as long as an instance of each service is
// ready.
func (b *backends) watch(h *health.Health) {
	for prefix, c := range b.clients {
		h.Add(prefix, func(ctx context.Context) error {
			r, err := erpc.Call[health.Report](ctx, c, health.Method, struct{}{})
			switch {
			case err != nil:
				return errors.New("no instance answers") // the details are logged; load balancers don't need them
			case !r.Ready:
				return fmt.Errorf("no instance is ready: %v", r.Problems)
			}
			return nil
		})
	}
}

// serveInstances shows operators the state of the instances.
func (b *backends) serveInstances(w http.ResponseWriter, _ *http.Request) {
	all := map[string][]lookup.InstanceStats{}
	for prefix, c := range b.clients {
		all[prefix] = c.Stats()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // the operator may be gone
}

func (b *backends) close() {
	for _, c := range b.clients {
		c.Close()
	}
	_ = b.peer.Close() // it has no listeners
}
