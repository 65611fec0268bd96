package clustertest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc/cluster"
)

const (
	group   = "erpc.h.bA"
	subject = group + ".broom"
	beside  = group + ".bbeside"
)

func texts(entries []cluster.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, string(e.Data))
	}
	return all
}

// fill appends messages to the subject, alternating with messages to another
// subject, and returns the messages as delivered.
func (n *node) fill(log cluster.Log, count int) (all []stored) {
	n.Helper()
	n.must("Subscribe", n.Subscribe(n.Context(), subject))
	for i := range count {
		n.must("Append", log.Append(n.Context(), beside, []byte("beside")))
		n.must("Append", log.Append(n.Context(), subject, fmt.Append(nil, i)))
	}
	n.eventually("all that was appended", func() bool { return len(n.kept(subject)) >= count })
	return n.kept(subject)
}

// Appended messages are delivered in the order of their positions, each with
// the number of the previous message of its subject.
func testLogPositions(s *suite) {
	n, log := s.startLog(group, 5)
	if err := log.Append(s.Context(), "erpc.h.bunknown.broom", nil); err == nil {
		s.Error("Append to a group without Keep")
	}
	before := time.Now().Add(-time.Minute)
	var prev uint64
	for i, m := range n.fill(log, 7) {
		switch {
		case m.text != fmt.Sprint(i), m.prev != prev, m.at.Seq <= prev, m.at.Epoch == "":
			s.Errorf("message %d: %+v, after number %d", i, m, prev)
		case m.at.Time < before.UnixNano() || m.at.Time > time.Now().Add(time.Minute).UnixNano():
			s.Errorf("message %d was stored at %v, want now", i, time.Unix(0, m.at.Time))
		}
		if p, err := cluster.ParsePosition(m.at.String()); err != nil || p != m.at {
			s.Errorf("position %+v: its text is read as %+v, %v", m.at, p, err)
		}
		prev = m.at.Seq
	}
	if got := n.kept(beside); len(got) > 0 {
		s.Errorf("%d messages of a subject without a subscription", len(got))
	}
}

// Read returns what was stored after a position, in pages, on any node.
func testLogReads(s *suite) {
	n, log := s.startLog(group, 100)
	other, _ := s.startLog(group, 100)
	empty, err := log.Top(s.Context(), subject)
	s.must("Top", err)
	all := n.fill(log, 7)
	top, err := log.Top(s.Context(), subject)
	s.must("Top", err)
	if top.Epoch != all[6].at.Epoch || top.Seq < all[6].at.Seq {
		s.Errorf("the top is %+v, and the last message at %+v", top, all[6].at)
	}
	for _, reader := range []cluster.Log{log, other.Engine.(cluster.Log)} {
		for i, m := range append([]stored{{at: empty}}, all...) {
			page, err := reader.Read(s.Context(), subject, m.at, 100)
			s.must("Read", err)
			var want []string
			for k := i; k < len(all); k++ {
				want = append(want, all[k].text)
			}
			if !page.Complete || page.More || page.Top.Seq < all[6].at.Seq || !slices.Equal(texts(page.Entries), want) {
				s.Errorf("after %+v: %+v, want %q", m.at, page, want)
			}
			for k, e := range page.Entries {
				if e.At != all[i+k].at {
					s.Errorf("%s is read at %+v and came at %+v", e.Data, e.At, all[i+k].at)
				}
			}
		}
		page, err := reader.Read(s.Context(), subject, all[1].at, 2)
		s.must("Read", err)
		if !page.Complete || !page.More || page.Top != all[3].at || !slices.Equal(texts(page.Entries), []string{"2", "3"}) {
			s.Errorf("a part: %+v", page)
		}
		page, err = reader.Read(s.Context(), group+".bfresh", top, 100)
		s.must("Read", err)
		if !page.Complete || len(page.Entries) > 0 {
			s.Errorf("a subject where nothing was said: %+v", page)
		}
	}
}

