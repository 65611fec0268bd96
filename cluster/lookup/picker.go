package lookup

import (
	"cmp"
	"container/list"
	"context"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync"
)

// A Candidate is an instance that can get a call.
type Candidate interface {
	Instance() Instance
	// InFlight returns how many calls of this client the instance is working on.
	InFlight() int
}

// A Picker picks the instance for a call. Each [Client] needs its own.
type Picker interface {
	// Pick returns the index of one of the candidates, which are sorted by address
	// and not empty. key is the key of [WithKey], or "". Pick must be safe for
	// concurrent use.
	Pick(candidates []Candidate, key string) int
}

type keyOfContext struct{}

// WithKey returns a context for calls that belong together, such as those about
// one user: [Hash] and [Sticky] send them to one instance.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOfContext{}, key)
}

func keyFrom(ctx context.Context) string {
	key, _ := ctx.Value(keyOfContext{}).(string)
	return key
}

func weight(c Candidate) int { return max(c.Instance().Weight, 1) }

// RoundRobin returns a picker that uses the instances in turn, in proportion to
// their weights and evenly spread (smooth weighted round robin).
func RoundRobin() Picker { return &roundRobin{current: map[string]int{}} }

type roundRobin struct {
	mu      sync.Mutex     // guards current
	current map[string]int // by address
}

func (r *roundRobin) Pick(candidates []Candidate, _ string) (best int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.current) > 2*len(candidates) { // drop the instances that are gone
		clear(r.current)
	}
	total := 0
	for i, c := range candidates {
		w := weight(c)
		total += w
		r.current[c.Instance().Address] += w
		if r.current[c.Instance().Address] > r.current[candidates[best].Instance().Address] {
			best = i
		}
	}
	r.current[candidates[best].Instance().Address] -= total
	return best
}

// LeastLoaded returns a picker that compares two random instances and picks the
// one with fewer calls in flight relative to its weight. It is the default.
func LeastLoaded() Picker { return leastLoaded{} }

type leastLoaded struct{}

func (leastLoaded) Pick(candidates []Candidate, _ string) int {
	n := len(candidates)
	if n == 1 {
		return 0
	}
	a, b := rand.IntN(n), rand.IntN(n-1)
	if b >= a {
		b++
	}
	// (inFlight+1) / weight, without fractions
	x := (candidates[a].InFlight() + 1) * weight(candidates[b])
	y := (candidates[b].InFlight() + 1) * weight(candidates[a])
	if x == y && rand.IntN(weight(candidates[a])+weight(candidates[b])) >= weight(candidates[a]) || y < x {
		return b
	}
	return a
}

// Hash returns a picker that sends calls with the same key to the same
// instance, which is the same in every process. When an instance comes or goes,
// only the keys that it gets or had move (rendezvous hashing). For calls
// without a key it works like [LeastLoaded].
func Hash() Picker { return hashed{} }

type hashed struct{}

func (hashed) Pick(candidates []Candidate, key string) (best int) {
	if key == "" {
		return leastLoaded{}.Pick(candidates, key)
	}
	top := math.Inf(-1)
	for i, c := range candidates {
		if s := score(c.Instance().Address, key, weight(c)); s > top {
			best, top = i, s
		}
	}
	return best
}

// score returns the score of an address for a key: -w/ln(r) for a pseudo-random
// r between 0 and 1. It must not change between releases, because processes
// have to agree.
func score(address, key string, weight int) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(address)) // never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(key))
	x := h.Sum64() // FNV mixes its last bytes badly, so finish with splitmix64
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	r := (float64(x>>11) + 0.5) / (1 << 53)
	return -float64(weight) / math.Log(r)
}

// MaxSticky is how many keys a [Sticky] picker remembers; it forgets the least
// recently used ones.
const MaxSticky = 10_000

// Sticky returns a picker that keeps using the same instance for a key as long
// as that can be used. It asks next for the first instance of a key, and for a
// new one when the instance can't be used.
func Sticky(next Picker) Picker {
	return &sticky{next: next, m: map[string]*list.Element{}}
}

type sticky struct {
	next Picker

	mu sync.Mutex // guards the following
	m  map[string]*list.Element
	l  list.List // of stuck, most recently used first
}

type stuck struct{ key, address string }

func (s *sticky) Pick(candidates []Candidate, key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.m[key]
	if e == nil {
		e = s.l.PushFront(&stuck{key: key})
		s.m[key] = e
		if len(s.m) > MaxSticky {
			delete(s.m, s.l.Remove(s.l.Back()).(*stuck).key)
		}
	}
	s.l.MoveToFront(e)
	x := e.Value.(*stuck)
	for i, c := range candidates {
		if c.Instance().Address == x.address {
			return i
		}
	}
	i := s.next.Pick(candidates, key)
	x.address = candidates[i].Instance().Address
	return i
}

// byAddress compares targets by address, so that pickers always see the same
// order.
func byAddress(a, b *target) int { return cmp.Compare(a.address, b.address) }
