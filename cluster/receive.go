package cluster

import (
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// events receives the events of a cluster's engine. Its methods never block,
// because one slow session must not delay a node.
type events struct{ c *Cluster }

// Message implements [Events].
func (ev events) Message(subject string, data []byte) {
	c := ev.c
	e, err := decode(data)
	if err != nil {
		c.warn("cluster: message to %s: %v", subject, err)
		return
	}
	if e.node != c.node {
		c.heard(e)
	} else if e.kind == kindBeat {
		c.measureLag(time.Now())
		c.unproven.beatCameBack(e.id)
	}
	switch e.kind {
	case kindPush:
		c.pushed(subject, e)
	case kindCall:
		c.serve(e)
	case kindCancel:
		c.served.cancel(servedCall{e.node, e.id})
	case kindAck, kindReply, kindPong, kindTell, kindEnd:
		if w, ok := c.pending.get(e.id); ok {
			w.answer(e)
		}
	case kindChange:
		if t := c.topics.get(subject); t != nil {
			c.tellChange(t, e.body)
		}
	case kindPing:
		if e.node != c.node {
			c.sendOrWarn(c.subjectNode(e.node), &envelope{kind: kindPong, id: e.id})
		}
	case kindAsk:
		if e.node != c.node {
			c.tell(e)
		}
	}
}

// measureLag records how long the last beat of this node took through the
// engine.
func (c *Cluster) measureLag(now time.Time) {
	if sent := c.beaten.Swap(0); sent > 0 {
		c.lag.Store(now.UnixNano() - sent)
	}
}

// heard records what a message says about the node that sent it.
func (c *Cluster) heard(e *envelope) {
	switch e.kind {
	case kindHello, kindBeat:
		missed, err := c.nodes.announced(e)
		if err != nil {
			c.warn("cluster: node %s: %v", e.node, err)
		}
		if missed {
			c.cutFrom()
		}
		if e.kind == kindHello {
			c.sayTo(e.node)
		}
	case kindWho:
		c.sayTo(e.node)
	case kindBye:
		c.nodes.leave(e.node)
		c.nodeGone(e.node)
	default:
		if c.nodes.heard(e.node) {
			c.cutFrom()
		}
	}
}

// cutFrom handles that the route from another node was cut.
func (c *Cluster) cutFrom() {
	c.lost.Add(1)
	c.missed("")
}

// Nobody implements [Events].
func (ev events) Nobody(token uint64) {
	if w, ok := ev.c.pending.get(token); ok {
		w.gone("")
	}
}

// Dropped implements [Events].
func (ev events) Dropped(subject string) {
	ev.c.lost.Add(1)
	ev.c.missed(subject)
}

// Down implements [Events].
func (ev events) Down(err error) {
	ev.c.cuts.Add(1)
	ev.c.nodes.setCut(true)
	ev.c.warn("cluster: the engine is disconnected: %v", err)
}

// heardLimit is how long a node that is connected again waits for the others
// before it tells its members that they missed messages.
const heardLimit = 100 * time.Millisecond

// Up implements [Events]: members missed what was published meanwhile, and
// members on other nodes may have missed what this node published last. They
// are told after the other nodes have answered the hello, because what those
// published before may be lost too. A node that does not answer may be behind a
// route that is not restored yet; if it is heard later, members are told once
// more.
func (ev events) Up() {
	c := ev.c
	if c.unproven.broken() {
		c.doubted.Store(true)
	}
	c.gaps.hold()
	heard := c.nodes.setCut(false)
	c.missed("")
	if err := c.say(c.subjectAll(), kindHello, 0); err != nil {
		c.warn("cluster: say hello again: %v", err)
	}
	c.spawn(func() { // false only after Close
		select {
		case <-heard:
		case <-time.After(heardLimit):
			c.nodes.giveUp()
		}
		c.gaps.release()
		c.tellGaps()
	})
}

// pushed queues a push for its receiving sessions, and confirms it if asked to.
func (c *Cluster) pushed(subject string, e *envelope) {
	var n int
	switch subject {
	case c.subjectNode(c.node):
		if sess, ok := c.peer.GetSession(e.session); ok {
			n = c.queueTo(&c.direct, []*member{c.member(sess)}, e)
		}
	case c.subjectAll():
		var all []*member
		c.peer.RangeSession(func(sess erpc.Session) bool {
			all = append(all, c.member(sess))
			return true
		})
		n = c.queueTo(&c.direct, all, e)
	default:
		if t := c.topics.get(subject); t != nil {
			n = c.queueTo(t, t.all(), e)
		}
	}
	if e.id != 0 {
		c.sendOrWarn(c.subjectNode(e.node), &envelope{kind: kindAck, id: e.id, count: uint64(n)})
	}
}

// queueTo pushes to members without waiting, and records a gap for those that
// have no room. A member with a gap gets no push until it was told of the gap.
func (c *Cluster) queueTo(t *topic, members []*member, e *envelope) (queued int) {
	t.deliver.Lock()
	defer t.deliver.Unlock()
	sessions := make([]erpc.Session, 0, len(members))
	for _, m := range members {
		if e.except != "" && c.Address(m.sess) == e.except {
			continue
		}
		if m.addToGap(t) {
			c.dropped.Add(1)
			continue
		}
		sessions = append(sessions, m.sess)
	}
	queued, failed := erpc.TryBroadcastTo(sessions, e.method, e.body, e.settings()...)
	if len(failed) == 0 {
		return queued
	}
	byID := make(map[string]*member, len(members))
	for _, m := range members {
		byID[m.sess.ID()] = m
	}
	for id := range failed {
		if m := byID[id]; m != nil { // otherwise its id has just changed
			c.dropped.Add(1)
			c.gaps.begin(m, t, 1)
		}
	}
	return queued
}

// sayTo sends a sign of life to a node or an observer.
func (c *Cluster) sayTo(node string) {
	if err := c.say(c.subjectNode(node), kindBeat, 0); err != nil {
		c.warn("cluster: answer with a sign of life: %v", err)
	}
}

func (c *Cluster) sendOrWarn(subject string, e *envelope) {
	if err := c.send(subject, 0, e); err != nil {
		c.warn("cluster: answer with %v: %v", e.kind, err)
	}
}

func (c *Cluster) warn(format string, args ...any) {
	c.peer.Config().Logger.Warn(fmt.Sprintf(format, args...))
}
