package cluster

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"
)

// Join makes a session of this node's peer a member of a room, until it leaves
// or ends. It receives everything that is published after Join has returned. A
// room exists as long as it has members.
//
// Don't use a name from the client without checking it, because members of a
// room read everything that is published there.
func (c *Cluster) Join(ctx context.Context, sess erpc.Session, room string, opts ...JoinOption) error {
	_, err := c.enter(ctx, sess, room, Position{}, opts)
	return err
}

// A Joined is the result of [Cluster.Resume].
type Joined struct {
	// Recovered says that the session gets everything that was published since the
	// position it passed. Otherwise it must reload its state: it only gets what is
	// published from now on.
	Recovered bool `json:"recovered"`
	// Position is the position after which pushes continue; "" in a room without
	// history.
	Position string `json:"position"`
}

// Resume is [Cluster.Join] for a session that was in the room before, perhaps
// on another node, and has the position of the last push that it got there.
// What was published since then is pushed to it first. Pass "" for a session
// without a position. Such a session is not recovered, and neither is any
// session in a room without history.
func (c *Cluster) Resume(ctx context.Context, sess erpc.Session, room, position string, opts ...JoinOption) (Joined, error) {
	since, err := ParsePosition(position)
	if err != nil {
		return Joined{}, err
	}
	return c.enter(ctx, sess, room, since, opts)
}

// maxRoomName is the maximum length of the name of a room, in bytes.
const maxRoomName = 1024

var errRoomName = erpc.NewStatus(erpc.CodeBadMessage, fmt.Sprintf("cluster: the name of a room has 1 to %d bytes", maxRoomName)).Err()

// enter makes a session a member, starting at position since if that is set.
func (c *Cluster) enter(ctx context.Context, sess erpc.Session, room string, since Position, opts []JoinOption) (Joined, error) {
	if room == "" || len(room) > maxRoomName {
		return Joined{}, errRoomName
	}
	var j joining
	for _, o := range opts {
		o(&j)
	}
	m := c.member(sess)
	t, err := c.enlist(ctx, m, c.subjectRoom(room), room, j)
	if err != nil || !t.kept {
		return Joined{}, err
	}
	joined, err := c.begin(ctx, t, m, since)
	if err != nil {
		c.part(m, t)
		return Joined{}, err
	}
	return joined, nil
}

// begin sets the position from which a member of a room with history gets
// pushes.
func (c *Cluster) begin(ctx context.Context, t *topic, m *member, since Position) (Joined, error) {
	t.mu.Lock()
	in, known := t.members[m], t.feed.known
	fresh := in != nil && (in.state == feedWaiting || since != Position{})
	if fresh {
		in.moveLocked(feedWaiting)
	}
	t.mu.Unlock()
	if !fresh { // it has left, or already is a member
		return Joined{}, nil
	}
	page, err := c.log.Read(ctx, t.subject, since, pageSize)
	if err != nil {
		return Joined{}, err
	}
	recovered := page.Complete
	t.mu.Lock()
	in.at, in.before = since, nil
	if !recovered {
		in.restartLocked(page.Top)
	}
	at := in.at
	in.moveLocked(feedBehind)
	t.mu.Unlock()
	page.Complete = true // the caller learns from Joined that it was not
	c.catchUp(t, at, known, page)
	c.read(t)
	return Joined{recovered, at.String()}, nil
}

// A JoinOption adjusts one [Cluster.Join].
type JoinOption func(*joining)

type joining struct {
	info    string
	changes bool
}

// WithInfo sets what [Cluster.Members] returns about the session, such as a
// name or a document.
func WithInfo(info string) JoinOption { return func(j *joining) { j.info = info } }

// enlist is join followed by the barrier. If it fails, the session is not a
// member.
func (c *Cluster) enlist(ctx context.Context, m *member, subject, room string, as joining) (*topic, error) {
	if c.life.is() != lifeRunning {
		return nil, ErrNotRunning
	}
	linger := c.opt.Linger
	if room == "" {
		linger = 0
	}
	t, err := c.join(ctx, m, subject, room, as, linger)
	if err != nil {
		return nil, err
	}
	if err := c.pass(ctx); err != nil {
		c.part(m, t)
		return nil, err
	}
	return t, nil
}

// Leave ends a membership and reports whether there was one. A message in
// transit may still arrive.
func (c *Cluster) Leave(sess erpc.Session, room string) bool {
	t := c.topics.get(c.subjectRoom(room))
	return t != nil && c.part(c.member(sess), t)
}

// Rooms returns the rooms that the session is in.
func (c *Cluster) Rooms(sess erpc.Session) (rooms []string) {
	m := c.member(sess)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.topics {
		if t.subject == c.subjectRoom(t.room) {
			rooms = append(rooms, t.room)
		}
	}
	return rooms
}

// Publish pushes arg to serviceMethod of every member of a room, on all nodes.
// That includes the publisher, unless [Except] names it. arg is encoded once.
func (c *Cluster) Publish(ctx context.Context, room, serviceMethod string, arg any, opts ...Option) error {
	e, _, err := c.push(serviceMethod, arg, opts)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.historyOf(room) == nil {
		return c.send(c.subjectRoom(room), 0, e)
	}
	e.node = c.node
	if e.size() > c.engine.MaxPayload() {
		return ErrTooLarge
	}
	return c.log.Append(ctx, c.subjectRoom(room), e.encode())
}

// SetUser sets the user of a session. A user may have sessions on several
// nodes. "" means no user.
func (c *Cluster) SetUser(ctx context.Context, sess erpc.Session, user string) error {
	m := c.member(sess)
	m.mu.Lock()
	was := m.user
	m.mu.Unlock()
	if was == user {
		return nil
	}
	if user != "" {
		if _, err := c.enlist(ctx, m, c.subjectUser(user), "", joining{}); err != nil {
			return err
		}
	}
	m.mu.Lock()
	was, m.user = m.user, user
	m.mu.Unlock()
	if t := c.topics.get(c.subjectUser(was)); t != nil && was != user {
		c.part(m, t)
	}
	return nil
}

// User returns the user that SetUser set for the session, or "".
func (c *Cluster) User(sess erpc.Session) string {
	m := c.member(sess)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user
}
