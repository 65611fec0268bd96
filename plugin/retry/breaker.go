package retry

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// ErrOpen is the cause of the status of calls that a breaker did not let pass.
// Its code is CodeExhausted, as they were not executed.
var ErrOpen = errors.New("retry: the circuit breaker is open; the target has failed too often")

// BreakerConfig says when a breaker opens. The zero value works.
type BreakerConfig struct {
	Window   time.Duration `yaml:"window" ini:"window" comment:"Time in which failures are counted; 0s is 10s"`
	MinCalls int           `yaml:"min_calls" ini:"min_calls" comment:"Fewer calls in that time open nothing; 0 is 20"`
	Failures float64       `yaml:"failures" ini:"failures" comment:"Share of failed calls that opens it; 0 is 0.5"`
	Cooldown time.Duration `yaml:"cooldown" ini:"cooldown" comment:"Time until the target is tried again; 0s is 5s"`
	Probes   int           `yaml:"probes" ini:"probes" comment:"Calls that must succeed then for it to close; 0 is 1"`
	// ProbeTimeout is after what time a probe that has not ended counts no more,
	// and another call may try.
	ProbeTimeout time.Duration `yaml:"probe_timeout" ini:"probe_timeout" comment:"After what time another call is let pass if those before have not ended; 0s is cooldown"`
	// IsFailure says which statuses speak against the target. By default they
	// are those of the connection, timeouts, and what says that it has too much
	// to do, is going away or can't be reached. An answer that is an error of
	// the application is an answer.
	IsFailure func(*erpc.Status) bool `yaml:"-" ini:"-"`
}

// Validate returns what is wrong with the configuration.
func (c BreakerConfig) Validate() error {
	if c.Window < 0 || c.MinCalls < 0 || c.Failures < 0 || c.Failures > 1 || c.Cooldown < 0 || c.Probes < 0 || c.ProbeTimeout < 0 {
		return fmt.Errorf("retry: the breaker's window %v, min_calls %d, cooldown %v, probes %d and probe_timeout %v must not be below 0, and failures %v must lie from 0 to 1",
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

// slots is how many parts the window has; the oldest part is forgotten at once.
const slots = 10

// A Breaker watches one target. All methods may be called concurrently.
type Breaker struct {
	cfg   BreakerConfig
	clock func() time.Duration // monotonic: a change of the system's time neither opens nor closes it

	mu      sync.Mutex // guards the following
	state   State
	entered time.Duration // when state was, on clock
	round   int           // counts the states; what began in another one says nothing
	probing int           // of HalfOpen: calls under way
	probed  time.Duration // of HalfOpen: when the last of them began
	passed  int           // of HalfOpen: calls that succeeded
	slot    int64         // number of the current slot of the window
	calls   [slots]int
	failed  [slots]int
}

// NewBreaker returns a breaker that is closed. [Config.Breaker] makes one for
// each target; on its own it is for calls that are not retried.
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

// Allow asks to make a call. If the status is OK, done must be called with that
// of the call; a second time it does nothing.
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

// done counts the end of a call. A cancelled one says nothing about the target.
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
		panic(fmt.Sprintf("retry: a breaker that is %v became %v", b.state, s)) // a mistake in this file
	}
	b.state, b.entered = s, now
	b.round++
	b.probing, b.passed = 0, 0
	b.calls, b.failed = [slots]int{}, [slots]int{}
}

// tickLocked does what is due by now.
func (b *Breaker) tickLocked(now time.Duration) {
	switch {
	case b.state == Open && now-b.entered >= b.cfg.Cooldown:
		b.enterLocked(HalfOpen, now)
	case b.state == HalfOpen && b.probing > 0 && now-b.probed >= b.cfg.ProbeTimeout:
		b.enterLocked(HalfOpen, now) // without those that may never end
	}
	slot := int64(now / max(1, b.cfg.Window/slots))
	for n := 0; b.slot < slot && n < slots; n++ {
		b.slot++
		b.calls[b.slot%slots], b.failed[b.slot%slots] = 0, 0
	}
	b.slot = max(b.slot, slot)
}
