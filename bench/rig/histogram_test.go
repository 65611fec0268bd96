package rig

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// The buckets follow one another without gap or overlap, and none is wider
// than 1/64 of what it holds.
func TestBuckets(t *testing.T) {
	for i := range buckets - 1 {
		top := bucketTop(i)
		if got := bucketOf(top); got != i {
			t.Fatalf("the top of bucket %d, %d, falls into %d", i, top, got)
		}
		if got := bucketOf(top + 1); got != i+1 {
			t.Fatalf("%d follows the top of bucket %d, but falls into %d", top+1, i, got)
		}
		if width := bucketTop(i+1) - top; width*subs > top+subs {
			t.Fatalf("bucket %d is %d wide at %d", i+1, width, top)
		}
	}
	if got := bucketOf(1 << 60); got != buckets-1 {
		t.Errorf("an endless duration falls into %d", got)
	}
}

func TestQuantiles(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty histogram has values")
	}
	all := make([]time.Duration, 10_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range all {
		all[i] = time.Duration(rnd.ExpFloat64() * float64(time.Millisecond))
		h.Record(all[i])
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(int(q*float64(len(all))+0.5), 1)-1]
		got := h.Quantile(q)
		if got < want || float64(got) > 1.017*float64(want)+1 {
			t.Errorf("quantile %v is %v, true is %v", q, got, want)
		}
	}
	h.Record(-time.Second) // a clock that went back counts as 0
	if h.Count() != 10_001 || h.Quantile(0) != 0 {
		t.Errorf("count %d, least %v", h.Count(), h.Quantile(0))
	}
}

func TestRecordConcurrently(t *testing.T) {
	var a, b Histogram
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				a.Record(time.Duration(g*1000 + i))
			}
		})
	}
	wg.Wait()
	b.Record(time.Second)
	b.Merge(&a)
	if b.Count() != 8001 || b.Quantile(1) < time.Second {
		t.Errorf("count %d, largest %v", b.Count(), b.Quantile(1))
	}
}
