package overloader

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A refusal is the reason why a message is not handled. Its text is that of
// erpc v7 if v7 has one.
type refusal struct {
	text   string
	reason *uint64 // the counter to increment
}

// limits holds the limits and the counts. All methods may be called
// concurrently. One mutex makes each decision atomic, so that a message that
// one limit refuses uses up nothing of another.
type limits struct {
	mu       sync.Mutex // guards the following
	cfg      LimitConfig
	total    *rate.Limiter // nil: no limit
	methods  map[string]*method
	conns    int32
	inFlight int32
	waiting  []*waiter // the last one is the newest
	counts   Counts
}

// A method holds the counts of a method with limits.
type method struct {
	limit    HandlerLimit
	rate     *rate.Limiter // nil: no limit
	inFlight int32
}

// A waiter is a message that waits for a running handler to end.
type waiter struct{ turn chan struct{} } // closed when the message may go on

// A slot is held by a message while it is handled.
type slot struct{ method *method }

func limiter(old *rate.Limiter, qps int32) *rate.Limiter {
	switch {
	case qps <= 0:
		return nil
	case old == nil:
		return rate.NewLimiter(rate.Limit(qps), int(qps))
	}
	old.SetLimit(rate.Limit(qps))
	old.SetBurst(int(qps))
	return old
}

func (l *limits) update(cfg LimitConfig) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cfg.MaxHandlerQPS, cfg.Except = slices.Clone(cfg.MaxHandlerQPS), slices.Clone(cfg.Except)
	l.cfg = cfg
	l.total = limiter(l.total, cfg.MaxTotalQPS)
	old := l.methods
	l.methods = make(map[string]*method, len(cfg.MaxHandlerQPS))
	for _, h := range cfg.MaxHandlerQPS {
		m := old[h.ServiceMethod] // keeps the count of running handlers
		if m == nil {
			m = &method{}
		}
		m.limit, m.rate = h, limiter(m.rate, h.MaxQPS)
		l.methods[h.ServiceMethod] = m
	}
	l.wakeLocked()
}

func (l *limits) connect() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg.MaxConn > 0 && l.conns >= l.cfg.MaxConn {
		l.counts.Conns++
		return fmt.Errorf("connection overload, limit=%d, now=%d", l.cfg.MaxConn, l.conns)
	}
	l.conns++
	return nil
}

func (l *limits) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
}

// enter admits a message, possibly after waiting, or returns a refusal. If both
// results are nil, no limit applies to the message.
func (l *limits) enter(ctx context.Context, name string) (*slot, *refusal) {
	l.mu.Lock()
	if slices.Contains(l.cfg.Except, name) {
		l.mu.Unlock()
		return nil, nil
	}
	m := l.methods[name]
	if r := l.refuseLocked(m); r != nil {
		*r.reason++
		l.mu.Unlock()
		return nil, r
	}
	if m != nil {
		m.inFlight++
	}
	s := &slot{m}
	if l.cfg.MaxInFlight <= 0 || l.inFlight < l.cfg.MaxInFlight {
		l.inFlight++
		l.mu.Unlock()
		return s, nil
	}
	w := &waiter{make(chan struct{})}
	l.waiting = append(l.waiting, w)
	limit := l.cfg.MaxQueueTime
	l.mu.Unlock()
	return l.wait(ctx, s, w, limit)
}

// refuseLocked returns a refusal if the message may not even wait, and
// otherwise takes a permit of each rate.
func (l *limits) refuseLocked(m *method) *refusal {
	now := time.Now() // under the lock: a rate.Limiter that is told an earlier time earns what follows it twice
	switch {
	case l.total != nil && l.total.TokensAt(now) < 1:
		return &refusal{fmt.Sprintf("qps overload, total_limit=%d", l.cfg.MaxTotalQPS), &l.counts.TotalQPS}
	case m != nil && m.rate != nil && m.rate.TokensAt(now) < 1:
		return &refusal{fmt.Sprintf("qps overload, handler_limit=%d", m.limit.MaxQPS), &l.counts.HandlerQPS}
	case m != nil && m.limit.MaxInFlight > 0 && m.inFlight >= m.limit.MaxInFlight:
		return &refusal{fmt.Sprintf("in-flight overload, handler_limit=%d", m.limit.MaxInFlight), &l.counts.InFlight}
	case l.cfg.MaxInFlight > 0 && l.inFlight >= l.cfg.MaxInFlight && len(l.waiting) >= int(max(l.cfg.MaxQueue, 0)):
		return &refusal{fmt.Sprintf("in-flight overload, total_limit=%d", l.cfg.MaxInFlight), &l.counts.InFlight}
	}
	if l.total != nil {
		l.total.AllowN(now, 1)
	}
	if m != nil && m.rate != nil {
		m.rate.AllowN(now, 1)
	}
	return nil
}

func (l *limits) wait(ctx context.Context, s *slot, w *waiter, limit time.Duration) (*slot, *refusal) {
	if limit <= 0 {
		limit = DefaultQueueTime
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-w.turn:
		return s, nil
	case <-t.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, w)
	if i < 0 {
		return s, nil // it was admitted at the last moment
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if s.method != nil {
		s.method.inFlight--
	}
	l.counts.QueueTime++
	return nil, &refusal{fmt.Sprintf("queue overload, max_queue_time=%v", limit), nil}
}

// leave frees the slot of a message that enter admitted.
func (l *limits) leave(s *slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	if s.method != nil {
		s.method.inFlight--
	}
	l.wakeLocked()
}

// wakeLocked admits the newest waiters, as many as there is room for.
func (l *limits) wakeLocked() {
	for len(l.waiting) > 0 && (l.cfg.MaxInFlight <= 0 || l.inFlight < l.cfg.MaxInFlight) {
		last := len(l.waiting) - 1
		w := l.waiting[last]
		l.waiting[last] = nil
		l.waiting = l.waiting[:last]
		l.inFlight++
		close(w.turn)
	}
}
