package lookup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/backoff"
)

// A Dialer opens sessions; a peer is one.
type Dialer interface {
	Dial(addr string, protoFunc ...erpc.ProtoFunc) (erpc.Session, *erpc.Status)
}

// Options configures a [Client]. The zero value works.
type Options struct {
	Picker Picker `yaml:"-" ini:"-"` // nil means [LeastLoaded]
	// Zone is the zone of this program: as long as an instance in this zone can be
	// used, only instances there get calls. "" means no zone.
	Zone string `yaml:"zone" ini:"zone" comment:"Zone of this program, whose instances get the calls while one of them can be used"`
	// Attempts is the maximum number of instances that a call is tried with; it is
	// only retried if it was not executed. 0 means 3.
	Attempts int `yaml:"attempts" ini:"attempts" comment:"Instances that a call is tried with at most which was not executed by those before; 0 is 3"`
	// Safe reports whether a method may be executed twice. Calls of these methods
	// are retried after any connection failure, and hedged.
	Safe func(serviceMethod string) bool `yaml:"-" ini:"-"`
	// HedgeAfter is how long a call of a Safe method waits for its reply before it
	// is also sent to another instance. 0 means never.
	HedgeAfter time.Duration `yaml:"hedge_after" ini:"hedge_after" comment:"How long a call of a safe method waits until it is also sent to another instance; 0s is never"`
	// Failures is how many failures in a row eject an instance: 0 means 5, below 0
	// never. Ejection is how long the first ejection lasts; 0 means 10 s. Each
	// further ejection lasts twice as long.
	Failures int           `yaml:"failures" ini:"failures" comment:"Failures in a row that eject an instance; 0 is 5, below 0 none do"`
	Ejection time.Duration `yaml:"ejection" ini:"ejection" comment:"How long it is ejected, twice as long each time after that; 0s is 10s"`
	// Panic is the share of instances that may be ejected. If more are ejected,
	// all get calls, because the cause is probably not the instances. 0 means 0.5.
	Panic float64 `yaml:"panic" ini:"panic" comment:"Share of instances that may be ejected; if more are, all get calls; 0 is 0.5"`
	// Protos are the protocols of the sessions; none means those of the peer.
	Protos []erpc.ProtoFunc `yaml:"-" ini:"-"`
	// OnError, if not nil, is called with errors of the resolver.
	OnError func(error) `yaml:"-" ini:"-"`
}

func (o *Options) setDefaults() {
	if o.Picker == nil {
		o.Picker = LeastLoaded()
	}
	if o.Attempts <= 0 {
		o.Attempts = 3
	}
	if o.Safe == nil {
		o.Safe = func(string) bool { return false }
	}
	if o.Failures == 0 {
		o.Failures = 5
	}
	if o.Ejection <= 0 {
		o.Ejection = 10 * time.Second
	}
	if o.Panic <= 0 {
		o.Panic = 0.5
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
}

// A Client calls a service. It is an [erpc.Caller], and opens streams, as a session
// does. All methods may be called concurrently.
type Client struct {
	dialer Dialer
	from   Resolver
	opt    Options

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	known chan struct{} // closed once targets is known

	mu      sync.Mutex // guards the following
	targets []*target  // sorted by address
	failed  error      // why the resolver has not answered yet
	pending int        // asynchronous calls that wait for a session
}

var _ erpc.Caller = (*Client)(nil)

// New returns a client and starts resolving. Close the client when it is no
// longer needed.
func New(dialer Dialer, from Resolver, opt Options) *Client {
	opt.setDefaults()
	c := &Client{dialer: dialer, from: from, opt: opt, known: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.resolve)
	return c
}

// Close ends the sessions and the calls that wait on them.
func (c *Client) Close() {
	c.cancel()
	c.wg.Wait()
	c.mu.Lock()
	targets := c.targets
	c.targets = nil
	c.mu.Unlock()
	for _, t := range targets {
		t.close()
	}
}

// resolve keeps the set of targets up to date.
func (c *Client) resolve() {
	pause := backoff.Backoff{First: 100 * time.Millisecond, Max: 10 * time.Second}
	first := true
	for c.ctx.Err() == nil {
		set, err := c.from.Resolve(c.ctx)
		if err != nil {
			c.opt.OnError(err)
			c.mu.Lock()
			c.failed = err
			c.mu.Unlock()
			if !backoff.Sleep(c.ctx, max(pause.Next(), time.Millisecond)) {
				return
			}
			continue
		}
		pause = backoff.Backoff{First: pause.First, Max: pause.Max}
		c.update(set.Instances)
		if first {
			close(c.known)
			first = false
		}
		var again <-chan time.Time
		if set.Again > 0 {
			again = time.After(set.Again)
		}
		select {
		case <-c.ctx.Done():
		case <-set.Changed:
		case <-again:
		}
	}
}

// update sets the targets to the instances of a set. A target that is gone
// keeps its session until its calls have ended.
func (c *Client) update(set []Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		t.gone = true
	}
	for _, x := range set {
		i := slices.IndexFunc(c.targets, func(t *target) bool { return t.address == x.Address })
		if i < 0 {
			c.targets = append(c.targets, &target{address: x.Address})
			i = len(c.targets) - 1
		}
		c.targets[i].gone = false
		c.targets[i].inst.Store(&x)
	}
	slices.SortFunc(c.targets, byAddress)
	c.sweepLocked()
}

