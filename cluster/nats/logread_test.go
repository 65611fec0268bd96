package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A copied is one server's copy of a stream.
type copied struct {
	log  []message // the message with number i+1 at index i
	role role
}

// A role is what a server says about itself together with the state.
type role byte

const (
	leads role = iota
	alone      // it takes itself for the leader, but hears nobody
	lost       // it knows no leader
)

type message struct {
	subject string
	at      time.Time
	text    string
}

// keeps reports whether a server still has the message at an index.
func (c copied) keeps(size, i int) bool {
	newer := 0
	for _, m := range c.log[i+1:] {
		if m.subject == c.log[i].subject {
			newer++
		}
	}
	return newer < size
}

// A fakeStream answers like several servers, any of which may answer.
type fakeStream struct {
	size    int
	created time.Time
	next    func() copied   // who answers
	tear    func(n int) int // which of n messages of an answer gets lost; -1 is none
	asked   int
}

func (f *fakeStream) request(_ context.Context, subject string, data []byte) (*nats.Msg, error) {
	f.asked++
	var what struct {
		Filter string `json:"subjects_filter"`
	}
	if err := json.Unmarshal(data, &what); err != nil || subject != apiInfo+"stream" {
		return nil, fmt.Errorf("%s %s: %w", subject, data, err)
	}
	c := f.next()
	kept, count, last := 0, 0, time.Time{}
	for i, m := range c.log {
		last = m.at
		if c.keeps(f.size, i) {
			kept++
			if m.subject == what.Filter {
				count++
			}
		}
	}
	members := map[role]string{
		leads: `{"leader":"a","replicas":[{"active":900000000},{"active":0}]}`,
		alone: `{"leader":"a","replicas":[{"active":9000000000},{"active":0}]}`,
		lost:  `{"replicas":[{"active":900000000},{"active":900000000}]}`,
	}[c.role]
	return &nats.Msg{Data: fmt.Appendf(nil, `{"created":%q,"ts":%q,"state":{"messages":%d,"last_seq":%d,"last_ts":%q,"subjects":{%q:%d}},"cluster":%s}`,
		f.created.Format(time.RFC3339Nano), time.Now().Format(time.RFC3339Nano), kept, len(c.log), last.Format(time.RFC3339Nano), what.Filter, count, members)}, nil
}

func (f *fakeStream) gather(_ context.Context, subject string, data []byte) (answer []*nats.Msg, err error) {
	f.asked++
	var what struct {
		Seq   int      `json:"seq"`
		Next  string   `json:"next_by_subj"`
		Batch int      `json:"batch"`
		Bytes int      `json:"max_bytes"`
		Multi []string `json:"multi_last"`
	}
	if err := json.Unmarshal(data, &what); err != nil || subject != apiDirect+"stream" {
		return nil, fmt.Errorf("%s %s: %w", subject, data, err)
	}
	c := f.next()
	var found []int // indices
	for i, m := range c.log {
		switch {
		case !c.keeps(f.size, i):
		case len(what.Multi) == 1 && m.subject == what.Multi[0]:
			found = []int{i}
		case len(what.Multi) == 0 && i+1 >= what.Seq && (what.Next == "" || m.subject == what.Next):
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return []*nats.Msg{{Header: nats.Header{"Status": {"404"}}}}, nil
	}
	last, bytes := 0, 0
	for what.Multi != nil || what.Batch > 0 && bytes < what.Bytes {
		m := c.log[found[0]]
		answer = append(answer, &nats.Msg{Data: []byte(m.text), Header: nats.Header{
			"Nats-Sequence": {fmt.Sprint(found[0] + 1)}, "Nats-Time-Stamp": {m.at.Format(time.RFC3339Nano)}, "Nats-Last-Sequence": {fmt.Sprint(last)},
		}})
		last, bytes, what.Batch = found[0]+1, bytes+len(m.subject)+len(m.text), what.Batch-1
		if found = found[1:]; len(found) == 0 {
			break
		}
	}
	answer = append(answer, &nats.Msg{Header: nats.Header{
		"Status": {"204"}, "Nats-Num-Pending": {fmt.Sprint(len(found))}, "Nats-Last-Sequence": {fmt.Sprint(last)}, "Nats-UpTo-Sequence": {fmt.Sprint(len(c.log))},
	}})
	if f.tear != nil {
		if i := f.tear(len(answer) - 1); i >= 0 {
			answer = slices.Delete(answer, i, i+1)
		}
	}
	return answer, nil
}

func (f *fakeStream) reading() *reading {
	return &reading{f, group{stream: "stream", size: f.size, age: time.Hour}, "room"}
}

// began is when time begins in a bubble.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// said returns a log in which the rooms took turns, a message a second, until then.
func said(rooms ...string) (log []message) {
	for i, room := range rooms {
		at := began.Add(time.Duration(i-len(rooms)) * time.Second)
		log = append(log, message{room, at, fmt.Sprint(i + 1)})
	}
	return log
}

// at is the position of a message.
func (f *fakeStream) at(log []message, seq int) cluster.Position {
	return cluster.Position{Epoch: epoch(f.created), Seq: uint64(seq), Time: log[seq-1].at.UnixNano()}
}

func numbers(entries []cluster.Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, string(e.Data))
	}
	return strings.Join(all, " ")
}

