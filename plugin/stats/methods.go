package stats

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Names under which methods without their own entry are counted.
const (
	Unknown = "(unknown)" // methods without a handler
	Other   = "(other)"   // called methods beyond the limit of names
)

// maxCodes is how many status codes of one method are counted separately.
const maxCodes = 32

// OtherCode stands in [Method.Codes] for all codes beyond the first 32.
const OtherCode int32 = 0

// method holds the counters of one method of one kind.
type method struct {
	name                         string
	started, sent, ended, errors atomic.Uint64
	messagesSent                 atomic.Uint64 // messages of streams
	messagesReceived             atomic.Uint64
	latency                      histogram
	stream                       atomic.Bool // handled here by a handler of streams

	mu    sync.Mutex // guards codes
	codes map[int32]uint64
}

// failed counts a failure. Handlers and other peers may return any code, so the
// number of codes is bounded.
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

// methods holds the methods of one kind.
type methods struct {
	mu    sync.RWMutex // guards m
	m     map[string]*method
	max   int // how many names get adds; 0: none
	other string
}

// add gives a name its own entry.
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

// get returns the entry of a name, or the shared one.
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

// Method holds the counts of one method.
type Method struct {
	Started uint64           // calls and pushes that began to be sent, or that arrived
	Sent    uint64           // made here: written; handled here: calls answered
	Ended   uint64           // reply received or handling ended; streams that ended
	Errors  uint64           // of the ended ones, those with a failed status
	Stream  bool             // handled here by a handler of streams; Latency is how long the streams lasted
	Codes   map[int32]uint64 // Errors by status code
	Latency Histogram

	// MessagesSent and MessagesReceived count the messages of streams that have
	// ended.
	MessagesSent, MessagesReceived uint64
}

func (t *methods) snapshot() map[string]Method {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := make(map[string]Method, len(t.m))
	for name, m := range t.m {
		// Read the counters in reverse order, so that a later stage never exceeds an
		// earlier one.
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
