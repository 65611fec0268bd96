package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// A topicState is the state of a node's subscription to one subject.
type topicState byte

const (
	topicNew        topicState = iota // no subscription yet
	topicSubscribed                   // the engine has the subscription
	topicEnded                        // removed from the table; join makes a new topic
)

func (s topicState) String() string { return [...]string{"new", "subscribed", "ended"}[s] }

// topicMoves lists the transitions.
var topicMoves = map[topicState][]topicState{
	topicNew:        {topicSubscribed, topicEnded},
	topicSubscribed: {topicEnded},
	topicEnded:      nil,
}

// A topic is a room or a user that has members on this node.
type topic struct {
	subject string
	room    string // its name for members; "" for a user
	linger  time.Duration
	kept    bool // a room with history
	tell    bool // its members can ask for changes

	sub   sync.Mutex // serializes changes of the subscription; taken before mu
	state topicState // guarded by sub

	deliver sync.Mutex // held while a message or the push of a gap is queued

	mu      sync.Mutex // guards the following
	members map[*member]*membership
	list    []*member // the members; nil after a change, never modified
	empty   time.Time // since when it has no members
	feed    feed
	changes changes
}

// moveLocked changes the state if the table allows it, and reports whether it
// does. t.sub is held.
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

// allInfos returns the members and their infos.
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

// emptySince reports whether the topic has had no members for the linger time.
func (t *topic) emptySince(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.members) == 0 && now.Sub(t.empty) >= t.linger
}

// topics holds the topics of a node, by subject.
type topics struct {
	mu sync.Mutex // guards the following
	m  map[string]*topic
	// The few topics with history, or whose members can ask for changes.
	special map[*topic]struct{}
}

func (ts *topics) get(subject string) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.m[subject]
}

// obtain returns the topic with the subject of fresh. If there is none, it adds
// fresh.
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

// A member is the cluster's state of a session.
type member struct {
	sess erpc.Session

	mu     sync.Mutex // guards the following
	ended  bool
	user   string
	topics []*topic
	gaps   map[*topic]uint64 // number of missed messages
}

// A membership is the membership of one session in one topic. The topic's mutex
// guards it.
type membership struct {
	m            *member
	info         string // set by WithInfo, for those who ask for members
	changes      bool   // it asked for changes
	missedChange bool   // a change was lost, or its queue had no room for it
	state        feedState
	at           Position   // position of the last message queued, in a room with history
	before       []Position // earlier values of at, from when the log was found to end before them
}

// hasLocked reports whether the message at that position was already queued for
// the member. A log that lost its end assigns the same numbers again to newer
// messages. A log that only seemed to have lost it, because a leader did not
// know of it yet, returns the same messages again. The topic's mu is held.
func (in *membership) hasLocked(at Position) bool {
	return in.at.covers(at) || slices.ContainsFunc(in.before, func(p Position) bool { return p.covers(at) && at.Time <= p.Time })
}

// maxBefore is the maximum number of earlier positions that a member remembers.
const maxBefore = 4

// restartLocked makes the member continue at a position, which may be before
// its current one. The topic's mu is held.
func (in *membership) restartLocked(at Position) {
	had := in.at
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

// memberKey is the key of the member in the store of a session.
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

// retire ends the subscriptions that are no longer needed.
func (c *Cluster) retire(now time.Time) {
	for _, t := range c.topics.all() {
		if !t.emptySince(now) || !t.sub.TryLock() { // a member is joining
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
