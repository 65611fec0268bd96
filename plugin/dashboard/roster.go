package dashboard

import (
	"cmp"
	"container/heap"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

const (
	pageSize   = 100
	maxPages   = 100         // that can be turned to; a filter finds the others
	rosterLife = time.Minute // after which nobody looks any more
	maxText    = 256         // bytes that are shown of an id, an address, or the name of a room
	maxKey     = 4096        // bytes of an id whose session can be looked at
)

// figures are the counters of a session.
type figures struct {
	BytesIn     uint64 `json:"bytesIn"`
	BytesOut    uint64 `json:"bytesOut"`
	MessagesIn  uint64 `json:"messagesIn"`
	MessagesOut uint64 `json:"messagesOut"`
	Dropped     uint64 `json:"dropped"`
	Queued      int    `json:"queued"`
	Handlers    int    `json:"handlers"`
	Pending     int    `json:"pending"`
	Streams     int    `json:"streams"`
	InFlight    int64  `json:"inFlight"` // bytes
}

func figuresOf(sess erpc.Session) figures {
	s := sess.Stats()
	return figures{
		BytesIn: s.BytesIn, BytesOut: s.BytesOut, MessagesIn: s.MessagesIn, MessagesOut: s.MessagesOut,
		Dropped: s.Dropped, Queued: s.Queued, Handlers: s.Handlers, Pending: s.Pending, Streams: s.Streams, InFlight: s.InFlight,
	}
}

// A row is a session as it was when the list was made.
type row struct {
	sess erpc.Session
	id   string
	meeting
	figures
}

// rows appends a row for each session.
func (d *Dashboard) rows(into []row) []row {
	d.peer.RangeSession(func(sess erpc.Session) bool {
		into = append(into, row{sess, sess.ID(), d.sessions.of(sess), figuresOf(sess)})
		return true
	})
	return into
}

// A roster is a list of all sessions that all viewers share. Making it takes a
// fiftieth of a processor at most: with very many sessions it is a little old.
type roster struct {
	collect func(into []row) []row

	mu    sync.Mutex // guards the following
	pace  pace
	taken time.Time // when the list was made
	used  time.Time // when somebody looked last
	list  []row
}

func newRoster(collect func(into []row) []row) *roster { return &roster{collect: collect} }

// look calls f with the list, which f must neither change nor keep.
func (r *roster) look(f func(list []row)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.taken.IsZero() || now.Sub(r.taken) >= r.pace.interval(watchedShare) {
		clear(r.list) // what is not overwritten would keep sessions that have ended
		r.list = r.collect(r.list[:0])
		r.taken = now
		r.pace.took(time.Since(now))
	}
	r.used = time.Now()
	f(r.list)
}

// forget gives the memory of a list back that nobody looks at.
func (r *roster) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list != nil && now.Sub(r.used) > rosterLife {
		r.list, r.taken = nil, time.Time{}
	}
}

// orders are what sessions can be sorted by, each with the order that is not
// descending.
var orders = map[string]func(a, b *row) int{
	"id":       func(a, b *row) int { return strings.Compare(a.id, b.id) },
	"age":      func(a, b *row) int { return b.began.Compare(a.began) },
	"in":       func(a, b *row) int { return cmp.Compare(a.BytesIn, b.BytesIn) },
	"out":      func(a, b *row) int { return cmp.Compare(a.BytesOut, b.BytesOut) },
	"queued":   func(a, b *row) int { return cmp.Compare(a.Queued, b.Queued) },
	"handlers": func(a, b *row) int { return cmp.Compare(a.Handlers, b.Handlers) },
	"pending":  func(a, b *row) int { return cmp.Compare(a.Pending, b.Pending) },
	"streams":  func(a, b *row) int { return cmp.Compare(a.Streams, b.Streams) },
	"dropped":  func(a, b *row) int { return cmp.Compare(a.Dropped, b.Dropped) },
}

// A query selects sessions of the roster.
type query struct {
	keep       func(*row) bool // nil is all
	order      func(a, b *row) int
	descending bool
	page       int // from 0
}

// run returns a page of the sessions, and how many there are on all pages. It takes
// time in proportion to the list, and memory for the pages up to the last that can
// be asked for.
func (q query) run(list []row) (page []row, total int) {
	before := func(a, b *row) bool {
		c := q.order(a, b)
		if q.descending {
			c = -c
		}
		return cmp.Or(c, strings.Compare(a.id, b.id)) < 0
	}
	first := q.page * pageSize
	top := selection{before: before}
	for i := range list {
		if q.keep != nil && !q.keep(&list[i]) {
			continue
		}
		total++
		top.offer(&list[i], first+pageSize)
	}
	slices.SortFunc(top.rows, func(a, b *row) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	for _, r := range top.rows[min(first, len(top.rows)):] {
		page = append(page, *r)
	}
	return page, total
}

// A selection is the first rows of an order, as a heap whose root is the last.
type selection struct {
	rows   []*row
	before func(a, b *row) bool
}

func (s *selection) offer(r *row, n int) {
	switch {
	case len(s.rows) < n:
		heap.Push(s, r)
	case s.before(r, s.rows[0]):
		s.rows[0] = r
		heap.Fix(s, 0)
	}
}

func (s *selection) Len() int           { return len(s.rows) }
func (s *selection) Less(i, j int) bool { return s.before(s.rows[j], s.rows[i]) }
func (s *selection) Swap(i, j int)      { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }
func (s *selection) Push(x any)         { s.rows = append(s.rows, x.(*row)) }
func (s *selection) Pop() any {
	last := s.rows[len(s.rows)-1]
	s.rows = s.rows[:len(s.rows)-1]
	return last
}

// keyOf returns what names a session in the address of a page, whatever bytes its id
// has; "" if the id is too long for that.
func keyOf(id string) string {
	if len(id) > maxKey {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(id))
}

// clip cuts text that strangers have chosen.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "\ufffd") + "…"
}
