package stats

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of the buckets of a histogram. There is one more
// bucket for what took longer.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

type histogram struct {
	sum     atomic.Int64 // nanoseconds
	buckets [len(bounds) + 1]atomic.Uint64
}

func (h *histogram) observe(d time.Duration) {
	h.sum.Add(int64(d))
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
}

// A Bucket counts what took longer than the bound of the bucket before it, and
// no longer than its own.
type Bucket struct {
	Bound time.Duration // of the last it is 0, for no bound
	Count uint64
}

// A Histogram is how long calls took.
type Histogram struct {
	Count   uint64
	Sum     time.Duration
	Buckets []Bucket
}

func (h *histogram) snapshot() Histogram {
	s := Histogram{Sum: time.Duration(h.sum.Load()), Buckets: make([]Bucket, len(h.buckets))}
	for i := range h.buckets {
		b := Bucket{Count: h.buckets[i].Load()}
		if i < len(bounds) {
			b.Bound = bounds[i]
		}
		s.Buckets[i] = b
		s.Count += b.Count
	}
	return s
}

// Quantile returns the bound of the bucket that the share q of all is in or
// below: 0.99 for the 99th percentile. It is 0 of no calls; of what took longer
// than any bound, it is the last bound.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := q * float64(h.Count)
	seen, last := uint64(0), time.Duration(0)
	for _, b := range h.Buckets {
		seen += b.Count
		if b.Bound > 0 {
			last = b.Bound
		}
		if seen > 0 && float64(seen) >= rank {
			return last
		}
	}
	if seen == 0 {
		return 0
	}
	return last
}
