package cluster

import (
	"encoding/json"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// ChangeMethod is where members that joined [WithChanges] are told, with a [Change],
// who joins and leaves a room of Options.Changes.
const ChangeMethod = "/erpc.cluster/change"

// A Change says who joined and left a room on one node within a moment.
type Change struct {
	Room   string   `json:"room"`
	Joined []Member `json:"joined,omitempty"`
	Left   []Member `json:"left,omitempty"`
	// Many says that these were too many to name: ask for Presence.
	Many bool `json:"many,omitempty"`
	// Gone, if not "", is a node that died: all members have left whose address
	// begins with it and a slash.
	Gone string `json:"gone,omitempty"`
}

// maxChanges is how many members one change names.
const maxChanges = 100

// WithChanges tells the session who joins and leaves the room, if that is one of
// Options.Changes. What was before, Presence tells.
func WithChanges() JoinOption { return func(j *joining) { j.changes = true } }

// tellsChanges reports whether members of a room can be told of others.
func (c *Cluster) tellsChanges(room string) bool {
	for _, prefix := range c.opt.Changes {
		if strings.HasPrefix(room, prefix) {
			return true
		}
	}
	return false
}

// changes are those of one topic that the nodes were not told.
type changes struct {
	of   map[*member]bool // true: it joined
	many bool
}

// noteLocked notes that a member joined or left; t.mu is held. Whoever comes and goes
// within a moment has done neither.
func (t *topic) noteLocked(m *member, joined bool) {
	ch := &t.changes
	switch before, has := ch.of[m]; {
	case !t.tell || ch.many:
	case has && before != joined:
		delete(ch.of, m)
	case len(ch.of) >= maxChanges:
		*ch = changes{many: true}
	default:
		if ch.of == nil {
			ch.of = map[*member]bool{}
		}
		ch.of[m] = joined
	}
}

// takeChanges returns what the nodes were not told, and whether that is anything.
func (c *Cluster) takeChanges(t *topic) (change Change, any bool) {
	t.mu.Lock()
	ch := t.changes
	t.changes = changes{}
	infos := map[*member]string{}
	for m := range ch.of {
		if in := t.members[m]; in != nil {
			infos[m] = in.info
		}
	}
	t.mu.Unlock()
	change = Change{Room: t.room, Many: ch.many}
	for m, joined := range ch.of {
		m.mu.Lock()
		user := m.user
		m.mu.Unlock()
		as := Member{c.Address(m.sess), user, infos[m]}
		if joined {
			change.Joined = append(change.Joined, as)
		} else {
			change.Left = append(change.Left, as)
		}
	}
	return change, ch.many || len(ch.of) > 0
}

// publishChanges tells all nodes, this one included, what has changed here, and
// members that missed a change that there were some.
func (c *Cluster) publishChanges() {
	for _, t := range c.topics.allSpecial() {
		if !t.tell {
			continue
		}
		c.tellMissed(t)
		change, any := c.takeChanges(t)
		if !any {
			continue
		}
		body, err := json.Marshal(change)
		if err == nil {
			err = c.send(t.subject, 0, &envelope{kind: kindChange, body: body})
		}
		if err != nil { // the nodes are told that they were cut off, too
			c.warn("cluster: changes of room %q: %v", t.room, err)
		}
	}
}

// tellChange pushes a change, in JSON, to those who asked.
func (c *Cluster) tellChange(t *topic, change []byte) {
	t.mu.Lock()
	var to []*membership
	for _, in := range t.members {
		if in.changes {
			to = append(to, in)
		}
	}
	t.mu.Unlock()
	c.pushChange(t, to, change)
}

// pushChange pushes a change to members, and notes who had no room.
func (c *Cluster) pushChange(t *topic, to []*membership, change []byte) {
	if len(to) == 0 {
		return
	}
	sessions := make([]erpc.Session, len(to))
	for i, in := range to {
		sessions[i] = in.m.sess
	}
	_, failed := erpc.TryBroadcastTo(sessions, ChangeMethod, change, erpc.WithBodyCodec(codec.ID_JSON))
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range to {
		in.missedChange = in.missedChange || failed[in.m.sess.ID()] != nil
	}
}

// tellMissed tells members that missed a change, when they have room.
func (c *Cluster) tellMissed(t *topic) {
	if c.gaps.held() {
		return
	}
	t.mu.Lock()
	var to []*membership
	for _, in := range t.members {
		if in.missedChange {
			in.missedChange = false // unless it has no room for this either
			to = append(to, in)
		}
	}
	t.mu.Unlock()
	if len(to) == 0 {
		return
	}
	body, err := json.Marshal(Change{Room: t.room, Many: true})
	if err != nil {
		c.warn("cluster: %v", err)
		return
	}
	c.pushChange(t, to, body)
}

// missChanges notes that the members of a topic missed changes.
func (t *topic) missChanges() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range t.members {
		in.missedChange = in.missedChange || in.changes
	}
}

// nodeGone ends what waits for a node, and tells members that those there have left.
func (c *Cluster) nodeGone(node string) {
	c.pending.gone(node)
	for _, t := range c.topics.allSpecial() {
		if !t.tell {
			continue
		}
		body, err := json.Marshal(Change{Room: t.room, Gone: node})
		if err != nil {
			c.warn("cluster: %v", err)
			return
		}
		c.tellChange(t, body)
	}
}
