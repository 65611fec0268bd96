package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// broadcastOptions holds the flags of bench for broadcasts.
type broadcastOptions struct {
	subscribers int
	join, on    string
	push        bool
}

func broadcastFlags(o *options, fs *flag.FlagSet) {
	b := &o.bench.broadcast
	fs.IntVar(&b.subscribers, "subscribers", 0, "measure a broadcast: this many sessions wait for the push that each call causes")
	fs.StringVar(&b.join, "join", "", "with -subscribers: call `METHOD=JSON` on each of these first")
	fs.StringVar(&b.on, "on", "", "with -subscribers: only count pushes to this `method`; default all")
	fs.BoolVar(&b.push, "push", false, "with -subscribers: push to the method instead of calling it")
}

// An audience holds the sessions that receive the broadcasts. Each gets one
// push per broadcast, in order, so the n-th push belongs to the n-th broadcast.
type audience struct {
	o *options

	mu      sync.Mutex // guards the following
	rounds  []*round
	arrived tally
	extra   int // pushes that arrived before a broadcast could cause them
}

// A round is one broadcast.
type round struct {
	begin time.Time
	left  int           // subscribers that it has not reached yet
	done  chan struct{} // closed when it has reached all of them
}

// A subscriber is one session of the audience.
type subscriber struct{ rounds int } // rounds that have reached it; guarded by the audience's mutex

type subscriberKey struct{}

// gather dials the subscribers.
func (a *audience) gather(ctx context.Context, d *dialer) error {
	join, err := joinOf(a.o.bench.broadcast.join)
	if err != nil {
		return err
	}
	for range a.o.bench.broadcast.subscribers {
		sess, err := d.dial(ctx)
		if err != nil {
			return err
		}
		if err := a.o.join(ctx, sess, join); err != nil {
			return err
		}
		sess.Swap().Store(subscriberKey{}, new(subscriber))
	}
	return nil
}

// push is the handler of all pushes.
func (a *audience) push(ctx erpc.UnknownPushCtx) *erpc.Status {
	now := time.Now()
	v, _ := ctx.Session().Swap().Load(subscriberKey{})
	sub, ok := v.(*subscriber)
	if on := a.o.bench.broadcast.on; !ok || on != "" && on != ctx.ServiceMethod() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if sub.rounds == len(a.rounds) {
		a.extra++
		return nil
	}
	r := a.rounds[sub.rounds]
	sub.rounds++
	a.arrived.latency.add(now.Sub(r.begin))
	r.left--
	if r.left == 0 {
		close(r.done)
	}
	return nil
}

// begin adds a broadcast that is about to be made.
func (a *audience) begin(at time.Time) *round {
	r := &round{begin: at, left: a.o.bench.broadcast.subscribers, done: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rounds = append(a.rounds, r)
	return r
}

// measure makes one broadcast after another, each when all subscribers have
// received the last one, or on the schedule of -rate. It returns how long that
// took.
func (a *audience) measure(ctx context.Context, b *bench) time.Duration {
	b.start = time.Now()
	b.end = b.start.Add(a.o.bench.duration)
	defer a.o.progress(b.line)()
	a.arrived.codes = map[int32]int{}
	var last *round
	for n := int64(0); ctx.Err() == nil && (a.o.bench.total == 0 || n < int64(a.o.bench.total)); n++ {
		begin, ok := b.wait(ctx, n)
		if !ok {
			break
		}
		a.arrived.lag = max(a.arrived.lag, time.Since(begin))
		r := a.begin(begin)
		st := a.cause(ctx, b)
		b.made.Add(1)
		if !st.OK() {
			b.failed.Add(1)
			a.arrived.codes[st.Code()]++
			a.drop(r)
			if erpc.IsConnError(st) {
				break
			}
			continue
		}
		last = r
		if a.o.bench.rate == 0 && !a.reached(ctx, r) {
			break // pushes of a later broadcast would be counted for this one
		}
	}
	if last != nil {
		a.reached(ctx, last)
	}
	return time.Since(b.start)
}

// cause makes the call or push that causes a broadcast.
func (a *audience) cause(ctx context.Context, b *bench) *erpc.Status {
	ctx, cancel := context.WithTimeout(ctx, a.o.timeout)
	defer cancel()
	set := append(a.o.settings(ctx), b.r.set...)
	if a.o.bench.broadcast.push {
		return b.sess[0].Push(b.r.method, b.r.argOf(), set...)
	}
	var body []byte
	return b.sess[0].Call(b.r.method, b.r.argOf(), &body, set...).Status()
}

// drop removes a broadcast that failed and so reached no subscriber.
func (a *audience) drop(r *round) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.rounds) > 0 && a.rounds[len(a.rounds)-1] == r && r.left == a.o.bench.broadcast.subscribers {
		a.rounds = a.rounds[:len(a.rounds)-1]
	}
}

// reached waits until a broadcast has reached all subscribers, at most
// -timeout.
func (a *audience) reached(ctx context.Context, r *round) bool {
	timer := time.NewTimer(a.o.timeout)
	defer timer.Stop()
	select {
	case <-r.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// A broadcastReport is what bench prints with -subscribers and -o json.
type broadcastReport struct {
	report
	Broadcasts  int `json:"broadcasts"`
	Subscribers int `json:"subscribers"`
	Lost        int `json:"lost"`  // pushes that did not arrive in time
	Extra       int `json:"extra"` // pushes that this program's broadcasts did not cause
}

func (a *audience) report(b *bench, took time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := broadcastReport{Broadcasts: len(a.rounds), Subscribers: a.o.bench.broadcast.subscribers, Extra: a.extra}
	for _, x := range a.rounds {
		r.Lost += x.left
	}
	if a.arrived.latency.count == 0 {
		return usagef("no push has arrived; check that %s pushes to sessions that have made the call of -join", b.r.method)
	}
	r.report = reportOf(a.arrived, took)
	if a.o.format == "json" {
		return a.o.line(r)
	}
	w := a.o.std.out
	fmt.Fprintf(w, "%d broadcasts to %d sessions in %.2fs, %.0f pushes a second\n", r.Broadcasts, r.Subscribers, r.Seconds, r.Rate)
	if r.Lost > 0 || r.Extra > 0 {
		fmt.Fprintf(w, "%d pushes did not arrive, and %d arrived that this command did not cause\n", r.Lost, r.Extra)
	}
	return b.details(a.arrived, r.report)
}
