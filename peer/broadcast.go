package peer

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/session"
)

// Broadcast pushes arg to every open session. It is encoded once for all
// sessions of a protocol, and PreWritePush hooks run once for these, with the
// first of them. It returns for how many sessions it was queued, and why not
// for the others, by session id.
//
// A session whose queue is full does what the policy of the peer says. Under
// the policy Block those that have room are served first; then Broadcast waits
// for the others, for as long as the context of the settings lasts.
func (p *Peer) Broadcast(serviceMethod string, arg any, settings ...message.Setting) (sent int, failed map[string]*message.Status) {
	return broadcast(p.table.all(), serviceMethod, arg, settings)
}

// BroadcastTo is [Peer.Broadcast] for a chosen set of sessions, of one or
// several peers.
func BroadcastTo(sessions []session.Session, serviceMethod string, arg any, settings ...message.Setting) (sent int, failed map[string]*message.Status) {
	conns := make([]*session.Engine, 0, len(sessions))
	failed = map[string]*message.Status{}
	for _, s := range sessions {
		if c, ok := s.(*session.Engine); ok {
			conns = append(conns, c)
		} else if st := s.Push(serviceMethod, arg, settings...); st.OK() { // a stand-in
			sent++
		} else {
			failed[s.ID()] = st
		}
	}
	n, more := broadcast(conns, serviceMethod, arg, settings)
	for id, st := range more {
		failed[id] = st
	}
	if len(failed) == 0 {
		failed = nil
	}
	return sent + n, failed
}

func broadcast(conns []*session.Engine, method string, arg any, settings []message.Setting) (sent int, failed map[string]*message.Status) {
	ctx := context.Background()
	if len(settings) > 0 {
		ctx = message.New(settings...).Context()
	}
	fail := func(c *session.Engine, st *message.Status) {
		if failed == nil {
			failed = map[string]*message.Status{}
		}
		failed[c.ID()] = st
	}
	var frames packed
	var full []*session.Engine
	for _, c := range conns {
		frame, st := frames.of(c, method, arg, settings)
		if !st.OK() {
			fail(c, st)
			continue
		}
		switch st := c.Send(ctx, frame, true); {
		case st.OK():
			sent++
		case st.Code() == message.CodeExhausted && c.WouldBlock():
			full = append(full, c)
		default:
			fail(c, st)
		}
	}
	for _, c := range full {
		frame, _ := frames.of(c, method, arg, settings) // it was made above
		if st := c.Send(ctx, frame, false); st.OK() {
			sent++
		} else {
			fail(c, st)
		}
	}
	return sent, failed
}

// packed holds a push as each protocol writes it.
type packed struct{ frames []packedFrame }

type packedFrame struct {
	proto  string
	dialed bool // a hook may do something else for the other side of a session
	b      []byte
	st     *message.Status
}

func (p *packed) of(c *session.Engine, method string, arg any, settings []message.Setting) ([]byte, *message.Status) {
	name := c.ProtoName()
	for i := range p.frames {
		if p.frames[i].proto == name && p.frames[i].dialed == c.IsDialed() {
			return p.frames[i].b, p.frames[i].st
		}
	}
	b, st := c.Pack(method, arg, settings...)
	p.frames = append(p.frames, packedFrame{name, c.IsDialed(), b, st})
	return b, st
}
