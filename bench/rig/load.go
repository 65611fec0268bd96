package rig

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Result is what a client process reports of one run.
type Result struct {
	Calls   uint64  `json:"calls"`   // ended while the clock ran
	Total   uint64  `json:"total"`   // with those that ended after it: what Usage is about
	Seconds float64 `json:"seconds"` // that the clock ran
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	P999    float64 `json:"p999_us"`
	Max     float64 `json:"max_us"`
	Joined  uint64  `json:"joined"` // sessions that came and went while the clock ran
	Errors  uint64  `json:"errors"`
	Error   string  `json:"error,omitempty"` // the first one
	Usage   Usage   `json:"usage"`
}

// histograms is how many the callers share: enough that two of them rarely
// meet in one, few enough that they stay in the cache.
const histograms = 16

// A tally is what one caller counts; padded, so that no two share a cache line.
type tally struct {
	calls atomic.Uint64
	max   time.Duration
	_     [48]byte
}

// load runs each caller in a goroutine for about d: in a closed loop if rate is
// 0, else in an open loop in which all of them make rate calls a second. The
// time of a call counts from the moment for which it was scheduled, which in a
// closed loop is the end of the caller's last call. All goroutines are ready
// before the clock runs.
func load(callers []func() error, rate float64, d time.Duration) (Result, error) {
	var (
		hist    [histograms]Histogram
		tallies = make([]tally, len(callers))
		first   atomic.Pointer[error]
		errs    atomic.Uint64
		stop    atomic.Bool
		start   = make(chan struct{})
		ended   sync.WaitGroup
		base    time.Time // written before start is closed
	)
	for i, call := range callers {
		ended.Go(func() {
			h, t := &hist[i%histograms], &tallies[i]
			plan := newSchedule(len(callers), rate)
			<-start
			for began := time.Since(base); !stop.Load(); {
				if rate > 0 {
					began = plan.next
					plan.step()
					if began >= d {
						return
					}
					time.Sleep(began - time.Since(base))
				}
				err := call()
				now := time.Since(base)
				took := now - began
				began = now
				if err != nil {
					errs.Add(1)
					first.CompareAndSwap(nil, new(err)) // not &err, which would cost each call an allocation
					time.Sleep(time.Millisecond)        // a dead connection fails fast; don't spin on it
					continue
				}
				h.Record(took)
				t.max = max(t.max, took)
				t.calls.Store(t.calls.Load() + 1) // the only writer
			}
		})
	}
	mark, err := ReadUsage()
	if err != nil {
		return Result{}, err
	}
	base = time.Now()
	close(start)
	time.Sleep(d)
	var r Result
	r.Seconds = time.Since(base).Seconds()
	for i := range tallies {
		r.Calls += tallies[i].calls.Load()
	}
	stop.Store(true)
	if !waitFor(&ended, drainTime) {
		return r, fmt.Errorf("rig: calls did not return within %v of the end", drainTime)
	}
	used, err := ReadUsage()
	if err != nil {
		return r, err
	}
	r.Usage = used.Since(mark)
	var longest time.Duration
	for i := range tallies {
		r.Total += tallies[i].calls.Load()
		longest = max(longest, tallies[i].max)
	}
	for i := 1; i < histograms; i++ {
		hist[0].Merge(&hist[i])
	}
	r.P50, r.P99, r.P999 = micros(hist[0].Quantile(0.5)), micros(hist[0].Quantile(0.99)), micros(hist[0].Quantile(0.999))
	r.Max = micros(longest)
	r.Errors = errs.Load()
	if e := first.Load(); e != nil {
		r.Error = (*e).Error()
	}
	return r, nil
}

// drainTime bounds the wait for the last calls of a run.
const drainTime = 20 * time.Second

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// waitFor reports whether wg was done within d.
func waitFor(wg *sync.WaitGroup, d time.Duration) bool {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
