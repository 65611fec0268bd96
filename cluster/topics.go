package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// A topicState is what a node has with the engine for one subject.
type topicState byte

const (
	topicNew        topicState = iota // no subscription yet
	topicSubscribed                   // the engine has it
	topicEnded                        // out of the table; join makes another
)

func (s topicState) String() string { return [...]string{"new", "subscribed", "ended"}[s] }

// topicMoves are the transitions.
var topicMoves = map[topicState][]topicState{
	topicNew:        {topicSubscribed, topicEnded},
	topicSubscribed: {topicEnded},
	topicEnded:      nil,
}

// A topic is a room or a user that has members on this node.
type topic struct {
	subject string
	room    string // what members know it as; "" for a user
	linger  time.Duration
	kept    bool // it is a room with history
	tell    bool // its members can ask for changes

	sub   sync.Mutex // serialises the changes of the subscription; taken before mu
	state topicState // guarded by sub

	deliver sync.Mutex // held while a message, or the push of a gap, is queued

	mu      sync.Mutex // guards the following
	members map[*member]*membership
	list    []*member // of members; nil after a change, never modified
	empty   time.Time // since when there are no members
	feed    feed
	changes changes
}

// moveLocked changes the state if the table has that move; t.sub is held. It
// reports whether it has.
func (t *topic) moveLocked(to topicState) bool {
	may := slices.Contains(topicMoves[t.state], to)
	if may {
		t.state = to
	}
	return may
}

// all returns the members. The caller must not modify the result.
func (t *topic) all() []*member {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil {
		t.list = make([]*member, 0, len(t.members))
		for m := range t.members {
			t.list = append(t.list, m)
		}
	}
	return t.list
}

// allInfos returns the members with what they said of themselves.
func (t *topic) allInfos() (all []*member, infos []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for m, in := range t.members {
		all, infos = append(all, m), append(infos, in.info)
	}
	return all, infos
}

func (t *topic) enter(m *member, as joining) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in := t.members[m]; in != nil {
		in.info, in.changes = as.info, as.changes
		return
	}
	t.members[m], t.list = &membership{m: m, info: as.info, changes: as.changes}, nil
	t.noteLocked(m, true)
}

func (t *topic) leave(m *member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, was := t.members[m]; was {
		delete(t.members, m)
		t.list = nil
		t.noteLocked(m, false)
		if len(t.members) == 0 {
			t.empty = time.Now()
		}
	}
}

// emptySince reports whether there have been no members for the linger time.
func (t *topic) emptySince(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.members) == 0 && now.Sub(t.empty) >= t.linger
}

// topics are those of a node, by subject.
type topics struct {
	mu sync.Mutex // guards the following
	m  map[string]*topic
	// Those with history, or whose members can ask for changes: few of many.
	special map[*topic]struct{}
}

func (ts *topics) get(subject string) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.m[subject]
}

// obtain returns the topic with the subject of fresh, which it enters if there is
// none.
func (ts *topics) obtain(fresh *topic) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.m[fresh.subject]
	if t == nil {
		t = fresh
		t.members, t.empty = map[*member]*membership{}, time.Now()
		ts.m[t.subject] = t
		if t.kept || t.tell {
			ts.special[t] = struct{}{}
		}
	}
	return t
}

func (ts *topics) remove(t *topic) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.m, t.subject)
	delete(ts.special, t)
}

// allSpecial returns the topics with history or changes.
func (ts *topics) allSpecial() []*topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	all := make([]*topic, 0, len(ts.special))
	for t := range ts.special {
		all = append(all, t)
	}
	return all
}

func (ts *topics) all() []*topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	all := make([]*topic, 0, len(ts.m))
	for _, t := range ts.m {
		all = append(all, t)
	}
	return all
}

// A member is the part of a session in the cluster.
type member struct {
	sess erpc.Session

	mu     sync.Mutex // guards the following
	ended  bool
	user   string
	topics []*topic
	gaps   map[*topic]uint64 // messages missed since the session had no room
}

// A membership is that of one session in one topic. The topic's mutex guards it.
type membership struct {
	m            *member
	info         string // what the session says of itself to those who ask for members
	changes      bool   // it asked for changes
	missedChange bool   // it had no room for one, or it did not come
	state        feedState
	at           Position   // of the last message queued, in a room with history
	before       []Position // what at was when the log was seen to end in front of it
}

