package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// benchOptions holds the flags of bench.
type benchOptions struct {
	conns, workers, total int
	duration, warmup      time.Duration
	rate                  float64
	broadcast             broadcastOptions
}

func benchFlags(o *options, fs *flag.FlagSet) {
	bodyFlags(o, fs)
	formatFlags(o, fs)
	fs.IntVar(&o.bench.conns, "conns", 1, "connections")
	fs.IntVar(&o.bench.workers, "c", 16, "calls at the same time, over all connections")
	fs.IntVar(&o.bench.total, "n", 0, "calls to make; 0 is as many as -duration allows")
	fs.DurationVar(&o.bench.duration, "duration", 10*time.Second, "time to run for")
	fs.DurationVar(&o.bench.warmup, "warmup", 0, "time to run before calls are counted")
	fs.Float64Var(&o.bench.rate, "rate", 0, "calls per second, begun on a schedule that does not wait for answers; 0 is as fast as answers arrive")
	broadcastFlags(o, fs)
}

func (b *benchOptions) check() error {
	if b.broadcast.subscribers < 0 || b.broadcast.subscribers == 0 && b.broadcast != (broadcastOptions{}) {
		return usagef("-subscribers must be positive; -join, -on and -push need it")
	}
	if b.warmup < 0 || b.warmup > 0 && (b.total > 0 || b.broadcast.subscribers > 0) {
		return usagef("-warmup must not be negative, and can't be used with -n or -subscribers")
	}
	if b.conns < 1 || b.workers < 1 || b.total < 0 || b.duration <= 0 || b.rate < 0 {
		return usagef("-conns, -c and -duration must be positive, -n and -rate not negative")
	}
	if b.conns > b.workers {
		return usagef("-conns %d is more than -c %d, so some connections would have no calls; raise -c", b.conns, b.workers)
	}
	return nil
}

// A bench is one measurement, shared by its workers.
type bench struct {
	o     *options
	r     *request
	sess  []erpc.Session
	start time.Time
	count time.Time // when counting begins
	end   time.Time
	next  atomic.Int64 // number of the next call

	// The following are for the progress line.
	made   atomic.Int64
	failed atomic.Int64
}

// A tally holds what one worker has measured.
type tally struct {
	latency histogram
	lag     time.Duration // longest delay of the beginning of a call
	codes   map[int32]int // of failed calls
}

// runBench measures calls and prints a report.
func runBench(ctx context.Context, o *options, args []string) error {
	if err := o.bench.check(); err != nil {
		return err
	}
	if len(args) < 2 {
		return usagef("bench takes TARGET METHOD [JSON]")
	}
	arg, err := o.argument(args[2:]) // check it before connecting
	if err != nil {
		return err
	}
	var hear func(erpc.Peer)
	var to *audience
	if o.bench.broadcast.subscribers > 0 {
		to = &audience{o: o}
		hear = func(p erpc.Peer) { p.SetUnknownPush(to.push, ordered) }
	}
	d, err := o.dialer(args[0], hear)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // an error does not change the outcome
	b := &bench{o: o}
	for range o.bench.conns {
		sess, err := d.dial(ctx)
		if err != nil {
			return err
		}
		b.sess = append(b.sess, sess)
	}
	short, cancel := context.WithTimeout(ctx, o.timeout)
	b.r, err = o.prepare(short, b.sess[0], args[1], arg)
	cancel()
	if err != nil {
		return err
	}
	if to != nil {
		if err := to.gather(ctx, d); err != nil {
			return err
		}
		return to.report(b, to.measure(ctx, b))
	}
	return b.report(b.measure(ctx))
}

// measure runs the workers and sums up their tallies.
func (b *bench) measure(ctx context.Context) (sum tally, took time.Duration) {
	b.start = time.Now()
	b.count = b.start.Add(b.o.bench.warmup)
	b.end = b.count.Add(b.o.bench.duration)
	defer b.o.progress(b.line)()
	tallies := make([]tally, b.o.bench.workers)
	var wg sync.WaitGroup
	for i := range tallies {
		wg.Go(func() { b.work(ctx, b.sess[i%len(b.sess)], &tallies[i]) })
	}
	wg.Wait()
	took = time.Since(b.count)
	sum.codes = map[int32]int{}
	for i := range tallies {
		sum.latency.merge(&tallies[i].latency)
		sum.lag = max(sum.lag, tallies[i].lag)
		for code, n := range tallies[i].codes {
			sum.codes[code] += n
		}
	}
	return sum, took
}

// work makes calls until all calls are made or the time is over.
func (b *bench) work(ctx context.Context, sess erpc.Session, t *tally) {
	t.codes = map[int32]int{}
	for ctx.Err() == nil {
		n := b.next.Add(1) - 1
		if b.o.bench.total > 0 && n >= int64(b.o.bench.total) {
			return
		}
		begin, ok := b.wait(ctx, n)
		if !ok {
			return
		}
		counted := !begin.Before(b.count)
		if counted {
			t.lag = max(t.lag, time.Since(begin))
		}
		var body []byte
		callCtx, cancel := context.WithTimeout(ctx, b.o.timeout)
		st := sess.Call(b.r.method, b.r.argOf(), &body, append(b.o.settings(callCtx), b.r.set...)...).Status()
		cancel()
		if ctx.Err() != nil {
			return // interrupted: don't count the call
		}
		b.made.Add(1)
		lost := !sess.Health()
		if counted || lost {
			t.latency.add(time.Since(begin))
			if !st.OK() {
				b.failed.Add(1)
				t.codes[st.Code()]++
			}
		}
		if lost {
			return
		}
	}
}

