package dashboard

import (
	"slices"
	"sync"
	"time"
)

// How often samples are taken. Sampling may cost a thousandth of a CPU core
// without viewers, and a fiftieth with viewers; with very many sessions,
// samples become rarer.
const (
	minInterval  = time.Second
	idleShare    = 1000
	watchedShare = 50
	viewerStays  = 10 * time.Second // after the last request
)

// A pace determines how often an expensive operation may run. In its zero
// value, the operation has not run yet.
type pace struct {
	costs [4]time.Duration // the last ones
	n     int              // how often it ran
}

// took records how long the operation took.
func (p *pace) took(d time.Duration) {
	p.costs[p.n%len(p.costs)] = d
	p.n++
}

// cost returns the smallest of the last costs: larger ones include time in
// which the machine did something else.
func (p *pace) cost() time.Duration {
	if p.n == 0 {
		return 0
	}
	return slices.Min(p.costs[:min(p.n, len(p.costs))])
}

// interval returns the time between two runs, so that they take at most the
// given share of a CPU core.
func (p *pace) interval(share time.Duration) time.Duration {
	return max(minInterval, share*p.cost())
}

// A sampler records the history of a peer.
type sampler struct {
	measure func() sample
	clock   func() time.Time // measures the cost

	mu      sync.Mutex // guards the following
	pace    pace
	seen    time.Time // when a viewer last looked
	last    sample    // its zero value is none
	history history
	trends  trends
}

func newSampler(measure func() sample) *sampler {
	return &sampler{measure: measure, clock: time.Now}
}

// record takes a sample if one is due, and returns when to call it again.
func (s *sampler) record(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	share := time.Duration(idleShare)
	if now.Sub(s.seen) < viewerStays {
		share = watchedShare
	}
	s.takeLocked(now, share)
	return max(minInterval/10, s.last.at.Add(s.pace.interval(share)).Sub(now))
}

// look calls f with what was recorded, for a viewer; it takes a new sample
// first if one is due. f must not keep the history or the trends.
func (s *sampler) look(now time.Time, f func(sample, *history, *trends)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = now
	s.takeLocked(now, watchedShare)
	f(s.last, &s.history, &s.trends)
}

func (s *sampler) takeLocked(now time.Time, share time.Duration) {
	// A timer may tick a little early.
	if now.Sub(s.last.at) < s.pace.interval(share)-minInterval/10 {
		return
	}
	begin := s.clock()
	next := s.measure()
	next.at = now
	s.history.add(s.last, next)
	s.trends.add(next)
	s.last = next
	s.pace.took(s.clock().Sub(begin))
}
