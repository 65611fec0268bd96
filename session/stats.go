package session

import (
	"iter"
	"sync"

	"github.com/goerpc/erpc/socket"
)

// Totals are the counters of all connections of an owner, past and present.
type Totals struct {
	Stats
	Connections  int   // open
	Ended        int   // connections that have ended; a redial makes another
	StreamMemory int64 // bytes that count for Config.StreamMemory
	DecodeMemory int64 // bytes that count for Config.DecodeMemory
}

// totals are the counters of connections that have ended. The zero value is
// ready.
type totals struct {
	mu    sync.Mutex // guards the following
	sum   socket.Stats
	ended int
}

func (t *totals) add(s socket.Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Queued = 0 // queued messages are reported as written
	add(&t.sum, s)
	t.ended++
}

func add(sum *socket.Stats, s socket.Stats) {
	sum.MessagesIn += s.MessagesIn
	sum.MessagesOut += s.MessagesOut
	sum.BytesIn += s.BytesIn
	sum.BytesOut += s.BytesOut
	sum.Reads += s.Reads
	sum.Writes += s.Writes
	sum.Dropped += s.Dropped
	sum.Queued += s.Queued
}

// Totals returns the counters of the sessions given and of all connections that
// have ended.
func (sh *Shared) Totals(sessions iter.Seq[*Engine]) Totals {
	var t Totals
	for s := range sessions {
		if s.conns.current().isClosed() {
			continue
		}
		st := s.Stats()
		add(&t.Stats.Stats, st.Stats)
		t.Pending += st.Pending
		t.Streams += st.Streams
		t.InFlight += st.InFlight
		t.Connections++
	}
	t.Handlers = sh.Handlers()
	t.StreamMemory = sh.streamMemory.Used()
	if sh.decoding != nil {
		t.DecodeMemory = sh.decoding.bytes()
	}
	sh.totals.mu.Lock()
	defer sh.totals.mu.Unlock()
	add(&t.Stats.Stats, sh.totals.sum)
	t.Ended = sh.totals.ended
	return t
}