// Whichever servers answer, a member gets what was published since its position, or is
// told that something is lost, or Read returns an error and is called again.
func TestReadFromServersThatDisagree(t *testing.T) {
	const x = "beside"
	full := said("room", x, "room", "room", x, "room", x) // 1 3 4 6
	upTo := func(n int) copied { return copied{log: full[:n]} }
	again := slices.Clone(full)
	again[4] = message{x, began.Add(time.Second), "5 again"}
	again[5] = message{"room", began.Add(time.Second), "6 again"}
	big := slices.Clone(full)
	big[2].text = strings.Repeat("x", 2*maxRead)
	type want struct {
		entries  string
		top      uint64
		complete bool
		more     bool
		err      error
	}
	for name, c := range map[string]struct {
		size    int // 0 is 100
		since   int
		limit   int      // 0 is 100
		servers []copied // in the order of answers; the last goes on, or the first with cycle
		cycle   bool
		tear    []int
		want    want
	}{
		"they agree":                                       {since: 3, servers: []copied{upTo(7)}, want: want{entries: "4 6", top: 7, complete: true}},
		"a part":                                           {since: 1, limit: 2, servers: []copied{upTo(7)}, want: want{entries: "3 4", top: 4, complete: true, more: true}},
		"nothing is new":                                   {since: 6, servers: []copied{upTo(7)}, want: want{top: 7, complete: true}},
		"nothing is new in the stream":                     {since: 7, servers: []copied{upTo(7)}, want: want{top: 7, complete: true}},
		"position of a message of another room":            {since: 5, servers: []copied{upTo(7)}, want: want{entries: "6", top: 7, complete: true}},
		"the newest is told by one that lags":              {since: 3, servers: []copied{upTo(7), upTo(3), upTo(7)}, want: want{entries: "4 6", top: 7, complete: true}},
		"all but the first state comes from one that lags": {since: 3, servers: []copied{upTo(7), upTo(3)}, want: want{top: 3, complete: true}},
		"the leader is in front of all others":             {since: 3, cycle: true, servers: []copied{upTo(7), upTo(3)}, want: want{err: errLags}},
		"the messages come from one that lags":             {since: 1, servers: []copied{upTo(7), upTo(7), upTo(3), upTo(7)}, want: want{entries: "3 4 6", top: 7, complete: true}},
		"the messages come from one that has none":         {since: 3, servers: []copied{upTo(7), upTo(7), upTo(1), upTo(7)}, want: want{entries: "4 6", top: 7, complete: true}},
		"the messages come from one that has more":         {since: 3, servers: []copied{upTo(4), upTo(4), upTo(7)}, want: want{entries: "4 6", top: 6, complete: true}},
		"the newest is told by one that has more":          {since: 3, servers: []copied{upTo(4), upTo(7), upTo(4), upTo(7)}, want: want{entries: "4 6", top: 7, complete: true}},
		"the state is told by one that lags":               {since: 3, servers: []copied{upTo(4), upTo(7)}, want: want{entries: "4 6", top: 6, complete: true}},
		"the leader does not know the room yet":            {since: 2, servers: []copied{{log: full[:0]}, {log: full[:2]}}, want: want{top: 2, complete: true}},
		"more was forgotten than the leader knows":         {size: 2, since: 1, servers: []copied{upTo(3), upTo(7)}, want: want{top: 6}},
		"as much as the room keeps":                        {size: 3, since: 1, servers: []copied{upTo(7)}, want: want{top: 7}},
		"less than the room keeps":                         {size: 3, since: 2, servers: []copied{upTo(7)}, want: want{top: 7}},
		"one less than the room keeps":                     {size: 3, since: 3, servers: []copied{upTo(7)}, want: want{entries: "4 6", top: 7, complete: true}},
		"the log has lost its tail":                        {since: 6, servers: []copied{upTo(4)}, want: want{top: 4}},
		"the tail is there again":                          {since: 4, servers: []copied{upTo(3), upTo(3), upTo(7)}, want: want{entries: "6", top: 7, complete: true}},
		"one that hears nobody lacks the position":         {since: 6, servers: []copied{{full[:4], alone}}, want: want{err: errAlone}},
		"one that hears nobody has the position":           {since: 3, servers: []copied{{full[:7], alone}}, want: want{entries: "4 6", top: 7, complete: true}},
		"no leader":                                        {since: 3, servers: []copied{{full[:7], lost}}, want: want{err: errAlone}},
		"no leader for a while":                            {since: 3, servers: []copied{{full[:4], lost}, upTo(7)}, want: want{entries: "4 6", top: 7, complete: true}},
		"the number was given again":                       {since: 6, servers: []copied{{log: again}}, want: want{top: 7}},
		"the number was given again to another room":       {since: 5, servers: []copied{{log: again}}, want: want{top: 7}},
		"the number of the newest was given again":         {since: 6, servers: []copied{{log: again[:6]}}, want: want{top: 6}},
		"given again, and the server that looks lags":      {since: 5, servers: []copied{{log: again}, {log: again}, {log: again}, upTo(3), {log: again}}, want: want{top: 7}},
		"a message at the position that fills a page":      {since: 3, servers: []copied{{log: big}}, want: want{entries: "4 6", top: 7, complete: true}},
		"a part of an answer was lost":                     {since: 1, tear: []int{-1, 1}, servers: []copied{upTo(7)}, want: want{entries: "3 4 6", top: 7, complete: true}},
		"the last of an answer was lost":                   {since: 1, tear: []int{-1, 3}, servers: []copied{upTo(7)}, want: want{entries: "3 4 6", top: 7, complete: true}},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				f := &fakeStream{size: 100, created: began}
				if c.size > 0 {
					f.size = c.size
				}
				f.next = func() copied {
					if c.cycle {
						return c.servers[(f.asked-1)%len(c.servers)]
					}
					return c.servers[min(f.asked, len(c.servers))-1]
				}
				f.tear = func(n int) int {
					if len(c.tear) == 0 {
						return -1
					}
					i := c.tear[0]
					c.tear = c.tear[1:]
					return i
				}
				limit := 100
				if c.limit > 0 {
					limit = c.limit
				}
				page, err := f.reading().page(t.Context(), f.at(full, c.since), limit)
				got := want{numbers(page.Entries), page.Top.Seq, page.Complete, page.More, nil}
				if c.want.err != nil {
					got = want{err: c.want.err}
				}
				if got != c.want || !errors.Is(err, c.want.err) {
					t.Errorf("%+v, %v after %d questions; want %+v", got, err, f.asked, c.want)
				}
			})
		})
	}
}

