package stats

import (
	"sync"
	"sync/atomic"
)

// Names of methods that have no entry of their own.
const (
	Unknown = "(unknown)" // nobody has registered it
	Other   = "(other)"   // called here, above the limit of names
)

// method counts one method of one kind.
type method struct {
	started, sent, ended, errors atomic.Uint64
	latency                      histogram
}

// methods are those of one kind.
type methods struct {
	mu    sync.RWMutex // guards m
	m     map[string]*method
	max   int // names that get returns an entry for; 0: only those added
	other string
}

// add gives a name an entry of its own.
func (t *methods) add(name string) *method {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entry(name)
}

func (t *methods) entry(name string) *method {
	if m, ok := t.m[name]; ok {
		return m
	}
	if t.m == nil {
		t.m = make(map[string]*method)
	}
	m := new(method)
	t.m[name] = m
	return m
}

// get returns the entry of a name, or the one that it shares.
func (t *methods) get(name string) *method {
	t.mu.RLock()
	m, ok := t.m[name]
	n := len(t.m)
	if !ok && n >= t.max {
		m, ok = t.m[t.other]
	}
	t.mu.RUnlock()
	if ok {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.m) >= t.max {
		name = t.other
	}
	return t.entry(name)
}

// Method is the counts of one method.
type Method struct {
	Started uint64 // calls and pushes that were to be made, or that arrived
	Sent    uint64 // of those made here: written; of calls handled here: answered
	Ended   uint64 // those whose reply came, or whose handling has ended
	Errors  uint64 // of those: with a status that is a failure
	Latency Histogram
}

func (t *methods) snapshot() map[string]Method {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := make(map[string]Method, len(t.m))
	for name, m := range t.m {
		// Backwards, so that no count is above the one that comes before it.
		c := Method{Errors: m.errors.Load(), Latency: m.latency.snapshot()}
		c.Ended = m.ended.Load()
		c.Sent = m.sent.Load()
		c.Started = m.started.Load()
		s[name] = c
	}
	return s
}
