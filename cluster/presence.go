package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// presenceAge is how old the result of Presence may be.
const presenceAge = time.Second

// presences holds the results for the rooms asked for within presenceAge.
type presences struct {
	mu sync.Mutex // guards m
	m  map[string]*presence
}

// A presence is one query for the members of a room.
type presence struct {
	asked   time.Time
	done    chan struct{} // closed when the following is set
	members []Member
	err     error
}

// Presence is [Cluster.Members] for many callers. They share one query to the
// nodes, and the result may be up to a second old. The caller must not modify
// it.
func (c *Cluster) Presence(ctx context.Context, room string) ([]Member, error) {
	now := time.Now()
	c.presences.mu.Lock()
	p := c.presences.m[room]
	ask := p == nil || now.Sub(p.asked) >= presenceAge
	if ask {
		p = &presence{asked: now, done: make(chan struct{})}
		c.presences.m[room] = p
	}
	c.presences.mu.Unlock()
	if ask && !c.spawn(func() { c.askPresence(p, room) }) {
		p.err = ErrNotRunning
		close(p.done)
	}
	select {
	case <-p.done:
		return p.members, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Cluster) askPresence(p *presence, room string) {
	p.members, p.err = c.Members(context.Background(), room)
	if p.err != nil { // the next caller asks again
		c.presences.mu.Lock()
		if c.presences.m[room] == p {
			delete(c.presences.m, room)
		}
		c.presences.mu.Unlock()
	}
	close(p.done)
}

// forgetOld removes results that are too old.
func (ps *presences) forgetOld(now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for room, p := range ps.m {
		if now.Sub(p.asked) >= presenceAge {
			delete(ps.m, room)
		}
	}
}

// usersAtOnce is how many users one query contains.
const usersAtOnce = 1000

// Online returns those of the users that have a session on any node, sorted.
// With ErrIncomplete it returns what the nodes that answered know.
func (c *Cluster) Online(ctx context.Context, users ...string) (online []string, err error) {
	if c.life.is() != lifeRunning {
		return nil, ErrNotRunning
	}
	online = c.localUsers(users)
	for part := range slices.Chunk(users, usersAtOnce) {
		body, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("cluster: users: %w", err)
		}
		answers, incomplete := c.askNodes(ctx, &envelope{kind: kindAsk, count: askOnline, body: body})
		for _, e := range answers {
			var some []string
			if e.kind != kindTell {
				continue
			}
			if err := json.Unmarshal(e.body, &some); err != nil {
				return nil, fmt.Errorf("cluster: users of node %s: %w", e.node, err)
			}
			online = append(online, some...)
		}
		if incomplete != nil {
			slices.Sort(online)
			return slices.Compact(online), incomplete
		}
	}
	slices.Sort(online)
	return slices.Compact(online), nil
}

// localUsers returns those of the users that have a session here.
func (c *Cluster) localUsers(users []string) (online []string) {
	for _, u := range users {
		if t := c.topics.get(c.subjectUser(u)); u != "" && t != nil && len(t.all()) > 0 {
			online = append(online, u)
		}
	}
	return online
}

// tellOnline answers a query of Online.
func (c *Cluster) tellOnline(e *envelope) {
	var users []string
	if err := json.Unmarshal(e.body, &users); err != nil {
		c.warn("cluster: query of node %s: %v", e.node, err)
		return
	}
	to := c.subjectNode(e.node)
	if online := c.localUsers(users); len(online) > 0 {
		body, err := json.Marshal(online)
		if err == nil {
			err = c.send(to, 0, &envelope{kind: kindTell, id: e.id, body: body})
		}
		if err != nil {
			c.warn("cluster: users for node %s: %v", e.node, err)
			return // without a kindEnd the asking node reports ErrIncomplete
		}
	}
	c.sendOrWarn(to, &envelope{kind: kindEnd, id: e.id})
}