// A position is too old when the age of the room has passed, unless its message is still
// there.
func TestReadFromOldPosition(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		log := said("beside", "room", "beside", "room", "beside")
		f := &fakeStream{size: 100, created: began}
		f.next = func() copied { return copied{log: log} }
		read := func(seq int) bool {
			t.Helper()
			page, err := f.reading().page(t.Context(), f.at(log, seq), 100)
			if err != nil {
				t.Fatal(err)
			}
			return page.Complete
		}
		for _, c := range []struct {
			passes time.Duration
			want   [5]bool
		}{
			{0, [5]bool{true, true, true, true, true}},
			{time.Hour - ageMargin - time.Minute, [5]bool{true, true, true, true, true}},
			{time.Minute, [5]bool{false, true, false, true, true}},
		} {
			time.Sleep(c.passes)
			for i, want := range c.want {
				if got := read(i + 1); got != want {
					t.Errorf("%v later, since %d: complete %v, want %v", c.passes, i+1, got, want)
				}
			}
		}
	})
}

// Random servers answer many times, while the log grows and they follow: whatever Read
// returns was really published.
func TestReadFromServersByChance(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		outcomes := map[string]int{}
		for range kit.Times(3000, 100_000) {
			var rooms []string
			for range 2 + r.IntN(12) {
				rooms = append(rooms, []string{"room", "beside"}[r.IntN(2)])
			}
			log := said(rooms...)
			servers := make([]int, 3) // how much each has
			follow := func() {
				for i := range servers {
					servers[i] += r.IntN(len(log) - servers[i] + 1)
				}
			}
			follow()
			f := &fakeStream{size: 1 + r.IntN(6), created: began}
			f.next = func() copied {
				if r.IntN(4) == 0 {
					log = append(log, message{[]string{"room", "beside"}[r.IntN(2)], time.Now(), fmt.Sprint(len(log) + 1)})
				}
				if r.IntN(2) == 0 {
					follow()
				}
				return copied{log[:servers[r.IntN(3)]], role(r.IntN(8) / 6)}
			}
			f.tear = func(n int) int {
				if r.IntN(10) > 0 {
					return -1
				}
				return r.IntN(n)
			}
			since := f.at(log, 1+r.IntN(len(log)))
			page, err := f.reading().page(t.Context(), since, 1+r.IntN(5))
			if err != nil {
				outcomes["error"]++
				continue
			}
			if !page.Complete {
				outcomes["told"]++
				if len(page.Entries) > 0 {
					t.Fatalf("since %d: %+v", since.Seq, page)
				}
				continue
			}
			outcomes["complete"]++
			var want []string
			for i := since.Seq; i < page.Top.Seq; i++ {
				if log[i].subject == "room" {
					want = append(want, log[i].text)
				}
			}
			if got := numbers(page.Entries); got != strings.Join(want, " ") {
				t.Fatalf("%q, since %d: %+v, want %q", rooms, since.Seq, page, want)
			}
		}
		t.Logf("%v", outcomes)
		if outcomes["complete"] < outcomes["told"] || outcomes["told"] == 0 {
			t.Errorf("%v: most answers should be complete, and some not", outcomes)
		}
	})
}

// Errors of servers that are starting together are temporary, and so is for a while
// that of one that removes files; other errors are returned at once.
func TestErrorsThatPass(t *testing.T) {
	const never, always = 0, time.Hour
	for err, until := range map[error]time.Duration{
		nil:                      never,
		cluster.ErrDown:          never,
		nats.ErrNoResponders:     always,
		context.DeadlineExceeded: always,
		&jetstream.APIError{Code: 503, ErrorCode: 10008}:        always, // no leader
		&jetstream.APIError{Code: 400, ErrorCode: codeNoPeers}:  always,
		&jetstream.APIError{Code: 500, ErrorCode: codeNoFiles}:  removeTime,
		&jetstream.APIError{Code: 404, ErrorCode: codeNoStream}: never,
		&jetstream.APIError{Code: 500, ErrorCode: 10074}:        never, // one server, three copies
	} {
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		for _, failing := range []time.Duration{0, removeTime - 1, removeTime, always - 1} {
			if got, want := passes(err, failing), failing < until; got != want {
				t.Errorf("%v, for %v: %v, want %v", err, failing, got, want)
			}
		}
	}
}
