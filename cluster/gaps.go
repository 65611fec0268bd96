package cluster

import (
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// GapMethod is where a session is told, with a [Gap], that it missed pushes. The
// next push that it gets of that room comes after it.
const GapMethod = "/erpc.cluster/gap"

// A Gap says that a session missed pushes: its queue was full, or the node was cut
// off from the others.
type Gap struct {
	Room   string `json:"room"`   // "" for pushes that came by no room
	Missed uint64 `json:"missed"` // at least so many; 0 if nobody knows
	// Position is that of the next push of a room with history, which does not have
	// what the session missed any more.
	Position string `json:"position,omitempty"`
}

// gaps are the members with a gap that they were not told.
type gaps struct {
	mu    sync.Mutex // guards the following; taken after member.mu
	m     map[*member]struct{}
	holds int // so many want members to wait before they are told, of changes as well
}

// begin notes that m missed n messages.
func (g *gaps) begin(m *member, t *topic, n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return
	}
	if m.gaps == nil {
		m.gaps = map[*topic]uint64{}
	}
	m.gaps[t] += n
	g.mu.Lock()
	defer g.mu.Unlock()
	g.m[m] = struct{}{}
}

func (g *gaps) remove(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.m, m)
}

func (g *gaps) all() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*member, 0, len(g.m))
	for m := range g.m {
		all = append(all, m)
	}
	return all
}

// addToGap reports whether m has a gap, and counts one more message in it.
func (m *member) addToGap(t *topic) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, has := m.gaps[t]
	if has {
		m.gaps[t]++
	}
	return has
}

// missed notes a gap for every member of a subject, of all rooms and users if it
// is "".
func (c *Cluster) missed(subject string) {
	for _, t := range c.topics.all() {
		if subject != "" && t.subject != subject {
			continue
		}
		t.missChanges()
		if t.kept {
			c.doubt(t, nil)
			continue
		}
		t.deliver.Lock()
		for _, m := range t.all() {
			c.gaps.begin(m, t, 0)
		}
		t.deliver.Unlock()
	}
	c.spawn(c.tellGaps) // at once: until then they get nothing
}

// hold makes members wait before they are told, until release.
func (g *gaps) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds++
}

func (g *gaps) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds--
}

func (g *gaps) held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.holds > 0
}

// tellGaps tells the members with room in their queue.
func (c *Cluster) tellGaps() {
	if c.gaps.held() {
		return
	}
	for _, m := range c.gaps.all() {
		m.mu.Lock()
		topics := make([]*topic, 0, len(m.gaps))
		for t := range m.gaps {
			topics = append(topics, t)
		}
		m.mu.Unlock()
		told := true
		for _, t := range topics {
			told = c.tellGap(m, t) && told
		}
		if told {
			c.gaps.forget(m)
		}
	}
}

// forget removes m unless it has got another gap.
func (g *gaps) forget(m *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.gaps) == 0 {
		g.remove(m)
	}
}

// tellGap queues the push of one gap, and reports whether there is nothing left to
// tell.
func (c *Cluster) tellGap(m *member, t *topic) bool {
	t.deliver.Lock()
	defer t.deliver.Unlock()
	m.mu.Lock()
	missed, has := m.gaps[t]
	m.mu.Unlock()
	if !has {
		return true
	}
	gap := Gap{Room: t.room, Missed: missed}
	_, failed := erpc.TryBroadcastTo([]erpc.Session{m.sess}, GapMethod, &gap, erpc.WithBodyCodec(codec.ID_JSON))
	for _, st := range failed {
		if st.Code() == erpc.CodeExhausted || st.Code() == erpc.CodeConnClosed {
			return false // PostDisconnect forgets it if it does not come back
		}
		c.warn("cluster: session %s can't be told that it missed %d pushes: %v", m.sess.ID(), missed, st)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.gaps, t)
	return true
}
