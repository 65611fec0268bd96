package cluster

import (
	"encoding/json"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// ChangeMethod is the method of the pushes that tell members who joined
// [WithChanges], with a [Change], who joins and leaves a room of
// Options.Changes.
const ChangeMethod = "/erpc.cluster/change"

// A Change says who joined and left a room on one node within a moment.
type Change struct {
	Room   string   `json:"room"`
	Joined []Member `json:"joined,omitempty"`
	Left   []Member `json:"left,omitempty"`
	// Many says that there were too many to list: call Presence.
	Many bool `json:"many,omitempty"`
	// Gone, if not "", is a node that died: all members whose address begins with
	// it and a slash have left.
	Gone string `json:"gone,omitempty"`
}

// maxChanges is how many members one change lists.
const maxChanges = 100

// WithChanges makes the cluster tell the session who joins and leaves the room,
// if that is one of Options.Changes. Presence returns who was there before.
func WithChanges() JoinOption { return func(j *joining) { j.changes = true } }

// tellsChanges reports whether members of a room can ask for changes.
func (c *Cluster) tellsChanges(room string) bool {
	for _, prefix := range c.opt.Changes {
		if strings.HasPrefix(room, prefix) {
			return true
		}
	}
	return false
}

// changes holds the changes of one topic that were not published yet.
type changes struct {
	of   map[*member]bool // true: it joined
	many bool
}

// noteLocked records that a member joined or left; t.mu is held. Joining and
// leaving before the next publication cancel each other out.
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

// takeChanges returns the changes that were not published yet, and whether
// there are any.
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

// publishChanges publishes the changes of this node to all nodes, itself
// included. It also tells members that missed a change to reload.
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
		if err != nil { // not retried: after a cut, members are told that they missed changes
			c.warn("cluster: changes of room %q: %v", t.room, err)
		}
	}
}

// tellChange pushes a change, in JSON, to the members who asked for changes.
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

// pushChange pushes a change to members, and records which ones had no room in
// their queue.
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

// tellMissed tells members that they missed changes, once they have room.
func (c *Cluster) tellMissed(t *topic) {
	if c.gaps.held() {
		return
	}
	t.mu.Lock()
	var to []*membership
	for _, in := range t.members {
		if in.missedChange {
			in.missedChange = false // pushChange sets it again if there is still no room
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

// missChanges records that the members of a topic missed changes.
func (t *topic) missChanges() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range t.members {
		in.missedChange = in.missedChange || in.changes
	}
}

// nodeGone ends what waits for a node, and tells members that the node's
// members have left.
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