// sweepLocked removes the targets that are gone and have no calls.
func (c *Client) sweepLocked() {
	c.targets = slices.DeleteFunc(c.targets, func(t *target) bool {
		over := t.gone && t.InFlight() == 0
		if over {
			t.close()
		}
		return over
	})
}

var (
	errNone   = errors.New("lookup: no instance of the service is known")
	errClosed = errors.New("lookup: the client is closed")
)

// MaxWait is how long a call waits for the first answer of the resolver.
const MaxWait = 10 * time.Second

// awaitAnswer returns when the targets are known, or the client is closed.
func (c *Client) awaitAnswer(ctx context.Context) *erpc.Status {
	select {
	case <-c.known:
		return nil
	default: // not known yet: only the first calls need a timer
	}
	timer := time.NewTimer(MaxWait)
	defer timer.Stop()
	select {
	case <-c.known:
	case <-c.ctx.Done():
	case <-ctx.Done():
		return contextStatus(ctx)
	case <-timer.C:
		c.mu.Lock()
		defer c.mu.Unlock()
		return erpc.NewStatus(erpc.CodeDialFailed, erpc.CodeText(erpc.CodeDialFailed), fmt.Errorf("lookup: the resolver has not answered for %v: %w", MaxWait, cmp.Or(c.failed, errNone)))
	}
	return nil
}

// acquire picks a target, if possible one that is not in tried, and counts a
// call for it. It waits for the first answer of the resolver for at most
// [MaxWait].
func (c *Client) acquire(ctx context.Context, tried []*target) (*target, *erpc.Status) {
	if st := c.awaitAnswer(ctx); !st.OK() {
		return nil, st
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, erpc.NewStatus(erpc.CodeWrongConn, erpc.CodeText(erpc.CodeWrongConn), errClosed)
	}
	found := c.candidatesLocked(tried)
	if len(found) == 0 {
		return nil, erpc.NewStatus(erpc.CodeDialFailed, erpc.CodeText(erpc.CodeDialFailed), errNone)
	}
	candidates := make([]Candidate, len(found))
	for i, t := range found {
		candidates[i] = t
	}
	t := found[c.opt.Picker.Pick(candidates, keyFrom(ctx))]
	t.inFlight.Add(1)
	return t, nil
}

// candidatesLocked returns the targets that may get a call: the first of these
// groups that is not empty.
func (c *Client) candidatesLocked(tried []*target) []*target {
	now := time.Now()
	known := slices.DeleteFunc(slices.Clone(c.targets), func(t *target) bool { return t.gone })
	out := 0
	for _, t := range known {
		if !t.health.usable(now) {
			out++
		}
	}
	panicking := float64(out) > c.opt.Panic*float64(len(known))
	fresh := func(t *target) bool { return !slices.Contains(tried, t) }
	staying := func(t *target) bool { return !t.Instance().Draining }
	fit := func(t *target) bool { return panicking || t.health.state != ejected }
	ready := (*target).connected
	near := func(t *target) bool { return c.opt.Zone == "" || t.Instance().Zone == c.opt.Zone }
	for _, wanted := range [][]func(*target) bool{
		{fresh, staying, fit, ready, near},
		{fresh, staying, fit, ready},
		{fresh, fit, ready},
		{fresh, staying},
		{fresh},
		{},
	} {
		found := slices.DeleteFunc(slices.Clone(known), func(t *target) bool {
			return slices.ContainsFunc(wanted, func(is func(*target) bool) bool { return !is(t) })
		})
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// release ends a call of acquire and records its outcome.
func (c *Client) release(t *target, st *erpc.Status) { c.settleUp(t, st, c.opt.Failures) }

// releaseUnreached is release for an instance that could not be dialed. One
// failure ejects it, because each attempt may delay a call.
func (c *Client) releaseUnreached(t *target, st *erpc.Status) { c.settleUp(t, st, 1) }

func (c *Client) settleUp(t *target, st *erpc.Status, failures int) {
	t.inFlight.Add(-1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.Code() != erpc.CodeCanceled && c.opt.Failures > 0 {
		t.health.note(!failure(st), time.Now(), failures, c.opt.Ejection)
	}
	if t.gone {
		c.sweepLocked()
	}
}

// failure reports whether a status counts as a failure of the instance. An
// error of the application does not count.
func failure(st *erpc.Status) bool {
	switch st.Code() {
	case erpc.CodeHandleTimeout, erpc.CodeExhausted, erpc.CodeShuttingDown, erpc.CodeBadGateway:
		return true
	}
	return erpc.IsConnError(st)
}

// An InstanceStats holds what a client knows about one instance.
type InstanceStats struct {
	Instance
	InFlight  int
	Connected bool   // a session is connected now
	Health    string // healthy, ejected or probing
}

// Stats returns what is known about the instances, sorted by address.
func (c *Client) Stats() (all []InstanceStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		if t.gone {
			continue
		}
		t.mu.Lock()
		connected := t.sess != nil && t.sess.Connected()
		t.mu.Unlock()
		t.health.usable(time.Now())
		all = append(all, InstanceStats{t.Instance(), t.InFlight(), connected, t.health.state.String()})
	}
	return all
}
