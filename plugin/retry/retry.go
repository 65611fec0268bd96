package retry

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/plugin/internal/turn"
)

// A Caller makes calls: a session, a pool of sessions, or a [Target]. It must
// be safe for concurrent use.
type Caller interface {
	Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd
}

// Config says how calls are retried. The zero value works.
type Config struct {
	Attempts   int           `yaml:"attempts" ini:"attempts" comment:"How often a call is made at most; 0 is 3, 1 never again"`
	Backoff    time.Duration `yaml:"backoff" ini:"backoff" comment:"Longest wait before the second attempt; it doubles with each; 0s is 50ms"`
	MaxBackoff time.Duration `yaml:"max_backoff" ini:"max_backoff" comment:"Longest wait of all; 0s is 2s"`
	// Budget is how many retries are allowed per call in the long run; BudgetBurst
	// is how many are allowed at once.
	Budget      float64 `yaml:"budget" ini:"budget" comment:"Retries for each call in the long run; 0 is 0.1, below 0 no limit"`
	BudgetBurst int     `yaml:"budget_burst" ini:"budget_burst" comment:"Retries that may come at once; 0 is 10"`
	// Retryable, if not nil, reports whether to retry a failed call that may have
	// been executed. Use it for idempotent methods.
	Retryable func(serviceMethod string, st *erpc.Status) bool `yaml:"-" ini:"-"`
	// Breaker configures the breaker of each target; nil means none.
	Breaker *BreakerConfig `yaml:"breaker" ini:"breaker" comment:"Gives a target that keeps failing a rest; leave it out for none"`
}

// Validate returns the error in the configuration, if any.
func (c Config) Validate() error {
	if c.Attempts < 0 || c.Backoff < 0 || c.MaxBackoff < 0 || c.BudgetBurst < 0 {
		return fmt.Errorf("retry: attempts %d, backoff %v, max_backoff %v and budget_burst %d must not be below 0",
			c.Attempts, c.Backoff, c.MaxBackoff, c.BudgetBurst)
	}
	if c.Breaker != nil {
		return c.Breaker.Validate()
	}
	return nil
}

func (c *Config) setDefaults() {
	c.Attempts = or(c.Attempts, 3)
	c.Backoff = or(c.Backoff, 50*time.Millisecond)
	c.MaxBackoff = or(c.MaxBackoff, 2*time.Second)
	c.Budget = or(c.Budget, 0.1)
	c.BudgetBurst = or(c.BudgetBurst, 10)
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Retry retries calls. All methods may be called concurrently.
//
// It is also a plugin, which makes NewPeer fail if the configuration is
// invalid. It works on the sessions of any peer, with or without the plugin.
type Retry struct {
	cfg     Config
	mistake error
	budget  budget
	retries atomic.Uint64
	denied  atomic.Uint64
}

var _ erpc.PreNewPeerPlugin = (*Retry)(nil)

// New returns a Retry. If the configuration is invalid, it never retries, and
// making a peer with it fails.
func New(cfg Config) *Retry {
	r := &Retry{mistake: cfg.Validate()}
	if r.mistake != nil {
		cfg = Config{Attempts: 1}
	}
	cfg.setDefaults()
	r.cfg = cfg
	r.budget.init(cfg.Budget, float64(cfg.BudgetBurst))
	return r
}

// Name returns the name of the plugin.
func (*Retry) Name() string { return "retry" }

// PreNewPeer returns the error in the configuration, if any.
func (r *Retry) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return r.mistake }

// Stats holds the counters of a Retry.
type Stats struct {
	Retries uint64 // attempts after the first
	Denied  uint64 // safe retries that the budget did not allow
}

// Stats returns the counters.
func (r *Retry) Stats() Stats { return Stats{r.retries.Load(), r.denied.Load()} }

// A Target makes calls through one Caller, or one chosen for each attempt.
type Target struct {
	r       *Retry
	pick    func() Caller
	breaker *Breaker // nil: none
}

