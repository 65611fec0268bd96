// Package health says whether a peer should get calls: to other peers by a CALL of
// /erpc.health/check, and to load balancers and Kubernetes by HTTP.
//
//	h := health.New()
//	peer := erpc.NewPeer(cfg, h)
//	h.Add("database", db.Ping)
//	http.Handle("/live", h.Live())
//	http.Handle("/ready", h.Ready())
//
// A peer is ready while it listens and no check fails. Shutdown and Close make it
// not ready before anything else.
package health

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// Method is the service method of the check.
const Method = "/erpc.health/check"

// Report is the answer.
type Report struct {
	Ready bool `json:"ready"`
	// Problems are the checks that fail, and why.
	Problems map[string]string `json:"problems,omitempty"`
}

// Health is the plugin of one peer. All methods may be called concurrently.
type Health struct {
	mu     sync.Mutex // guards the following
	peer   erpc.EarlyPeer
	checks map[string]*check
}

// A check runs at most once at a time, and not more often than checkEvery, however
// often it is asked for.
type check struct {
	f func(context.Context) error

	turn chan struct{} // has room for one: whoever put it there may use the following
	last time.Time
	err  error
}

// How long a check may take, and how long its result is good for.
const (
	checkLimit = 2 * time.Second
	checkEvery = time.Second
)

var _ erpc.PostNewPeerPlugin = (*Health)(nil)

// New returns the plugin.
func New() *Health { return &Health{checks: map[string]*check{}} }

// Name implements [erpc.Plugin].
func (*Health) Name() string { return "health" }

// PostNewPeer implements [erpc.PostNewPeerPlugin]: it registers the handler.
func (h *Health) PostNewPeer(p erpc.EarlyPeer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peer != nil {
		return fmt.Errorf("health: one Health can't be a plugin of two peers; call New for each")
	}
	h.peer = p
	erpc.HandleCall(p, Method, func(ctx context.Context, _ *struct{}) (*Report, error) {
		r := h.Check(ctx)
		return &r, nil
	})
	return nil
}

// Add adds a check, or replaces that of the same name. It gets a context with a
// deadline, with which it must end, and its result is good for a second.
func (h *Health) Add(name string, f func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = &check{f: f, turn: make(chan struct{}, 1)}
}

// Check looks at everything.
func (h *Health) Check(ctx context.Context) Report {
	h.mu.Lock()
	checks := maps.Clone(h.checks)
	peer := h.peer
	h.mu.Unlock()
	problems := map[string]string{}
	if peer == nil || len(peer.Listeners()) == 0 {
		problems["peer"] = "it does not listen"
	}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name].run(ctx); err != nil {
			problems[name] = err.Error()
		}
	}
	if len(problems) > 0 {
		return Report{Problems: problems}
	}
	return Report{Ready: true}
}

func (c *check) run(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.last.IsZero() || time.Since(c.last) >= checkEvery {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit) // the result is for others, too
		c.err = c.f(ctx)
		cancel()
		c.last = time.Now()
	}
	return c.err
}

// Live is for the question whether to start the process again: it answers 200 as
// long as the process answers.
func (h *Health) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, Report{Ready: true}) })
}

// Ready is for the question whether to send anybody here: 200, or 503 with what is
// wrong.
func (h *Health) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := h.Check(r.Context())
		code := http.StatusOK
		if !report.Ready {
			code = http.StatusServiceUnavailable
		}
		answer(w, code, report)
	})
}

func answer(w http.ResponseWriter, code int, r Report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(r) // fails only when the client is gone
}
