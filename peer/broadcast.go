package peer

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/session"
)

// DefaultBroadcastWait is how long Broadcast waits for sessions that are slow to
// read, together, if the context of its settings allows that much.
const DefaultBroadcastWait = time.Second

// Broadcast pushes arg to every open session. It is encoded once for all
// sessions of a protocol, and PreWritePush hooks run once for these, with the
// first of them. It returns for how many sessions it was queued, and why not
// for the others, by session id.
//
// A session whose queue is full does what the policy of the peer says. Under
// the policy Block those that have room are served first; then Broadcast waits
// for the others, all at the same time, no longer than [DefaultBroadcastWait] and
// the context of the settings: one slow reader must not hold up the next
// broadcast. Those that have no room by then fail with CodeExhausted, and are not
// waited for again before they have read what is queued for them.
func (p *Peer) Broadcast(serviceMethod string, arg any, settings ...message.Setting) (sent int, failed map[string]*message.Status) {
	return broadcast(p.table.all(), true, serviceMethod, arg, settings)
}

// BroadcastTo is [Peer.Broadcast] for a chosen set of sessions, of one or
// several peers.
func BroadcastTo(sessions []session.Session, serviceMethod string, arg any, settings ...message.Setting) (sent int, failed map[string]*message.Status) {
	return broadcastTo(sessions, true, serviceMethod, arg, settings)
}

// TryBroadcastTo is [BroadcastTo] that never waits: a session whose queue is full
// under the policy Block fails with CodeExhausted.
func TryBroadcastTo(sessions []session.Session, serviceMethod string, arg any, settings ...message.Setting) (sent int, failed map[string]*message.Status) {
	return broadcastTo(sessions, false, serviceMethod, arg, settings)
}

func broadcastTo(sessions []session.Session, wait bool, serviceMethod string, arg any, settings []message.Setting) (sent int, failed map[string]*message.Status) {
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
	n, more := broadcast(slices.Values(conns), wait, serviceMethod, arg, settings)
	for id, st := range more {
		failed[id] = st
	}
	if len(failed) == 0 {
		failed = nil
	}
	return sent + n, failed
}

func broadcast(conns iter.Seq[*session.Engine], wait bool, method string, arg any, settings []message.Setting) (sent int, failed map[string]*message.Status) {
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
	for c := range conns {
		frame, st := frames.of(c, method, arg, settings)
		if !st.OK() {
			fail(c, st)
			continue
		}
		switch st := c.Send(ctx, frame, true); {
		case st.OK():
			sent++
		case st.Code() == message.CodeExhausted && wait && c.WouldBlock():
			full = append(full, c)
		default:
			fail(c, st)
		}
	}
	if len(full) == 0 {
		return sent, failed
	}
	waiting, cancel := context.WithTimeout(ctx, DefaultBroadcastWait)
	defer cancel()
	late := make([]func() *message.Status, 0, len(full))
	for _, c := range full {
		frame, _ := frames.of(c, method, arg, settings) // it was made above
		late = append(late, func() *message.Status { return sendLate(ctx, waiting, c, frame) })
	}
	for i, st := range gather(late) {
		if st.OK() {
			sent++
		} else {
			fail(full[i], st)
		}
	}
	return sent, failed
}

// errSlowReader is why a broadcast left a session out.
var errSlowReader = errors.New("peer: the session had no room in its queue for as long as a broadcast waits")

// sendLate waits for room until waiting ends; ctx is that of the caller.
func sendLate(ctx, waiting context.Context, c *session.Engine, frame []byte) *message.Status {
	st := c.Send(waiting, frame, false)
	if !st.OK() && waiting.Err() != nil && ctx.Err() == nil {
		return message.NewStatusByCodeText(message.CodeExhausted, errSlowReader, false)
	}
	return st
}

// packed holds a push as the peers and protocols of the receivers write it. Hooks
// and the codec are the peer's: what one seals goes out in no other form.
type packed struct{ frames []packedFrame }

type packedFrame struct {
	peer   session.Peer
	proto  string
	dialed bool // a hook may do something else for the other side of a session
	b      []byte
	st     *message.Status
}

func (p *packed) of(c *session.Engine, method string, arg any, settings []message.Setting) ([]byte, *message.Status) {
	peer, name := c.Peer(), c.ProtoName()
	for i := range p.frames {
		if f := &p.frames[i]; f.peer == peer && f.proto == name && f.dialed == c.IsDialed() {
			return f.b, f.st
		}
	}
	b, st := c.Pack(method, arg, settings...)
	p.frames = append(p.frames, packedFrame{peer, name, c.IsDialed(), b, st})
	return b, st
}
