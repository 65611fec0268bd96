package retry

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// ErrOpen is the cause of the status of calls that an open breaker refused. The
// code is CodeExhausted; the calls were not executed.
var ErrOpen = errors.New("retry: the circuit breaker is open; the target has failed too often")

// BreakerConfig says when a breaker opens. The zero value works.
type BreakerConfig struct {
	Window   time.Duration `yaml:"window" ini:"window" comment:"Time in which failures are counted; 0s is 10s"`
	MinCalls int           `yaml:"min_calls" ini:"min_calls" comment:"Fewer calls in that time open nothing; 0 is 20"`
	Failures float64       `yaml:"failures" ini:"failures" comment:"Share of failed calls that opens it; 0 is 0.5"`
	Cooldown time.Duration `yaml:"cooldown" ini:"cooldown" comment:"Time until the target is tried again; 0s is 5s"`
	Probes   int           `yaml:"probes" ini:"probes" comment:"Calls that must succeed then for it to close; 0 is 1"`
	// ProbeTimeout is the time after which a probe that has not ended is ignored,
	// and another call may probe.
	ProbeTimeout time.Duration `yaml:"probe_timeout" ini:"probe_timeout" comment:"After what time another call is let through if those before have not ended; 0s is cooldown"`
	// IsFailure reports whether a status counts as a failure of the target. By
	// default these are connection errors, timeouts, and statuses that say that
	// the target is overloaded, shutting down or unreachable. An error of the
	// application does not count.
	IsFailure func(*erpc.Status) bool `yaml:"-" ini:"-"`
}

// Validate returns the error in the configuration, if any.
func (c BreakerConfig) Validate() error {
	if c.Window < 0 || c.MinCalls < 0 || c.Failures < 0 || c.Failures > 1 || c.Cooldown < 0 || c.Probes < 0 || c.ProbeTimeout < 0 {
		return fmt.Errorf("retry: the breaker's window %v, min_calls %d, cooldown %v, probes %d and probe_timeout %v must not be below 0, and failures %v must be from 0 to 1",
			c.Window, c.MinCalls, c.Cooldown, c.Probes, c.ProbeTimeout, c.Failures)
	}
	return nil
}

func (c *BreakerConfig) setDefaults() {
	c.Window = or(c.Window, 10*time.Second)
	c.MinCalls = or(c.MinCalls, 20)
	c.Failures = or(c.Failures, 0.5)
	c.Cooldown = or(c.Cooldown, 5*time.Second)
	c.Probes = or(c.Probes, 1)
	c.ProbeTimeout = or(c.ProbeTimeout, c.Cooldown)
	if c.IsFailure == nil {
		c.IsFailure = isFailure
	}
}

func isFailure(st *erpc.Status) bool {
	switch st.Code() {
	case erpc.CodeHandleTimeout, erpc.CodeExhausted, erpc.CodeShuttingDown, erpc.CodeBadGateway:
		return true
	}
	return erpc.IsConnError(st)
}

// slots is the number of parts of the window, which expire one at a time.
const slots = 10

// A Breaker watches one target. All methods may be called concurrently.
type Breaker struct {
	cfg   BreakerConfig
	clock func() time.Duration // monotonic, so that changes of the system time have no effect

	mu      sync.Mutex // guards the following
	state   State
	entered time.Duration // when state was, on clock
	round   int           // number of state changes; calls that began in an earlier round are ignored
	probing int           // in HalfOpen: probes in flight
	probed  time.Duration // in HalfOpen: when the last probe began
	passed  int           // in HalfOpen: probes that succeeded
	slot    int64         // number of the current slot of the window
	calls   [slots]int
	failed  [slots]int
}

// NewBreaker returns a closed breaker. With [Config.Breaker], each target has
// one; use NewBreaker directly for calls that are not retried.
func NewBreaker(cfg BreakerConfig) *Breaker {
	cfg.setDefaults()
	begin := time.Now()
	return &Breaker{cfg: cfg, clock: func() time.Duration { return time.Since(begin) }}
}

// State returns the state of the breaker.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tickLocked(b.clock())
	return b.state
}

// Allow asks for permission to make a call. If st is OK, the caller must call
// done with the status of the call; further calls of done do nothing.
func (b *Breaker) Allow() (done func(*erpc.Status), st *erpc.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	b.tickLocked(now)
	switch b.state {
	case Open:
		return nil, refused()
	case HalfOpen:
		if b.probing+b.passed >= b.cfg.Probes {
			return nil, refused()
		}
		b.probing++
		b.probed = now
	}
	round := b.round
	var once sync.Once
	return func(st *erpc.Status) {
		once.Do(func() { b.done(round, b.cfg.IsFailure(st), st.Code() == erpc.CodeCanceled) })
	}, nil
}

func refused() *erpc.Status {
	return erpc.NewStatus(erpc.CodeExhausted, "Circuit Breaker Open", ErrOpen)
}

// done counts the end of a call. A cancelled call is not counted, because it
// says nothing about the target.
func (b *Breaker) done(round int, failed, canceled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	b.tickLocked(now)
	switch {
	case round != b.round:
	case b.state == HalfOpen:
		b.probeDoneLocked(now, failed, canceled)
	case !canceled:
		b.callDoneLocked(now, failed)
	}
}

// probeDoneLocked is done in the state HalfOpen.
func (b *Breaker) probeDoneLocked(now time.Duration, failed, canceled bool) {
	b.probing--
	switch {
	case canceled:
	case failed:
		b.enterLocked(Open, now)
	default:
		b.passed++
		if b.passed >= b.cfg.Probes {
			b.enterLocked(Closed, now)
		}
	}
}

// callDoneLocked is done in the state Closed.
func (b *Breaker) callDoneLocked(now time.Duration, failed bool) {
	i := b.slot % slots
	b.calls[i]++
	if failed {
		b.failed[i]++
	}
	calls, failures := 0, 0
	for i := range slots {
		calls, failures = calls+b.calls[i], failures+b.failed[i]
	}
	if failed && calls >= b.cfg.MinCalls && float64(failures) >= b.cfg.Failures*float64(calls) {
		b.enterLocked(Open, now)
	}
}

func (b *Breaker) enterLocked(s State, now time.Duration) {
	if !b.state.mayBecome(s) {
		panic(fmt.Sprintf("retry: a breaker that is %v became %v", b.state, s)) // a bug in this file
	}
	b.state, b.entered = s, now
	b.round++
	b.probing, b.passed = 0, 0
	b.calls, b.failed = [slots]int{}, [slots]int{}
}

// tickLocked makes the state changes that are due at time now.
func (b *Breaker) tickLocked(now time.Duration) {
	switch {
	case b.state == Open && now-b.entered >= b.cfg.Cooldown:
		b.enterLocked(HalfOpen, now)
	case b.state == HalfOpen && b.probing > 0 && now-b.probed >= b.cfg.ProbeTimeout:
		b.enterLocked(HalfOpen, now) // forget the probes that may never end
	}
	slot := int64(now / max(1, b.cfg.Window/slots))
	for n := 0; b.slot < slot && n < slots; n++ {
		b.slot++
		b.calls[b.slot%slots], b.failed[b.slot%slots] = 0, 0
	}
	b.slot = max(b.slot, slot)
}
