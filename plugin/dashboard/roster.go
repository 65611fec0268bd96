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
	maxPages   = 100         // pages that can be requested; use a filter to find other rows
	rosterLife = time.Minute // how long a list is kept without viewers
	maxText    = 256         // bytes shown of an id, an address or the name of a room
	maxKey     = 4096        // longest id, in bytes, whose session can be viewed
)

// figures holds the counters of a session.
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

// A row describes a session at the time the list was made.
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

// A roster is a list of all sessions, shared by all viewers. Making it takes at
// most a fiftieth of a CPU core, so with very many sessions the list is a
// little old.
type roster struct {
	collect func(into []row) []row

	mu    sync.Mutex // guards the following
	pace  pace
	taken time.Time // when the list was made
	used  time.Time // when a viewer last used it
	list  []row
}

func newRoster(collect func(into []row) []row) *roster { return &roster{collect: collect} }

// look calls f with the list, which f must neither change nor keep.
func (r *roster) look(f func(list []row)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.taken.IsZero() || now.Sub(r.taken) >= r.pace.interval(watchedShare) {
		clear(r.list) // elements that are not overwritten would keep ended sessions alive
		r.list = r.collect(r.list[:0])
		r.taken = now
		r.pace.took(time.Since(now))
	}
	r.used = time.Now()
	f(r.list)
}

// forget frees the list once it has had no viewers for rosterLife.
func (r *roster) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list != nil && now.Sub(r.used) > rosterLife {
		r.list, r.taken = nil, time.Time{}
	}
}

// orders maps the columns that sessions can be sorted by to their ascending
// order.
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
	keep       func(*row) bool // nil keeps all
	order      func(a, b *row) int
	descending bool
	page       int // from 0
}

// run returns a page of the sessions, and how many there are on all pages. Its
// time is proportional to the list, and its memory to the rows up to the last
// page that can be requested.
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

// A selection holds the first rows of an order, as a heap whose root is the
// last of them.
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

// keyOf encodes a session id, which may contain any bytes, for use in a URL. It
// returns "" if the id is too long for that.
func keyOf(id string) string {
	if len(id) > maxKey {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(id))
}

// clip shortens text that clients have chosen.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "\ufffd") + "…"
}
