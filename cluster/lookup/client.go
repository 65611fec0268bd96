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

// Options configure a [Client]. The zero value works.
type Options struct {
	Picker Picker // nil is [LeastLoaded]
	// Zone is that of this program: instances there get the calls while one of them
	// can be used. "" is none.
	Zone string
	// Attempts is with how many instances a call is tried at most that was not
	// executed by those before. 0 is 3.
	Attempts int
	// Safe says which methods may be executed twice: their calls are tried again
	// after any failure of the connection, and hedged.
	Safe func(serviceMethod string) bool
	// HedgeAfter is how long a call of a Safe method waits for its reply before it
	// is also sent to another instance. 0 means never.
	HedgeAfter time.Duration
	// Failures in a row eject an instance for Ejection, and twice as long each time
	// after that. 0 is 5; below 0 nothing does. 0 is 10 s.
	Failures int
	Ejection time.Duration
	// Panic is the share of instances that may be ejected: if more are, all get
	// calls, because it is not they who fail. 0 is 0.5.
	Panic float64
	// Protos are those of the sessions; none are those of the peer.
	Protos []erpc.ProtoFunc
	// OnError, if not nil, gets errors of the resolver.
	OnError func(error)
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

	known chan struct{} // closed when targets is known

	mu      sync.Mutex // guards the following
	targets []*target  // sorted by address
	failed  error      // why the resolver has not answered yet
	pending int        // asynchronous calls that wait for a session
}

var _ erpc.Caller = (*Client)(nil)

// New returns a client and begins to resolve. Close ends it.
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

// update makes the targets those of a set. One that is gone keeps its session until
// its calls have ended.
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
	default: // only the first calls need a timer
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

// acquire picks a target that is not among those tried, if it can, and counts a
// call for it. It waits for the first answer of the resolver, no longer than
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

// candidatesLocked returns who may get a call: the first of these groups that has
// anybody.
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

// release counts a call off and notes how it went.
func (c *Client) release(t *target, st *erpc.Status) { c.settleUp(t, st, c.opt.Failures) }

// releaseUnreached is release for an instance that could not be dialed: once is
// enough, as each attempt may hold up a call.
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

// failure reports whether a status speaks against the instance. An error of the
// application is an answer.
func failure(st *erpc.Status) bool {
	switch st.Code() {
	case erpc.CodeHandleTimeout, erpc.CodeExhausted, erpc.CodeShuttingDown, erpc.CodeBadGateway:
		return true
	}
	return erpc.IsConnError(st)
}

// An InstanceStats is what a client knows of one instance.
type InstanceStats struct {
	Instance
	InFlight  int
	Connected bool   // a session is connected now
	Health    string // healthy, ejected or probing
}

// Stats returns what is known of the instances, sorted by address.
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
