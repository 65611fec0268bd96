package cluster

import (
	"context"
	"encoding/json"
	"fmt"
)

// A Member is a session in a room.
type Member struct {
	Address string `json:"address"`
	User    string `json:"user,omitempty"`
	Info    string `json:"info,omitempty"` // set by [WithInfo]
}

// The questions of a kindAsk.
const (
	askCount   uint64 = iota // how many members a room has; the answer is the count of the kindEnd
	askMembers               // which members a room has
	askOnline                // which of the users in the body, a JSON list, have a session here
)

// tellAtOnce is how many members one part of an answer lists.
const tellAtOnce = 1000

// Members returns the members of a room on all nodes, in no particular order.
// With ErrIncomplete it returns those of the nodes that answered.
func (c *Cluster) Members(ctx context.Context, room string) ([]Member, error) {
	answers, err := c.askNodes(ctx, &envelope{kind: kindAsk, session: room, count: askMembers})
	all := c.localMembers(room)
	for _, e := range answers {
		if e.kind != kindTell {
			continue
		}
		var some []Member
		if err := json.Unmarshal(e.body, &some); err != nil {
			return all, fmt.Errorf("cluster: members of node %s: %w", e.node, err)
		}
		all = append(all, some...)
	}
	return all, err
}

// Count returns how many sessions are in a room, on all nodes.
func (c *Cluster) Count(ctx context.Context, room string) (int, error) {
	answers, err := c.askNodes(ctx, &envelope{kind: kindAsk, session: room, count: askCount})
	n := len(c.localMembers(room))
	for _, e := range answers {
		if e.kind == kindEnd {
			n += int(min(e.count, 1<<31))
		}
	}
	return n, err
}

// askNodes asks every other node.
func (c *Cluster) askNodes(ctx context.Context, e *envelope) ([]*envelope, error) {
	if c.life.is() != lifeRunning {
		return nil, ErrNotRunning
	}
	if c.nodes.isCut() { // nodes that it no longer hears may be alive
		return nil, ErrDown
	}
	ids := c.Nodes()
	if len(ids) == 0 {
		return nil, nil
	}
	answers, open, err := c.ask(ctx, ids, e)
	if err == nil && len(open) > 0 {
		err = fmt.Errorf("%w: %d of %d did not", ErrIncomplete, len(open), len(ids))
	}
	return answers, err
}

func (c *Cluster) localMembers(room string) []Member {
	t := c.topics.get(c.subjectRoom(room))
	if t == nil {
		return nil
	}
	all, infos := t.allInfos()
	members := make([]Member, 0, len(all))
	for i, m := range all {
		m.mu.Lock()
		user := m.user
		m.mu.Unlock()
		members = append(members, Member{c.Address(m.sess), user, infos[i]})
	}
	return members
}

// tell answers a kindAsk, in parts that the engine can carry.
func (c *Cluster) tell(e *envelope) {
	if e.count == askOnline {
		c.tellOnline(e)
		return
	}
	members := c.localMembers(e.session)
	to := c.subjectNode(e.node)
	for i := 0; e.count == askMembers && i < len(members); i += tellAtOnce {
		body, err := json.Marshal(members[i:min(i+tellAtOnce, len(members))])
		if err == nil {
			err = c.send(to, 0, &envelope{kind: kindTell, id: e.id, body: body})
		}
		if err != nil {
			c.warn("cluster: members for node %s: %v", e.node, err)
			return // without a kindEnd the asking node reports ErrIncomplete
		}
	}
	c.sendOrWarn(to, &envelope{kind: kindEnd, id: e.id, count: uint64(len(members))})
}
