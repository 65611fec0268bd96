package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// A Caller is a target of calls: a session, a pool of them, another [Caller]. It
// must be safe for concurrent use.
type Caller interface {
	Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd
}

// Config says how calls are made again. The zero value works.
type Config struct {
	Attempts   int           `yaml:"attempts" ini:"attempts" comment:"How often a call is made at most; 0 is 3, 1 never again"`
	Backoff    time.Duration `yaml:"backoff" ini:"backoff" comment:"Longest wait before the second attempt; it doubles with each; 0s is 50ms"`
	MaxBackoff time.Duration `yaml:"max_backoff" ini:"max_backoff" comment:"Longest wait of all; 0s is 2s"`
	// Budget is how many retries there may be for each call, in the long run;
	// BudgetBurst is how many may come at once.
	Budget      float64 `yaml:"budget" ini:"budget" comment:"Retries for each call in the long run; 0 is 0.1, below 0 no limit"`
	BudgetBurst int     `yaml:"budget_burst" ini:"budget_burst" comment:"Retries that may come at once; 0 is 10"`
	// Retryable, if not nil, may allow more: it is asked about failed calls
	// that may have been executed. It is for methods that may be repeated.
	Retryable func(serviceMethod string, st *erpc.Status) bool `yaml:"-" ini:"-"`
	// Breaker is for each target on its own; nil: there is none.
	Breaker *BreakerConfig `yaml:"breaker" ini:"-"`
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

// Retry is the plugin. It may be given to several peers. All methods may be
// called concurrently.
type Retry struct {
	cfg     Config
	budget  budget
	retries atomic.Uint64
	denied  atomic.Uint64
}

var (
	_ erpc.PreWriteCallPlugin  = (*Retry)(nil)
	_ erpc.PostWriteCallPlugin = (*Retry)(nil)
)

// New returns the plugin.
func New(cfg Config) *Retry {
	cfg.setDefaults()
	r := &Retry{cfg: cfg}
	r.budget.init(cfg.Budget, float64(cfg.BudgetBurst))
	return r
}

// Name returns the name of the plugin.
func (*Retry) Name() string { return "retry" }

// progress is how far an attempt has come. Only the goroutine that makes the
// call uses it.
type progress struct{ tried, sent bool }

type progressKey struct{}

func progressOf(ctx erpc.WriteCtx) *progress {
	p, _ := ctx.Output().Context().Value(progressKey{}).(*progress)
	return p
}

// PreWriteCall notes that it will be known whether the call was sent.
func (*Retry) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if p := progressOf(ctx); p != nil {
		p.tried = true
	}
	return nil
}

// PostWriteCall notes that the call was sent.
func (*Retry) PostWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if p := progressOf(ctx); p != nil {
		p.sent = true
	}
	return nil
}

// Stats counts what a Retry did.
type Stats struct {
	Retries uint64 // attempts after the first
	Denied  uint64 // retries that would have been safe, but that the budget had no room for
}

// Stats returns the counters.
func (r *Retry) Stats() Stats { return Stats{r.retries.Load(), r.denied.Load()} }

// A Target makes calls to one Caller, or to one that is chosen for each attempt.
type Target struct {
	r       *Retry
	pick    func() Caller
	breaker *Breaker // nil: none
}

// On returns the target to.
func (r *Retry) On(to Caller) *Target { return r.OnAny(func() Caller { return to }) }

// OnAny returns a target that is chosen by pick, for each attempt anew, such as
// the next of several backends. They share a breaker.
func (r *Retry) OnAny(pick func() Caller) *Target {
	t := &Target{r: r, pick: pick}
	if r.cfg.Breaker != nil {
		t.breaker = NewBreaker(*r.cfg.Breaker)
	}
	return t
}

// Breaker returns the breaker of the target, nil if there is none.
func (t *Target) Breaker() *Breaker { return t.breaker }

// Call is that of a session. The command is that of the last attempt.
func (t *Target) Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd {
	r := t.r
	r.budget.earn()
	ctx := erpc.NewMessage(setting...).Context()
	for attempt := 1; ; attempt++ {
		var p progress
		cmd := t.once(ctx, &p, serviceMethod, arg, result, setting)
		st := cmd.Status()
		if st.OK() || attempt >= r.cfg.Attempts || ctx.Err() != nil || !t.safe(serviceMethod, st, p) {
			return cmd
		}
		if !r.wait(ctx, attempt) {
			return cmd
		}
		r.retries.Add(1)
	}
}

func (t *Target) once(ctx context.Context, p *progress, method string, arg, result any, setting []erpc.MessageSetting) erpc.CallCmd {
	done := func(*erpc.Status) {}
	if t.breaker != nil {
		var st *erpc.Status
		if done, st = t.breaker.Allow(); !st.OK() {
			return erpc.NewFakeCallCmd(method, arg, result, st)
		}
	}
	returned := false
	defer func() {
		if !returned { // a panic of the target
			done(erpc.NewStatusByCodeText(erpc.CodeInternalServerError, nil, false))
		}
	}()
	marked := append(setting[:len(setting):len(setting)], erpc.WithContext(context.WithValue(ctx, progressKey{}, p)))
	cmd := t.pick().Call(method, arg, result, marked...)
	st := cmd.Status()
	returned = true
	done(st)
	return cmd
}

// safe reports whether a call that ended with st can't have been executed, or
// may be repeated all the same.
func (t *Target) safe(method string, st *erpc.Status, p progress) bool {
	switch st.Code() {
	case erpc.CodeShuttingDown:
		return true
	case erpc.CodeExhausted:
		return !errors.Is(st.Cause(), ErrOpen) // which stays so for longer than a retry waits
	case erpc.CodeDialFailed:
		if !p.sent {
			return true
		}
	case erpc.CodeConnClosed:
		if p.tried && !p.sent {
			return true
		}
	}
	return t.r.cfg.Retryable != nil && t.r.cfg.Retryable(method, st)
}

// wait takes a retry from the budget and waits for its time. It reports whether
// the retry may be made.
func (r *Retry) wait(ctx context.Context, attempt int) bool {
	bound := r.cfg.MaxBackoff
	if shift := attempt - 1; shift < 32 && r.cfg.Backoff<<shift>>shift == r.cfg.Backoff {
		bound = min(bound, r.cfg.Backoff<<shift)
	}
	d := rand.N(bound + 1)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	if !r.budget.spend() {
		r.denied.Add(1)
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
