package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A ledger accounts for every call. All methods may be called concurrently.
type ledger struct {
	begin time.Time

	started, succeeded, failed atomic.Int64
	pushed, pushFailed         atomic.Int64
	received, broadcast        atomic.Int64 // pushes at the server; deliveries of broadcasts at clients
	cuts, restarts             atomic.Int64

	mu       sync.Mutex        // guards the following
	executed map[uint64]int    // how often the server ran the call
	ended    map[uint64]int    // how often the caller learned of its end
	codes    map[int32]int     // of failed calls
	seconds  [][]time.Duration // latencies of successful calls, by the second of their end
	wrong    []string          // replies that did not match their call
}

func newLedger() *ledger {
	return &ledger{begin: time.Now(), executed: map[uint64]int{}, ended: map[uint64]int{}, codes: map[int32]int{}}
}

// ran records that the server executes the call.
func (l *ledger) ran(id uint64) {
	l.mu.Lock()
	l.executed[id]++
	l.mu.Unlock()
}

// end records the end of a call.
func (l *ledger) end(id uint64, code int32, reply uint64, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended[id]++
	if code != 0 {
		l.failed.Add(1)
		l.codes[code]++
		return
	}
	l.succeeded.Add(1)
	if reply != id {
		l.wrong = append(l.wrong, fmt.Sprintf("call %d was answered %d", id, reply))
	}
	second := int(time.Since(l.begin) / time.Second)
	for len(l.seconds) <= second {
		l.seconds = append(l.seconds, nil)
	}
	l.seconds[second] = append(l.seconds[second], took)
}

// check returns an error for everything that does not balance.
func (l *ledger) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if s, e := l.started.Load(), l.succeeded.Load()+l.failed.Load(); s != e {
		errs = append(errs, fmt.Errorf("%d calls were started, %d ended", s, e))
	}
	for id, n := range l.ended {
		if n != 1 {
			errs = append(errs, fmt.Errorf("call %d ended %d times", id, n))
		}
	}
	for id, n := range l.executed {
		if n != 1 {
			errs = append(errs, fmt.Errorf("call %d was executed %d times", id, n))
		}
		if l.ended[id] == 0 {
			errs = append(errs, fmt.Errorf("call %d was executed and never ended", id))
		}
	}
	if r, p := l.received.Load(), l.pushed.Load(); r > p {
		errs = append(errs, fmt.Errorf("%d pushes were received, %d sent", r, p))
	}
	for _, w := range l.wrong {
		errs = append(errs, errors.New(w))
	}
	if l.succeeded.Load() == 0 {
		errs = append(errs, errors.New("no call succeeded"))
	}
	if len(errs) > 10 {
		errs = append(errs[:10], fmt.Errorf("and %d more", len(errs)-10))
	}
	return errors.Join(errs...)
}

// String formats the ledger as text.
func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "calls      started %d = succeeded %d + failed %d\n", l.started.Load(), l.succeeded.Load(), l.failed.Load())
	codes := make([]int32, 0, len(l.codes))
	for c := range l.codes {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	for _, c := range codes {
		fmt.Fprintf(&b, "           status %d: %d\n", c, l.codes[c])
	}
	fmt.Fprintf(&b, "pushes     sent %d, received %d, refused %d\n", l.pushed.Load(), l.received.Load(), l.pushFailed.Load())
	fmt.Fprintf(&b, "broadcasts delivered %d\n", l.broadcast.Load())
	fmt.Fprintf(&b, "faults     %d connections cut, %d restarts\n", l.cuts.Load(), l.restarts.Load())
	all := slices.Concat(l.seconds...)
	slices.Sort(all)
	for _, p := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		fmt.Fprintf(&b, "latency    %5.1f %%: %v\n", p*100, percentile(all, p).Round(time.Microsecond))
	}
	return b.String()
}

// percentile returns the p-th percentile of sorted.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(float64(len(sorted))*p), len(sorted)-1)]
}
