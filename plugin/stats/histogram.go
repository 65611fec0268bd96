package stats

import (
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the buckets of a histogram. One more bucket
// counts longer durations.
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

// A Bucket counts durations above the bound of the previous bucket, up to and
// including its own.
type Bucket struct {
	Bound time.Duration // 0 for the last bucket, which has none
	Count uint64
}

// A Histogram counts calls by how long they took.
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

// Quantile returns an upper bound for the quantile q, such as 0.99 for the 99th
// percentile: the bound of the bucket that contains it. It returns 0 if there
// were no calls, and the last bound if the quantile is above all bounds.
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