// On returns a target that calls through to.
func (r *Retry) On(to Caller) *Target { return r.OnAny(func() Caller { return to }) }

// OnAny returns a target whose Caller pick chooses for each attempt, such as
// [RoundRobin] over several backends. They share a breaker. pick must not
// return nil.
func (r *Retry) OnAny(pick func() Caller) *Target {
	t := &Target{r: r, pick: pick}
	if r.cfg.Breaker != nil {
		t.breaker = NewBreaker(*r.cfg.Breaker)
	}
	return t
}

// Breaker returns the breaker of the target, or nil if there is none.
func (t *Target) Breaker() *Breaker { return t.breaker }

// Call is like a session's Call. It returns the command of the last attempt.
func (t *Target) Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd {
	r := t.r
	r.budget.earn()
	ctx := erpc.NewMessage(setting...).Context()
	waits := backoff.Backoff{First: r.cfg.Backoff, Max: r.cfg.MaxBackoff}
	waits.Next() // the first attempt does not wait
	for {
		cmd := t.once(serviceMethod, arg, result, setting)
		st := cmd.Status()
		if st.OK() || waits.Attempts() >= r.cfg.Attempts || ctx.Err() != nil || !t.repeatable(serviceMethod, cmd, st) {
			return cmd
		}
		if !r.wait(ctx, &waits) {
			return cmd
		}
		r.retries.Add(1)
	}
}

func (t *Target) once(method string, arg, result any, setting []erpc.MessageSetting) erpc.CallCmd {
	if t.breaker == nil {
		return t.pick().Call(method, arg, result, setting...)
	}
	done, st := t.breaker.Allow()
	if !st.OK() {
		return erpc.NewUnsentCallCmd(method, arg, result, st)
	}
	outcome := canceled // kept if the call panics, which says nothing about the target
	defer func() { done(outcome) }()
	cmd := t.pick().Call(method, arg, result, setting...)
	outcome = cmd.Status()
	return cmd
}

// RoundRobin returns a function for [Retry.OnAny] that uses the callers in
// turn. As long as another caller can be used, it skips those that can't be
// used right now, such as a session that redials. It asks the caller's method
// Connected, or else Health, which sessions have; a caller with neither method
// can always be used. RoundRobin panics if there are no callers.
func RoundRobin(callers ...Caller) func() Caller {
	if len(callers) == 0 {
		panic("retry: RoundRobin needs a caller to choose")
	}
	var next atomic.Uint64
	return func() Caller { return turn.From(callers, next.Add(1)-1) }
}

var canceled = erpc.NewStatusByCodeText(erpc.CodeCanceled, nil, false)

// repeatable reports whether a failed call may be retried: because it was
// certainly not executed, for a reason that may pass, or because Retryable
// allows it.
func (t *Target) repeatable(method string, cmd erpc.CallCmd, st *erpc.Status) bool {
	if errors.Is(st.Cause(), ErrOpen) {
		return false // it lasts longer than a retry waits
	}
	if passing(st) && (!cmd.Sent() || erpc.NotExecuted(st)) {
		return true
	}
	return t.r.cfg.Retryable != nil && t.r.cfg.Retryable(method, st)
}

// passing reports whether a call that was not executed may succeed a little
// later, or with another target.
func passing(st *erpc.Status) bool {
	switch st.Code() {
	case erpc.CodeShuttingDown, erpc.CodeExhausted, erpc.CodeDialFailed, erpc.CodeConnClosed:
		return true
	}
	return false
}

// wait takes a retry from the budget and waits for its backoff. It reports
// whether to retry.
func (r *Retry) wait(ctx context.Context, b *backoff.Backoff) bool {
	d := b.Next()
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	if !r.budget.spend() {
		r.denied.Add(1)
		return false
	}
	return backoff.Sleep(ctx, d)
}
