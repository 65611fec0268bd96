package dashboard

import (
	"math"
	"time"

	"github.com/goerpc/erpc/plugin/stats"
)

// The trend of a method has a count for each tick of the last minutes, and a
// histogram for each tick of the last minute.
const (
	tick       = 5 * time.Second
	ticks      = int(keep / tick)
	recent     = 12 // ticks that rates and percentiles cover
	maxBuckets = 24 // in a histogram of package stats
)

// Kinds of methods.
const (
	kindCall     = "call"
	kindPush     = "push"
	kindStream   = "stream"
	kindMadeCall = "made call"
	kindMadePush = "made push"
)

type methodKey struct{ kind, name string }

// A trend holds counts modulo 2³²; their differences are still correct.
type trend struct {
	done, failed [ticks + 1]uint32
	buckets      [recent + 1][maxBuckets]uint32
}

// trends holds the trends of all methods that the peer counts. The zero value
// is empty.
type trends struct {
	n  int // ticks so far; tick i is at index i modulo the length
	at [ticks + 1]time.Time
	of map[methodKey]*trend
}

// each calls f for every method of a sample.
func each(m stats.Methods, f func(methodKey, stats.Method)) {
	for kind, all := range map[string]map[string]stats.Method{
		kindCall: m.HandledCalls, kindPush: m.HandledPushes, kindMadeCall: m.Calls, kindMadePush: m.Pushes,
	} {
		for name, c := range all {
			key := methodKey{kind, name}
			if c.Stream {
				key.kind = kindStream
			}
			f(key, c)
		}
	}
}

// done returns how often a method was completed, as far as this peer knows.
func done(kind string, c stats.Method) uint64 {
	if kind == kindMadePush {
		return c.Sent
	}
	return c.Ended
}

// add records a tick, unless the previous one was only a moment ago.
func (t *trends) add(s sample) {
	if t.n > 0 && s.at.Sub(t.time(t.n-1)) < tick-minInterval/2 {
		return
	}
	if t.of == nil {
		t.of = map[methodKey]*trend{}
	}
	i := t.n
	t.n++
	t.at[i%len(t.at)] = s.at
	each(s.methods, func(key methodKey, c stats.Method) {
		m := t.of[key]
		if m == nil {
			m = &trend{}
			t.of[key] = m
		}
		m.done[i%len(m.done)] = uint32(done(key.kind, c))
		m.failed[i%len(m.failed)] = uint32(c.Errors)
		m.buckets[i%len(m.buckets)] = counts(c.Latency)
	})
}

func (t *trends) time(i int) time.Time { return t.at[i%len(t.at)] }

func counts(h stats.Histogram) (c [maxBuckets]uint32) {
	for i, b := range h.Buckets {
		c[min(i, maxBuckets-1)] += uint32(b.Count)
	}
	return c
}

// A lately summarizes a method over about the last minute. It also has a rate
// for each tick of the last minutes, oldest first, or none if all are 0.
type lately struct {
	seconds      float64 // that the following cover
	done, failed uint32
	latency      stats.Histogram
	spark        []float64
}

// lately returns the summary of a method up to sample s.
func (t *trends) lately(key methodKey, c stats.Method, s sample) (l lately) {
	m := t.of[key]
	if m == nil || t.n == 0 { // counted for the first time since the last tick
		m = &trend{}
	}
	first := max(0, t.n-recent)
	if t.n > 0 {
		l.seconds = s.at.Sub(t.time(first)).Seconds()
		l.done = uint32(done(key.kind, c)) - m.done[first%len(m.done)]
		l.failed = uint32(c.Errors) - m.failed[first%len(m.failed)]
		l.latency = since(m.buckets[first%len(m.buckets)], c.Latency)
	}
	l.spark = make([]float64, 0, ticks)
	idle := true
	for i := max(1, t.n-ticks); i < t.n; i++ {
		n := m.done[i%len(m.done)] - m.done[(i-1)%len(m.done)]
		idle = idle && n == 0
		rate := float64(n) / t.time(i).Sub(t.time(i-1)).Seconds()
		l.spark = append(l.spark, math.Round(rate*100)/100) // few digits keep the answer small
	}
	if idle {
		l.spark = l.spark[:0]
	}
	return l
}

// since returns what a histogram has counted since it had the counts before.
func since(before [maxBuckets]uint32, h stats.Histogram) stats.Histogram {
	now := counts(h)
	d := stats.Histogram{Buckets: make([]stats.Bucket, 0, len(h.Buckets))}
	for i, b := range h.Buckets {
		n := uint64(now[min(i, maxBuckets-1)] - before[min(i, maxBuckets-1)])
		d.Buckets = append(d.Buckets, stats.Bucket{Bound: b.Bound, Count: n})
		d.Count += n
	}
	return d
}
