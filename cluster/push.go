package cluster

import (
	"context"
	"strings"
	"time"

	"github.com/goerpc/erpc"
)

// Address returns the address of a session of this node's peer.
func (c *Cluster) Address(sess erpc.Session) string { return c.node + "/" + sess.ID() }

// push makes the envelope of a push.
func (c *Cluster) push(method string, arg any, opts []Option) (*envelope, *pushing, error) {
	if c.life.is() != lifeRunning {
		return nil, nil, ErrNotRunning
	}
	var p pushing
	for _, o := range opts {
		o(&p)
	}
	e, err := c.encode(kindPush, method, arg, p.settings)
	if err != nil {
		return nil, nil, err
	}
	e.except = p.except
	return e, &p, nil
}

// encode makes an envelope from a message.
func (c *Cluster) encode(k kind, method string, arg any, settings []erpc.MessageSetting) (*envelope, error) {
	m := erpc.NewMessage(settings...)
	if err := m.Err(); err != nil {
		return nil, erpc.NewStatus(erpc.CodeWriteFailed, erpc.CodeText(erpc.CodeWriteFailed), err).Err()
	}
	if m.BodyCodec() == 0 {
		m.SetBodyCodec(c.codec)
	}
	m.SetBody(arg)
	body, err := m.MarshalBody()
	if err != nil {
		return nil, erpc.NewStatus(erpc.CodeWriteFailed, erpc.CodeText(erpc.CodeWriteFailed), err).Err()
	}
	return &envelope{kind: k, codec: m.BodyCodec(), method: method, meta: m.Meta().String(), body: body}, nil
}

// settings returns the settings of the message that an envelope carries.
func (e *envelope) settings() []erpc.MessageSetting {
	s := []erpc.MessageSetting{erpc.WithBodyCodec(e.codec)}
	if e.meta != "" {
		s = append(s, func(m erpc.Message) { m.Meta().SetQuery([]byte(e.meta)) })
	}
	return s
}

// PushSession pushes arg to the session with an address.
func (c *Cluster) PushSession(ctx context.Context, address, serviceMethod string, arg any, opts ...Option) error {
	e, p, err := c.push(serviceMethod, arg, opts)
	if err != nil {
		return err
	}
	node, session, err := c.find(address)
	if err != nil {
		return err
	}
	e.session = session
	return c.deliver(ctx, c.subjectNode(node), node, e, p.confirm)
}

// find returns the node and the session id of an address. It returns ErrNobody
// if the node is gone, unless this node is cut off and can't know.
func (c *Cluster) find(address string) (node, session string, err error) {
	node, session, ok := strings.Cut(address, "/")
	switch {
	case ok && (node == c.node || c.nodes.lives(node)):
		return node, session, nil
	case ok && c.nodes.isCut():
		return "", "", ErrDown
	}
	return "", "", ErrNobody
}

// PushUser pushes arg to every session of a user.
func (c *Cluster) PushUser(ctx context.Context, user, serviceMethod string, arg any, opts ...Option) error {
	e, p, err := c.push(serviceMethod, arg, opts)
	if err != nil {
		return err
	}
	return c.deliver(ctx, c.subjectUser(user), "", e, p.confirm)
}

// Broadcast pushes arg to every session of every node.
func (c *Cluster) Broadcast(ctx context.Context, serviceMethod string, arg any, opts ...Option) error {
	e, _, err := c.push(serviceMethod, arg, opts)
	if err != nil {
		return err
	}
	return c.deliver(ctx, c.subjectAll(), "", e, false)
}

// noSessionGrace is how long a confirmed push waits for other nodes after one
// has answered that it has no session any more.
const noSessionGrace = 200 * time.Millisecond

// deliver sends a push and, if confirm is true, waits until a node confirms it.
// node is the only node that can, or "" if several may.
func (c *Cluster) deliver(ctx context.Context, subject, node string, e *envelope, confirm bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !confirm {
		return c.send(subject, 0, e)
	}
	w := &confirmation{node: node, end: make(chan error, 1), none: make(chan struct{}, 1)}
	e.id = c.pending.add(w)
	defer c.pending.remove(e.id)
	if err := c.send(subject, e.id, e); err != nil {
		return err
	}
	var grace <-chan time.Time
	lost := time.NewTimer(3*c.opt.Beat + noSessionGrace) // a dead node does not answer
	defer lost.Stop()
	for {
		select {
		case err := <-w.end:
			return err
		case <-w.none:
			grace = time.After(noSessionGrace)
		case <-grace:
			return ErrNobody
		case <-lost.C:
			return ErrNodeGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A confirmation waits for the first node that confirms a push.
type confirmation struct {
	node string
	end  chan error    // buffered: room for the first
	none chan struct{} // a node had no session; buffered
}

func (w *confirmation) fail(err error) {
	select {
	case w.end <- err:
	default: // it has already ended
	}
}

func (w *confirmation) answer(e *envelope) {
	switch {
	case e.count > 0:
		w.fail(nil)
	case w.node != "":
		w.fail(ErrNobody)
	default:
		select {
		case w.none <- struct{}{}:
		default: // it is already recorded
		}
	}
}

func (w *confirmation) gone(node string) {
	switch node {
	case "":
		w.fail(ErrNobody)
	case w.node:
		w.fail(ErrNodeGone)
	}
}
