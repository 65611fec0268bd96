package stats

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// ReadMethod is the method with which sessions that [Config.Allow] permits read
// the counts. It has no argument and returns a [Reading]. The command erpc top
// calls it.
const ReadMethod = "/erpc.stats/read"

// CodeForbidden is the code of a call of [ReadMethod] that [Config.Allow]
// refuses.
const CodeForbidden int32 = 403

// ReadingVersion is the version of a [Reading]. A later one only adds fields.
const ReadingVersion = 1

// Kinds of methods in a [Reading].
const (
	KindCall     = "call"
	KindPush     = "push"
	KindStream   = "stream"
	KindMadeCall = "made call" // from here to the other side, streams included
	KindMadePush = "made push"
)

// A Reading holds the counts of a peer since it was made, without single
// sessions. Times are in nanoseconds.
type Reading struct {
	Version       int             `json:"version"`
	Time          time.Time       `json:"time"`
	Uptime        time.Duration   `json:"uptime"`
	Sessions      int             `json:"sessions"`
	Accepted      uint64          `json:"accepted"`
	BytesIn       uint64          `json:"bytesIn"`
	BytesOut      uint64          `json:"bytesOut"`
	Queued        int             `json:"queued"`   // bytes that wait to be written
	Handlers      int             `json:"handlers"` // running
	Streams       int             `json:"streams"`  // open
	Bounds        []time.Duration `json:"bounds"`   // of the buckets except the last, which has none
	Methods       []MethodReading `json:"methods"`  // sorted by kind and name
	MethodsHidden int             `json:"methodsHidden,omitempty"`
}

// A MethodReading holds the counts of one method.
type MethodReading struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Started uint64   `json:"started"`
	Ended   uint64   `json:"ended"`
	Errors  uint64   `json:"errors"`
	Buckets []uint64 `json:"buckets,omitempty"` // durations; trailing zeros are left out
}

// maxReading bounds the methods of a reading, which keeps those with the most
// calls.
const maxReading = 1000

// Bounds on how often a reading is made, however many clients ask: making
// readings takes at most a fiftieth of a CPU core.
const (
	minReadingAge = 500 * time.Millisecond
	readingShare  = 50
)

// readings caches the last reading.
type readings struct {
	mu   sync.Mutex // guards the following
	last *Reading
	next time.Time // when another one may be made
}

// serveReadings registers [ReadMethod].
func (s *Stats) serveReadings(peer erpc.EarlyPeer, allow func(erpc.Session) bool) {
	began := time.Now()
	erpc.HandleCall(peer, ReadMethod, func(ctx context.Context, _ *struct{}) (*Reading, error) {
		if !allow(erpc.CallCtxFrom(ctx).Session()) {
			return nil, erpc.NewStatus(CodeForbidden, "Forbidden", "stats: this session may not read the counts").Err()
		}
		return s.readings.get(func() *Reading { return s.read(peer, began) }), nil
	}, erpc.Safe())
}

// get returns a recent reading. The result is shared and must not be changed.
func (r *readings) get(read func() *Reading) *Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	begin := time.Now()
	if r.last == nil || !begin.Before(r.next) {
		r.last = read()
		end := time.Now()
		r.next = end.Add(max(minReadingAge, readingShare*end.Sub(begin)))
	}
	return r.last
}

func (s *Stats) read(peer erpc.EarlyPeer, began time.Time) *Reading {
	now, n := time.Now(), peer.Stats()
	r := &Reading{
		Version: ReadingVersion, Time: now, Uptime: now.Sub(began),
		Sessions: n.Sessions, Accepted: n.Accepts, BytesIn: n.BytesIn, BytesOut: n.BytesOut,
		Queued: n.Queued, Handlers: n.Handlers, Streams: n.Streams, Bounds: bounds[:], Methods: []MethodReading{},
	}
	m := s.Methods()
	for kind, of := range map[string]map[string]Method{KindCall: m.HandledCalls, KindPush: m.HandledPushes, KindMadeCall: m.Calls, KindMadePush: m.Pushes} {
		for name, counts := range of {
			r.Methods = append(r.Methods, readingOf(kind, name, counts))
		}
	}
	if len(r.Methods) > maxReading {
		slices.SortFunc(r.Methods, func(a, b MethodReading) int { return cmp.Compare(b.Started, a.Started) })
		r.MethodsHidden = len(r.Methods) - maxReading
		r.Methods = r.Methods[:maxReading]
	}
	slices.SortFunc(r.Methods, func(a, b MethodReading) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return r
}

func readingOf(kind, name string, m Method) MethodReading {
	if m.Stream {
		kind = KindStream
	}
	r := MethodReading{Name: clip(name), Kind: kind, Started: m.Started, Ended: m.Ended, Errors: m.Errors}
	for i, b := range m.Latency.Buckets {
		if b.Count > 0 {
			r.Buckets = append(r.Buckets, make([]uint64, i-len(r.Buckets))...)
			r.Buckets = append(r.Buckets, b.Count)
		}
	}
	return r
}