// line returns the progress line.
func (b *bench) line(elapsed time.Duration) string {
	made := b.made.Load()
	text := fmt.Sprintf("%d calls, %.0f a second, %d failed", made, float64(made)/elapsed.Seconds(), b.failed.Load())
	if left := b.o.bench.warmup + b.o.bench.duration - elapsed; left > 0 {
		text += fmt.Sprintf(", at most %v left", left.Round(time.Second))
	}
	return text
}

// wait waits until call n should begin and returns its begin. With a rate that
// is the scheduled time, so that the latencies of delayed calls show a slow
// server. It returns false when the time is over.
func (b *bench) wait(ctx context.Context, n int64) (time.Time, bool) {
	if b.o.bench.rate == 0 {
		now := time.Now()
		return now, now.Before(b.end)
	}
	at := b.start.Add(time.Duration(float64(n) / b.o.bench.rate * float64(time.Second)))
	if !at.Before(b.end) {
		return at, false
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return at, true
	case <-ctx.Done():
		return at, false
	}
}

// A report is what bench prints with -o json. Times are in nanoseconds.
type report struct {
	Calls   uint64         `json:"calls"`  // for a broadcast, pushes that arrived
	Errors  map[string]int `json:"errors"` // by code
	Seconds float64        `json:"seconds"`
	Rate    float64        `json:"rate"` // calls per second
	Mean    time.Duration  `json:"mean"`
	P50     time.Duration  `json:"p50"`
	P90     time.Duration  `json:"p90"`
	P99     time.Duration  `json:"p99"`
	P999    time.Duration  `json:"p999"`
	Max     time.Duration  `json:"max"`
	Lag     time.Duration  `json:"lag"` // longest delay of the beginning of a call
	Buckets []bar          `json:"histogram"`
}

// A bar is a bucket of the histogram.
type bar struct {
	UpTo  time.Duration `json:"upTo"`
	Calls uint64        `json:"calls"`
}

func (b *bench) report(t tally, took time.Duration) error {
	if t.latency.count == 0 {
		return usagef("no call has ended in time; raise -duration or the rate")
	}
	r := reportOf(t, took)
	if b.o.format == "json" {
		return b.o.line(r)
	}
	fmt.Fprintf(b.o.std.out, "%d calls in %.2fs, %.0f a second\n", r.Calls, r.Seconds, r.Rate)
	return b.details(t, r)
}

// reportOf makes the report of a tally.
func reportOf(t tally, took time.Duration) report {
	h := &t.latency
	r := report{
		Calls: h.count, Errors: map[string]int{}, Seconds: took.Seconds(), Rate: float64(h.count) / took.Seconds(),
		Mean: h.mean(), P50: h.quantile(0.5), P90: h.quantile(0.9), P99: h.quantile(0.99), P999: h.quantile(0.999), Max: h.max,
		Lag: t.lag, Buckets: bars(h),
	}
	for code, n := range t.codes {
		r.Errors[fmt.Sprint(code)] = n
	}
	return r
}

// details prints the latencies and the errors.
func (b *bench) details(t tally, r report) error {
	w := b.o.std.out
	fmt.Fprintf(w, "mean %v  p50 %v  p90 %v  p99 %v  p99.9 %v  max %v\n", short(r.Mean), short(r.P50), short(r.P90), short(r.P99), short(r.P999), short(r.Max))
	if b.o.bench.rate > 0 {
		fmt.Fprintf(w, "times count from the schedule; a call began at most %v late\n", short(r.Lag))
	}
	for _, code := range slices.Sorted(maps.Keys(t.codes)) {
		fmt.Fprintf(w, "status %d %s: %d\n", code, erpc.CodeText(code), t.codes[code])
	}
	for _, bar := range r.Buckets {
		if _, err := fmt.Fprintf(w, "%10v  %8d  %s\n", short(bar.UpTo), bar.Calls, strings.Repeat("#", int(bar.Calls*40/r.Calls))); err != nil {
			return err
		}
	}
	return nil
}

// bars merges the buckets of a histogram by powers of two, and drops empty ones
// at the ends.
func bars(h *histogram) (all []bar) {
	for i, n := range h.buckets {
		if n == 0 {
			continue
		}
		upTo := upper(i | (1<<subBits - 1))
		if len(all) > 0 && all[len(all)-1].UpTo == upTo {
			all[len(all)-1].Calls += n
			continue
		}
		all = append(all, bar{upTo, n})
	}
	return all
}

// short rounds a time for display.
func short(d time.Duration) time.Duration {
	for unit := time.Duration(10); ; unit *= 10 {
		if d < 100*unit {
			return d.Round(unit / 10)
		}
	}
}