// A page after a position that is no longer kept, or never was, is not
// complete.
func testLogForgets(s *suite) {
	n, log := s.startLog(group, 5)
	empty, err := log.Top(s.Context(), subject)
	s.must("Top", err)
	all := n.fill(log, 8) // the last five are kept: those after index 2
	later := all[7].at
	later.Seq += 1000
	for name, c := range map[string]struct {
		since    cluster.Position
		complete bool
	}{
		"before all":               {empty, false},
		"the first":                {all[0].at, false},
		"one that is kept":         {all[3].at, true},
		"the last":                 {all[7].at, true},
		"another epoch":            {cluster.Position{Epoch: "x", Seq: all[7].at.Seq, Time: all[7].at.Time}, false},
		"a number not yet given":   {later, false},
		"the position of nobody":   {cluster.Position{}, false},
		"the one before the first": {all[1].at, false},
	} {
		page, err := log.Read(s.Context(), subject, c.since, 100)
		s.must("Read", err)
		if page.Complete != c.complete || !c.complete && len(page.Entries) > 0 || page.Top.Seq < all[7].at.Seq {
			s.Errorf("%s: %+v, want complete %v", name, page, c.complete)
		}
	}
}

// With several concurrent writers, every message is delivered once, in the same
// order on every node, with the number of the previous one.
func testLogConcurrently(s *suite) {
	const writers, messages = 4, 25
	a, log := s.startLog(group, 1000)
	b, other := s.startLog(group, 1000)
	for _, n := range []*node{a, b} {
		s.must("Subscribe", n.Subscribe(s.Context(), subject))
	}
	var wg sync.WaitGroup
	for w := range writers {
		l := []cluster.Log{log, other}[w%2]
		wg.Go(func() {
			for i := range messages {
				if err := l.Append(s.Context(), subject, fmt.Appendf(nil, "%d %d", w, i)); err != nil {
					s.Errorf("Append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range []*node{a, b} {
		s.eventually("all that was appended", func() bool { return len(n.kept(subject)) >= writers*messages })
	}
	got := a.kept(subject)
	if !slices.Equal(got, b.kept(subject)) || len(got) != writers*messages {
		s.Errorf("%d messages, in different orders for two nodes", len(got))
	}
	next := map[int]int{}
	var prev uint64
	for _, m := range got {
		var w, i int
		if _, err := fmt.Sscan(m.text, &w, &i); err != nil || i != next[w] || m.prev != prev {
			s.Errorf("%+v, after number %d, want message %d of writer %d", m, prev, next[w], w)
		}
		next[w], prev = i+1, m.at.Seq
	}
}

// After a cut, an engine can read what it missed.
func testLogCut(s *suite) {
	if s.medium.SetConnected == nil {
		s.Skip("the medium has no SetConnected")
	}
	a, log := s.startLog(group, 100)
	_, other := s.startLog(group, 100)
	last := a.fill(log, 3)[2].at
	s.medium.SetConnected(a.Engine, false)
	s.eventually("a is told", func() bool { downs, _ := a.turns(); return downs == 1 })
	a.down("while it is cut off")
	s.must("Append", other.Append(s.Context(), subject, []byte("missed")))
	s.medium.SetConnected(a.Engine, true)
	s.eventually("a is told", func() bool { _, ups := a.turns(); return ups == 1 })
	page, err := log.Read(s.Context(), subject, last, 100)
	s.must("Read", err)
	if !page.Complete || !slices.Equal(texts(page.Entries), []string{"missed"}) {
		s.Errorf("after the cut: %+v", page)
	}
	s.must("Append", other.Append(s.Context(), subject, []byte("next")))
	s.eventually("the next message", func() bool {
		all := a.kept(subject)
		return len(all) > 3 && all[len(all)-1].text == "next" && all[len(all)-1].prev == page.Entries[0].At.Seq
	})
}
