// Package health reports whether a peer should get calls. Other peers ask with
// a CALL to /erpc.health/check, load balancers and Kubernetes over HTTP.
//
//	h := health.New()
//	peer := erpc.NewPeer(cfg, h)
//	h.Add("database", db.Ping)
//	http.Handle("/live", h.Live())
//	http.Handle("/ready", h.Ready())
//
// A peer is ready while it listens and no check fails. Shutdown and Close make it
// not ready before anything else. For a peer without listeners of its own, which
// only dials or is reached through an HTTP server of the program, set
// [Health.NoListener].
//
// Everyone who can reach the peer may ask. The answer names the failing checks.
// Their errors are logged; the answer has them only with [Health.Detail].
package health

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// Method is the service method of the check.
const Method = "/erpc.health/check"

// Report is the answer to a check.
type Report struct {
	Ready bool `json:"ready"`
	// Problems maps the failing checks to their errors. Except in the result of
	// [Health.Check], the errors are only included with [Health.Detail].
	Problems map[string]string `json:"problems,omitempty"`
}

// Health is the plugin of one peer. All methods may be called concurrently.
type Health struct {
	// Detail includes the errors of failing checks in answers. It must be set
	// before the peer is made.
	Detail bool
	// NoListener is for a peer that does not listen: it is ready from the start, if
	// no check fails, until Shutdown or Close. It must be set before the peer is
	// made.
	NoListener bool

	stopped atomic.Bool // by Shutdown or Close of the peer

	mu     sync.Mutex // guards the following
	peer   erpc.EarlyPeer
	checks map[string]*check
}

// A check runs at most once at a time, and at most once per checkEvery, however
// often it is requested.
type check struct {
	f func(context.Context) error

	turn chan struct{} // capacity 1, used as a lock for the following
	last time.Time
	err  error // of the last run
}

// How long a check may take, and how long its result is reused.
const (
	checkLimit = 2 * time.Second
	checkEvery = time.Second
)

// Problems of the peer itself.
const (
	notListening = "it does not listen"
	stopping     = "it is closed or shutting down"
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
		return fmt.Errorf("health: one Health can't serve two peers; call New for each")
	}
	h.peer = p
	p.OnClose(func() { h.stopped.Store(true) })
	erpc.HandleCall(p, Method, func(ctx context.Context, _ *struct{}) (*Report, error) {
		r := h.told(ctx)
		return &r, nil
	})
	return nil
}

// Add adds a check, or replaces the one of the same name. f must return when
// its context ends, which has a deadline. The result is reused for a second. The
// peer's own problems have the name peer, and take precedence over a check's.
func (h *Health) Add(name string, f func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = &check{f: f, turn: make(chan struct{}, 1)}
}

// told is Check for other peers and HTTP clients: it leaves out the errors
// unless Detail is set.
func (h *Health) told(ctx context.Context) Report {
	r := h.Check(ctx)
	if !h.Detail {
		for name, why := range r.Problems {
			if why != notListening && why != stopping {
				r.Problems[name] = "it fails"
			}
		}
	}
	return r
}

// Check runs all checks and reports the problems.
func (h *Health) Check(ctx context.Context) Report {
	h.mu.Lock()
	checks := maps.Clone(h.checks)
	peer := h.peer
	h.mu.Unlock()
	problems := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		changed, err := checks[name].run(ctx)
		if err != nil {
			problems[name] = err.Error()
		}
		if changed && peer != nil {
			logChange(peer.Config().Logger, name, err)
		}
	}
	switch { // last: no check hides these
	case h.stopped.Load():
		problems["peer"] = stopping
	case peer == nil || !h.NoListener && len(peer.Listeners()) == 0:
		problems["peer"] = notListening
	}
	if len(problems) > 0 {
		return Report{Problems: problems}
	}
	return Report{Ready: true}
}

// logChange logs that a check fails, or passes again.
func logChange(log *slog.Logger, name string, err error) {
	if err != nil {
		log.Warn("health: a check fails", "check", name, "err", err)
		return
	}
	log.Info("health: a check passes again", "check", name)
}

// run returns the result of the check, and whether that has just changed between
// passing and failing.
func (c *check) run(ctx context.Context) (changed bool, err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if c.last.IsZero() || time.Since(c.last) >= checkEvery {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit) // others share the result, so the caller's end must not cancel the check
		failed := c.err != nil
		c.err = c.f(ctx)
		cancel()
		changed = failed != (c.err != nil)
		c.last = time.Now()
	}
	return changed, c.err
}

// Live returns a handler for liveness probes, which decide whether to restart
// the process. It always answers 200.
func (h *Health) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, Report{Ready: true}) })
}

// Ready returns a handler for readiness probes, which decide whether to send
// traffic here. It answers 200, or 503 with the problems.
func (h *Health) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := h.told(r.Context())
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
