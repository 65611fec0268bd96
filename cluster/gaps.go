package cluster

import (
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// GapMethod is the method of the push that tells a session, with a [Gap], that
// it missed pushes. The session gets it before the next push of that room.
const GapMethod = "/erpc.cluster/gap"

// A Gap tells a session that it missed pushes, because its queue was full or
// its node was cut off from the others.
type Gap struct {
	Room   string `json:"room"`   // "" for pushes that were not to a room
	Missed uint64 `json:"missed"` // at least this many; 0 if unknown
	// Position is set for a room with history that no longer has what the session
	// missed: pushes continue after it.
	Position string `json:"position,omitempty"`
}

// gaps holds the members that were not told of their gap yet.
type gaps struct {
	mu    sync.Mutex // guards the following; taken after member.mu
	m     map[*member]struct{}
	holds int // number of holds: while it is not 0, members are not told of gaps and changes
}

// begin records that m missed n messages.
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

// addToGap reports whether m has a gap, and if so counts one more missed
// message.
func (m *member) addToGap(t *topic) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, has := m.gaps[t]
	if has {
		m.gaps[t]++
	}
	return has
}

// missed records a gap for every member of a subject, or of all rooms and users
// if subject is "".
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
	c.spawn(c.tellGaps) // at once, because members with a gap get nothing until they are told
}

// hold delays telling members of gaps until release.
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

// tellGaps tells the members that have room in their queue of their gaps.
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

// forget removes m unless it has a new gap.
func (g *gaps) forget(m *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.gaps) == 0 {
		g.remove(m)
	}
}

// tellGap queues the push of one gap. It reports whether nothing is left to
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
			return false // try again later; PostDisconnect forgets the gap if the session does not come back
		}
		c.warn("cluster: session %s can't be told that it missed %d pushes: %v", m.sess.ID(), missed, st)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.gaps, t)
	return true
}