// hasLocked reports whether a message was queued for the member. A log that had lost
// its tail gives the numbers again, to messages that are newer; one that only seemed to
// have lost it, because a leader did not know of it yet, returns what it had before.
// The topic's mu is held.
func (in *membership) hasLocked(at Position) bool {
	return in.at.covers(at) || slices.ContainsFunc(in.before, func(p Position) bool { return p.covers(at) && at.Time <= p.Time })
}

// maxBefore is how many positions a member remembers that it had before.
const maxBefore = 4

// restartLocked makes the member go on at a position, which may lie in front of the one
// it had. The topic's mu is held.
func (in *membership) restartLocked(had, at Position) {
	in.at = at
	if had.Epoch != at.Epoch || had.Seq <= at.Seq {
		return
	}
	in.before = slices.DeleteFunc(in.before, func(p Position) bool { return had.covers(p) && p.Time <= had.Time || p.Epoch != had.Epoch })
	if len(in.before) == maxBefore {
		in.before = in.before[1:]
	}
	in.before = append(in.before, had)
}

// memberKey finds the member in the store of a session.
type memberKey struct{ c *Cluster }

func (c *Cluster) member(sess erpc.Session) *member {
	v, _ := sess.Swap().LoadOrStore(memberKey{c}, &member{sess: sess})
	return v.(*member)
}

// join makes m a member of the topic and returns when the engine has the
// subscription.
func (c *Cluster) join(ctx context.Context, m *member, subject, room string, as joining, linger time.Duration) (*topic, error) {
	for {
		t := c.topics.obtain(&topic{
			subject: subject, room: room, linger: linger,
			kept: room != "" && c.historyOf(room) != nil,
			tell: room != "" && c.tellsChanges(room),
		})
		t.sub.Lock()
		if t.state == topicEnded {
			t.sub.Unlock()
			continue
		}
		err := c.joinLocked(ctx, t, m, as)
		t.sub.Unlock()
		return t, err
	}
}

// joinLocked is join with t.sub held.
func (c *Cluster) joinLocked(ctx context.Context, t *topic, m *member, as joining) error {
	m.mu.Lock()
	if m.ended {
		m.mu.Unlock()
		return ErrSessionEnded
	}
	member := slices.Contains(m.topics, t)
	if !member && t.room != "" && m.roomsLocked() >= c.opt.MaxRooms {
		m.mu.Unlock()
		return ErrTooManyRooms
	}
	if !member {
		m.topics = append(m.topics, t)
	}
	t.enter(m, as)
	m.mu.Unlock()
	if t.state == topicSubscribed {
		return nil
	}
	if err := c.engine.Subscribe(ctx, t.subject); err != nil {
		c.part(m, t)
		return err
	}
	t.moveLocked(topicSubscribed)
	return nil
}

// part ends a membership and reports whether there was one.
func (c *Cluster) part(m *member, t *topic) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.topics, t)
	if i < 0 {
		return false
	}
	m.topics = slices.Delete(m.topics, i, i+1)
	delete(m.gaps, t)
	t.leave(m)
	return true
}

// end ends every membership of a session that has ended.
func (c *Cluster) end(m *member) {
	m.mu.Lock()
	m.ended = true
	for _, t := range m.topics {
		t.leave(m)
	}
	m.topics, m.gaps = nil, nil
	m.mu.Unlock()
	c.gaps.remove(m)
}

// retire ends the subscriptions that nobody needs any more.
func (c *Cluster) retire(now time.Time) {
	for _, t := range c.topics.all() {
		if !t.emptySince(now) || !t.sub.TryLock() { // somebody joins
			continue
		}
		if t.emptySince(now) && t.state != topicEnded {
			if t.state == topicSubscribed {
				if err := c.engine.Unsubscribe(t.subject); err != nil {
					c.warn("cluster: unsubscribe: %v", err)
				}
			}
			t.moveLocked(topicEnded)
			c.topics.remove(t)
		}
		t.sub.Unlock()
	}
}

// roomsLocked counts the rooms; m.mu is held.
func (m *member) roomsLocked() (n int) {
	for _, t := range m.topics {
		if t.room != "" {
			n++
		}
	}
	return n
}
