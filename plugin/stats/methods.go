package stats

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Names of methods that have no entry of their own.
const (
	Unknown = "(unknown)" // nobody has registered it
	Other   = "(other)"   // called here, above the limit of names
)

// maxCodes is how many status codes of one method are counted one by one.
const maxCodes = 32

// OtherCode stands in [Method.Codes] for all codes above the first 32.
const OtherCode int32 = 0

// method counts one method of one kind.
type method struct {
	name                         string
	started, sent, ended, errors atomic.Uint64
	messagesSent                 atomic.Uint64 // of streams
	messagesReceived             atomic.Uint64
	latency                      histogram
	stream                       atomic.Bool // it is handled here, and its handlers are of streams

	mu    sync.Mutex // guards codes
	codes map[int32]uint64
}

// failed counts a failure. A handler, or the peer that it asks, may make up any
// code, so their number is bounded.
func (m *method) failed(code int32) {
	m.errors.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes == nil {
		m.codes = make(map[int32]uint64)
	}
	if _, ok := m.codes[code]; !ok && len(m.codes) >= maxCodes {
		code = OtherCode
	}
	m.codes[code]++
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
	m := &method{name: name}
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
	Started uint64           // calls and pushes that were to be made, or that arrived
	Sent    uint64           // of those made here: written; of calls handled here: answered
	Ended   uint64           // those whose reply came, or whose handling has ended, and streams that have
	Errors  uint64           // of those: with a status that is a failure
	Stream  bool             // handled here, by a handler of streams; its Latency is how long they lasted
	Codes   map[int32]uint64 // Errors by status code
	Latency Histogram

	// MessagesSent and MessagesReceived are those of streams that have ended.
	MessagesSent, MessagesReceived uint64
}

func (t *methods) snapshot() map[string]Method {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := make(map[string]Method, len(t.m))
	for name, m := range t.m {
		// Backwards, so that no count is above the one that comes before it.
		c := Method{Latency: m.latency.snapshot(), Stream: m.stream.Load()}
		m.mu.Lock()
		c.Codes = maps.Clone(m.codes)
		m.mu.Unlock()
		c.MessagesSent, c.MessagesReceived = m.messagesSent.Load(), m.messagesReceived.Load()
		c.Errors = m.errors.Load()
		c.Ended = m.ended.Load()
		c.Sent = m.sent.Load()
		c.Started = m.started.Load()
		s[name] = c
	}
	return s
}
