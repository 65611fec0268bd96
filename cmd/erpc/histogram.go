package main

import (
	"math/bits"
	"time"
)

// subBits is the precision of a histogram: a bucket is at most 1/32 of its value
// wide.
const subBits = 5

// A histogram counts times in buckets whose width grows with the time. The zero
// value is empty. It is not safe for concurrent use.
type histogram struct {
	buckets  [(64 - subBits + 1) << subBits]uint64
	count    uint64
	sum, max time.Duration
}

// bucketOf returns the bucket of d.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(0, bits.Len64(v)-subBits-1)
	return shift<<subBits + int(v>>shift)
}

// upper returns the largest time in a bucket.
func upper(bucket int) time.Duration {
	shift := max(0, bucket>>subBits-1)
	return time.Duration((uint64(bucket-shift<<subBits)+1)<<shift - 1)
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(d)]++
	h.count++
	h.sum += d
	h.max = max(h.max, d)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// quantile returns the time that the share q of all times does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.count))
	var n uint64
	for i, c := range h.buckets {
		n += c
		if n > rank || n == h.count && n > 0 {
			return min(upper(i), h.max)
		}
	}
	return 0
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}
