package dashboard

import (
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/stats"
)

// keep is how far back the history goes, and maxPoints how many points it has.
const (
	keep      = 5 * time.Minute
	maxPoints = int(keep / minInterval)
)

// A sample is the counters and sizes of a peer at one time.
type sample struct {
	at         time.Time
	peer       erpc.PeerStats
	methods    stats.Methods
	heap       uint64 // bytes
	goroutines uint64
}

// handled returns the numbers of calls and pushes that this peer has handled,
// and of those that failed.
func (s sample) handled() (calls, pushes, errors uint64) {
	for _, m := range s.methods.HandledCalls {
		calls += m.Ended
		errors += m.Errors
	}
	for _, m := range s.methods.HandledPushes {
		pushes += m.Ended
		errors += m.Errors
	}
	return calls, pushes, errors
}

// latency returns the histogram of all calls handled so far, over all methods.
func (s sample) latency() (sum stats.Histogram) {
	for _, m := range s.methods.HandledCalls {
		if m.Stream { // its duration is up to its two sides
			continue
		}
		if sum.Buckets == nil {
			sum.Buckets = make([]stats.Bucket, len(m.Latency.Buckets))
		}
		for i, b := range m.Latency.Buckets {
			sum.Buckets[i].Bound = b.Bound
			sum.Buckets[i].Count += b.Count
		}
	}
	return sum
}

// made returns how many calls and pushes this peer has sent.
func (s sample) made() (n uint64) {
	for _, m := range s.methods.Calls {
		n += m.Sent
	}
	for _, m := range s.methods.Pushes {
		n += m.Sent
	}
	return n
}

// A point is what the charts show for one time: rates per second since the
// previous point, and current values.
type point struct {
	At          int64   `json:"at"` // milliseconds
	Calls       float64 `json:"calls"`
	Pushes      float64 `json:"pushes"`
	Errors      float64 `json:"errors"`
	Made        float64 `json:"made"`
	BytesIn     float64 `json:"bytesIn"`
	BytesOut    float64 `json:"bytesOut"`
	MessagesIn  float64 `json:"messagesIn"`
	MessagesOut float64 `json:"messagesOut"`
	Dropped     float64 `json:"dropped"`
	P50         int64   `json:"p50"` // of the calls handled, in nanoseconds; 0 if there was none
	P99         int64   `json:"p99"`
	Handlers    int     `json:"handlers"`
	Pending     int     `json:"pending"`
	Queued      int     `json:"queued"`
	Sessions    int     `json:"sessions"`
	Streams     int     `json:"streams"`
	Heap        uint64  `json:"heap"`
	Goroutines  uint64  `json:"goroutines"`
}

// between returns the point at sample b, with the rates since sample a.
func between(a, b sample) point {
	seconds := b.at.Sub(a.at).Seconds()
	rate := func(from, to uint64) float64 {
		if seconds <= 0 || to < from { // counts can shrink for a moment while a connection ends
			return 0
		}
		return float64(to-from) / seconds
	}
	callsA, pushesA, errorsA := a.handled()
	callsB, pushesB, errorsB := b.handled()
	latency := since(counts(a.latency()), b.latency())
	return point{
		At:          b.at.UnixMilli(),
		Calls:       rate(callsA, callsB),
		Pushes:      rate(pushesA, pushesB),
		Errors:      rate(errorsA, errorsB),
		Made:        rate(a.made(), b.made()),
		BytesIn:     rate(a.peer.BytesIn, b.peer.BytesIn),
		BytesOut:    rate(a.peer.BytesOut, b.peer.BytesOut),
		MessagesIn:  rate(a.peer.MessagesIn, b.peer.MessagesIn),
		MessagesOut: rate(a.peer.MessagesOut, b.peer.MessagesOut),
		Dropped:     rate(a.peer.Dropped, b.peer.Dropped),
		P50:         int64(latency.Quantile(0.5)),
		P99:         int64(latency.Quantile(0.99)),
		Handlers:    b.peer.Handlers,
		Pending:     b.peer.Pending,
		Queued:      b.peer.Queued,
		Sessions:    b.peer.Sessions,
		Streams:     b.peer.Streams,
		Heap:        b.heap,
		Goroutines:  b.goroutines,
	}
}

// A history holds the points of the last minutes. The zero value is empty.
type history struct{ points []point }

// add appends the point between two samples.
func (h *history) add(before, now sample) {
	if before.at.IsZero() {
		return
	}
	if len(h.points) == maxPoints {
		h.points = h.points[:copy(h.points, h.points[1:])]
	}
	h.points = append(h.points, between(before, now))
}

// after returns a copy of the points of the last minutes that are later than
// at, a time in milliseconds.
func (h *history) after(at int64, now time.Time) []point {
	at = max(at, now.Add(-keep).UnixMilli())
	i := len(h.points)
	for i > 0 && h.points[i-1].At > at {
		i--
	}
	return append([]point{}, h.points[i:]...)
}
