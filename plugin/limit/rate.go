package limit

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// Per says what has a rate of its own.
type Per string

// Values of [Rate].Per.
const (
	PerSession  Per = "session"  // each session
	PerIP       Per = "ip"       // each remote address; for IPv6 each /64 network
	PerIdentity Per = "identity" // each identity of package auth; a session without one counts by its address
)

// A Rate limits calls and pushes per second, separately for each session,
// address or identity.
type Rate struct {
	Per   Per     `yaml:"per" ini:"per" comment:"What has a rate of its own: session, ip or identity; empty is session"`
	Limit float64 `yaml:"limit" ini:"limit" comment:"Calls and pushes in a second"`
	Burst int     `yaml:"burst" ini:"burst" comment:"Calls and pushes that may come at once; 0 is those of a second, at least 1"`
	// MaxKeys bounds how many addresses or identities have their own rate at the
	// same time. Further ones share one rate.
	MaxKeys int `yaml:"max_keys" ini:"max_keys" comment:"Addresses or identities with a rate of their own at the same time; 0 is 100000"`
}

// DefaultMaxKeys is [Rate].MaxKeys if that is 0.
const DefaultMaxKeys = 100_000

// Validate returns the error in the configuration, if any.
func (r Rate) Validate() error {
	switch r.Per {
	case "", PerSession, PerIP, PerIdentity:
	default:
		return fmt.Errorf("limit: a rate per %q is unknown; use %s, %s or %s", r.Per, PerSession, PerIP, PerIdentity)
	}
	if !(r.Limit > 0) || math.IsInf(r.Limit, 0) || r.Burst < 0 || r.MaxKeys < 0 {
		return fmt.Errorf("limit: a rate of %v per second with a burst of %d for %d keys is invalid; the rate must be above 0, the others must not be below 0", r.Limit, r.Burst, r.MaxKeys)
	}
	return nil
}

// ErrRate is the cause of the status CodeExhausted of a call above the rate. It
// was not executed.
var ErrRate = errors.New("limit: overflow: calls and pushes come too fast; this one was not executed")

// Rater is the plugin that [NewRate] returns, for a peer, a group or a route. All
// methods may be called concurrently.
type Rater struct {
	cfg     Rate
	keyed   *limiters // nil for PerSession
	refused atomic.Uint64
}

var (
	_ erpc.PreReadCallBodyPlugin = (*Rater)(nil)
	_ erpc.PreReadPushBodyPlugin = (*Rater)(nil)
)

// NewRate returns the plugin. All handlers that have it share its rates. It
// panics if the configuration is invalid.
func NewRate(cfg Rate) *Rater {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Per == "" {
		cfg.Per = PerSession
	}
	if cfg.Burst == 0 {
		cfg.Burst = int(min(math.Ceil(cfg.Limit), math.MaxInt32))
	}
	if cfg.MaxKeys == 0 {
		cfg.MaxKeys = DefaultMaxKeys
	}
	r := &Rater{cfg: cfg}
	if cfg.Per != PerSession {
		r.keyed = newLimiters(cfg.MaxKeys, r.newLimiter)
	}
	return r
}

func (r *Rater) newLimiter() *limiter {
	return newLimiter(rate.Limit(r.cfg.Limit), r.cfg.Burst)
}

// Name returns the name of the plugin. It contains the rate, so that several of
// these plugins can be told apart.
func (r *Rater) Name() string {
	return fmt.Sprintf("limit-rate(%s,%v,%d)", r.cfg.Per, r.cfg.Limit, r.cfg.Burst)
}

// Refused returns how many calls and pushes were refused.
func (r *Rater) Refused() uint64 { return r.refused.Load() }

// PreReadCallBody refuses a call above the rate.
func (r *Rater) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return r.take(ctx) }

// PreReadPushBody drops a push above the rate.
func (r *Rater) PreReadPushBody(ctx erpc.ReadCtx) *erpc.Status { return r.take(ctx) }

func (r *Rater) take(ctx erpc.ReadCtx) *erpc.Status {
	if ctx.ServiceMethod() == heartbeat.ServiceMethod || r.limiter(ctx).take() {
		return nil
	}
	r.refused.Add(1)
	return erpc.Refusal(erpc.NewStatusByCodeText(erpc.CodeExhausted, ErrRate, false))
}

// rateKey is the key of a session's limiter in its store.
type rateKey struct{ r *Rater }

func (r *Rater) limiter(ctx erpc.ReadCtx) *limiter {
	sess := ctx.Session()
	switch r.cfg.Per {
	case PerSession:
		key := rateKey{r}
		v, ok := sess.Swap().Load(key)
		if !ok {
			v, _ = sess.Swap().LoadOrStore(key, r.newLimiter())
		}
		return v.(*limiter)
	case PerIdentity:
		if id := auth.IdentityOf(sess); id != nil {
			return r.keyed.of("identity " + id.Name)
		}
	}
	return r.keyed.of(network(sess.RemoteAddr()))
}
