package retry

import (
	"errors"
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
	// IsFailure says which statuses speak against the target. By default they
	// are those of the connection, timeouts, and what says that it has too much
	// to do, is going away or can't be reached. An answer that is an error of
	// the application is an answer.
	IsFailure func(*erpc.Status) bool `yaml:"-" ini:"-"`
}

func (c *BreakerConfig) setDefaults() {
	c.Window = or(c.Window, 10*time.Second)
	c.MinCalls = or(c.MinCalls, 20)
	c.Failures = or(c.Failures, 0.5)
	c.Cooldown = or(c.Cooldown, 5*time.Second)
	c.Probes = or(c.Probes, 1)
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

// A State is what a breaker does with calls.
type State int

// The states of a breaker.
const (
	Closed   State = iota // it lets them pass
	Open                  // it lets none pass
	HalfOpen              // it lets a few pass, to see how they fare
)

// String returns the name of the state.
func (s State) String() string { return [...]string{"closed", "open", "half-open"}[s] }

// slots is how many parts the window has; the oldest part is forgotten at once.
const slots = 10

// A Breaker watches one target. All methods may be called concurrently.
type Breaker struct {
	cfg BreakerConfig

	mu      sync.Mutex // guards the following
	state   State
	since   time.Time // of Open
	round   int       // counts the states; what began in another one says nothing
	probing int       // of HalfOpen: calls under way
	passed  int       // of HalfOpen: calls that succeeded
	slot    int64     // number of the current slot of the window
	calls   [slots]int
	failed  [slots]int
}

// NewBreaker returns a breaker that is closed. [Config.Breaker] makes one for
// each target; on its own it is for calls that are not retried.
func NewBreaker(cfg BreakerConfig) *Breaker {
	cfg.setDefaults()
	return &Breaker{cfg: cfg}
}

// State returns the state of the breaker.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tick(time.Now())
	return b.state
}

// Allow asks to make a call. If the status is OK, done must be called with that
// of the call.
func (b *Breaker) Allow() (done func(*erpc.Status), st *erpc.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tick(time.Now())
	switch b.state {
	case Open:
		return nil, refused()
	case HalfOpen:
		if b.probing+b.passed >= b.cfg.Probes {
			return nil, refused()
		}
		b.probing++
	}
	round := b.round
	return func(st *erpc.Status) { b.done(round, b.cfg.IsFailure(st), st.Code() == erpc.CodeCanceled) }, nil
}

func refused() *erpc.Status {
	return erpc.NewStatus(erpc.CodeExhausted, "Circuit Breaker Open", ErrOpen)
}

// done counts the end of a call. A cancelled one says nothing about the target.
func (b *Breaker) done(round int, failed, cancelled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tick(now)
	if round != b.round {
		return
	}
	if b.state == HalfOpen {
		b.probing--
		switch {
		case cancelled:
		case failed:
			b.enter(Open, now)
		default:
			if b.passed++; b.passed >= b.cfg.Probes {
				b.enter(Closed, now)
			}
		}
		return
	}
	if cancelled {
		return
	}
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
		b.enter(Open, now)
	}
}

func (b *Breaker) enter(s State, now time.Time) {
	b.state, b.since = s, now
	b.round++
	b.probing, b.passed = 0, 0
	b.calls, b.failed = [slots]int{}, [slots]int{}
}

// tick brings the breaker up to date.
func (b *Breaker) tick(now time.Time) {
	if b.state == Open && now.Sub(b.since) >= b.cfg.Cooldown {
		b.enter(HalfOpen, now)
	}
	slot := now.UnixNano() / max(1, int64(b.cfg.Window)/slots)
	for n := 0; b.slot < slot && n < slots; n++ {
		b.slot++
		b.calls[b.slot%slots], b.failed[b.slot%slots] = 0, 0
	}
	b.slot = max(b.slot, slot)
}
