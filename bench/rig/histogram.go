package rig

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A Histogram counts durations in buckets whose width is at most 1/64 of their
// value, so that a percentile is true to 1.6 %. Its zero value is empty. Many
// goroutines may record at once; what is recorded while it is read may be
// missed.
type Histogram struct {
	counts [buckets]atomic.Uint32
}

const (
	subBits = 6
	subs    = 1 << subBits
	maxBits = 40 // nanoseconds: 18 minutes; what is longer counts as that
	buckets = (maxBits - subBits + 1) * subs
)

// bucketOf returns the bucket of a duration of ns nanoseconds: one for each
// value below subs, then subs of them for each power of two.
func bucketOf(ns uint64) int {
	if ns >= 1<<maxBits {
		return buckets - 1
	}
	if ns < subs {
		return int(ns)
	}
	shift := bits.Len64(ns) - 1 - subBits
	return (shift << subBits) + int(ns>>shift)
}

// bucketTop returns the largest duration of bucket i in nanoseconds.
func bucketTop(i int) uint64 {
	if i < subs {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return uint64(subs+i&(subs-1)+1)<<shift - 1
}

// Record counts d.
func (h *Histogram) Record(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))].Add(1)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i := range h.counts {
		if n := other.counts[i].Load(); n > 0 {
			h.counts[i].Add(n)
		}
	}
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() (n uint64) {
	for i := range h.counts {
		n += uint64(h.counts[i].Load())
	}
	return n
}

// Quantile returns the duration that the share q (0 to 1) of the recorded ones
// does not exceed, 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := max(uint64(q*float64(total)+0.5), 1)
	var seen uint64
	for i := range h.counts {
		seen += uint64(h.counts[i].Load())
		if seen >= rank {
			return time.Duration(bucketTop(i))
		}
	}
	return time.Duration(bucketTop(buckets - 1))
}
