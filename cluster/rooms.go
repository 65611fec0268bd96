package cluster

import (
	"context"
	"errors"

	"github.com/goerpc/erpc"
)

// Join makes a session of this node's peer a member of a room, until it leaves or
// ends. What anybody publishes after Join has returned arrives. A room exists as
// long as it has members.
//
// The name must not come from the session unchecked: whoever is in a room reads
// what is said there.
func (c *Cluster) Join(ctx context.Context, sess erpc.Session, room string, opts ...JoinOption) error {
	if room == "" {
		return errors.New("cluster: a room needs a name")
	}
	var j joining
	for _, o := range opts {
		o(&j)
	}
	return c.enlist(ctx, c.member(sess), c.subjectRoom(room), room, j.info)
}

// A JoinOption adjusts one [Cluster.Join].
type JoinOption func(*joining)

type joining struct{ info string }

// WithInfo is what those who ask for the members of the room learn of the session:
// a name, or a document.
func WithInfo(info string) JoinOption { return func(j *joining) { j.info = info } }

// enlist is join with the barrier. A session is no member when it fails.
func (c *Cluster) enlist(ctx context.Context, m *member, subject, room, info string) error {
	if c.life.is() != lifeRunning {
		return ErrNotRunning
	}
	linger := c.opt.Linger
	if room == "" {
		linger = 0
	}
	t, err := c.join(ctx, m, subject, room, info, linger)
	if err != nil {
		return err
	}
	if err := c.pass(ctx); err != nil {
		c.part(m, t)
		return err
	}
	return nil
}

// Leave ends a membership and reports whether there was one. A message that is on
// its way may still arrive.
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

// Publish pushes arg to serviceMethod of every member of a room, on all nodes, the
// publisher included unless [Except] names it. arg is encoded once.
func (c *Cluster) Publish(ctx context.Context, room, serviceMethod string, arg any, opts ...Option) error {
	e, _, err := c.push(serviceMethod, arg, opts)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.send(c.subjectRoom(room), 0, e)
}

// SetUser says whose session it is. A user may have sessions on several nodes. ""
// means nobody's.
func (c *Cluster) SetUser(ctx context.Context, sess erpc.Session, user string) error {
	m := c.member(sess)
	m.mu.Lock()
	was := m.user
	m.mu.Unlock()
	if was == user {
		return nil
	}
	if user != "" {
		if err := c.enlist(ctx, m, c.subjectUser(user), "", ""); err != nil {
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

// User returns what SetUser said of the session.
func (c *Cluster) User(sess erpc.Session) string {
	m := c.member(sess)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user
}
