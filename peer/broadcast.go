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

// DefaultBroadcastWait is how long Broadcast waits in total for sessions that
// are slow to read, unless the context of its settings ends earlier.
const DefaultBroadcastWait = time.Second

// Broadcast pushes arg to every open session. arg is encoded once for all
// sessions with the same protocol, and PreWritePush hooks run once for all of
// these, with the first one. Broadcast returns the number of sessions that the
// push was queued for, and a status for each of the others, by session id.
//
// A session whose queue is full follows the queue policy of the peer. Under the
// policy Block, sessions with room are served first; then Broadcast waits for
// all the others at the same time, until [DefaultBroadcastWait] has passed or
// the context of the settings has ended: one slow reader must not hold up the
// next broadcast. Sessions that still have no room fail with CodeExhausted, and
// later broadcasts do not wait for them until they have read what is queued.
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

// errSlowReader is the cause of the status of a session that a broadcast gave
// up on.
var errSlowReader = errors.New("peer: the session had no room in its queue for as long as a broadcast waits")

// sendLate waits for room in the queue of c until waiting ends; ctx is the
// context of the caller.
func sendLate(ctx, waiting context.Context, c *session.Engine, frame []byte) *message.Status {
	st := c.Send(waiting, frame, false)
	if !st.OK() && waiting.Err() != nil && ctx.Err() == nil {
		return message.NewStatusByCodeText(message.CodeExhausted, errSlowReader, false)
	}
	return st
}

// packed holds the encoded frames of one push, one for each combination of
// peer, protocol and direction among the receivers. Hooks and codecs belong to
// a peer, so a frame that the hooks of one peer have sealed is never sent by
// another.
type packed struct{ frames []packedFrame }

type packedFrame struct {
	peer   session.Peer
	proto  string
	dialed bool // hooks may treat dialed and accepted sessions differently
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
