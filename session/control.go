package session

import (
	"context"
	"sync"

	"github.com/goerpc/erpc/message"
)

// Control messages go only to a side that is proven to be adjacent and of this
// package. Metadata proves nothing, because a proxy of erpc v7 passes it on, and
// pushes too. It does not pass on sequence numbers, which it counts on each leg by
// itself. So the first call on a connection that has MetaTimeout gets a random
// number and repeats that in metaHello. A callee that sees the two agree knows
// that the caller is adjacent, and says hello under the same number; a caller that
// gets this knows the same of the callee.

// proofState is what is known of the other side of a connection.
type proofState int32

const (
	proofNone     proofState = iota // nothing
	proofOffering                   // a call that names its own number is being sent
	proofOffered                    // it was sent; the hello has not come
	proofGiven                      // it is adjacent, and understands control messages
)

func (s proofState) String() string { return [...]string{"none", "offering", "offered", "given"}[s] }

// An offer that could not be sent is taken back.
var proofMoves = [...][]proofState{
	proofNone:     {proofOffering, proofGiven},
	proofOffering: {proofOffered, proofGiven, proofNone},
	proofOffered:  {proofGiven},
	proofGiven:    {},
}

func (s proofState) next() []proofState { return proofMoves[s] }

// maxUnsentCancels is how many cancelled calls are remembered for a side that has
// not said hello yet.
const maxUnsentCancels = 64

// A proof is what a connection knows of its other side. The zero value knows
// nothing. It may be used concurrently.
type proof struct {
	state machine[proofState]

	mu      sync.Mutex    // guards the following
	offered int32         // number of the call that carried the offer
	queued  chan struct{} // closed when that call was queued, or not; nil: none is being sent
	cancels []int32       // calls that were cancelled before the hello
}

func (p *proof) given() bool { return p.state.state() == proofGiven }

// begin reports whether the caller is to make the offer.
func (p *proof) begin() bool {
	if p.state.state() != proofNone {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.state.move(proofNone, proofOffering) {
		return false
	}
	p.queued = make(chan struct{})
	return true
}

// offer records that the call seq carries the offer.
func (p *proof) offer(seq int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offered = seq
}

// finish ends what begin began: the offer was sent, or not.
func (p *proof) finish(sent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := proofNone
	if sent {
		to = proofOffered
	}
	p.state.move(proofOffering, to) // unless the hello was faster
	close(p.queued)
	p.queued = nil
}

// await returns when no offer is being sent, or ctx has ended. A call that came in
// front of the offer would be refused, if it is, by a side that can't say so in a
// way that is believed.
func (p *proof) await(ctx context.Context) {
	if p.state.state() != proofOffering {
		return
	}
	p.mu.Lock()
	queued := p.queued
	p.mu.Unlock()
	if queued == nil {
		return
	}
	select {
	case <-queued:
	case <-ctx.Done():
	}
}

// give records that the other side is proven. It returns the calls that it is to
// be told the cancellation of, and whether this was the first proof.
func (p *proof) give() (cancels []int32, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first = p.state.move(proofNone, proofGiven) || p.state.move(proofOffering, proofGiven) || p.state.move(proofOffered, proofGiven)
	cancels = p.cancels
	p.cancels = nil
	return cancels, first
}

// answers reports whether a hello with that number answers the offer.
func (p *proof) answers(seq int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offered != 0 && p.offered == seq
}

// cancel reports whether the other side can be told that call seq is cancelled.
// If not, it may be told after the proof.
func (p *proof) cancel(seq int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given() {
		return true
	}
	if len(p.cancels) < maxUnsentCancels {
		p.cancels = append(p.cancels, seq)
	}
	return false
}

// offerProof makes the next call in the table of the connection, whose message is
// m, the one that carries the offer, if it is to. It is called before the call
// has its number.
func (c *conn) offerProof(m *message.Message) bool {
	if m.Meta().RawLen() > 0 || m.Meta().Len() > 0 {
		m.Meta().Del(metaHello) // of another connection, or somebody else's
	}
	switch c.proof.state.state() {
	case proofGiven, proofOffered:
		return false
	}
	if !c.replaceable && m.Meta().Peek(MetaTimeout) == nil {
		return false
	}
	if !c.proof.begin() {
		c.proof.await(m.Context())
		return false
	}
	c.pending.Jump(drawSeq())
	return true
}

// carryOffer makes m, a call with the number seq, carry the offer.
func (c *conn) carryOffer(m *message.Message, seq int32) {
	c.proof.offer(seq)
	if m.Meta().Peek(MetaTimeout) == nil {
		m.Meta().Set(MetaTimeout, "0")
	}
	m.Meta().Set(metaHello, seqText(seq))
}

// acceptOffer answers a call that proves its caller.
func (c *conn) acceptOffer(m *message.Message) {
	if m.Meta().RawLen() == 0 && m.Meta().Len() == 0 || c.proof.given() {
		return
	}
	seq := m.Seq()
	if seq < minProofSeq || seq >= maxProofSeq+minProofSeq || !namesSeq(m.Meta().Peek(metaHello), seq) {
		return
	}
	c.proven(seq)
}

// proven records that the other side is proven. hello is the number of the call
// that is answered; 0: this side has made it.
func (c *conn) proven(hello int32) {
	cancels, first := c.proof.give()
	if first && hello != 0 {
		c.owe(debt{what: debtHello, seq: hello})
	}
	for _, seq := range cancels {
		c.owe(debt{what: debtCancel, seq: seq})
	}
}

// control deals with a control message. It passes over what it does not know: a
// later version may say more. A side that is not proven has nothing to say.
func (c *conn) control(m *message.Message) {
	method, seq := m.ServiceMethod(), m.Seq()
	if method == controlHello {
		if c.proof.answers(seq) && namesSeq(m.Meta().Peek(metaHello), seq) {
			c.proven(0)
		}
		return
	}
	if !c.proof.given() {
		return
	}
	switch method {
	case controlCancel:
		c.deadlines.cancel(seq)
	case controlGoAway:
		c.up.connLeaving(c)
	case controlBye:
		c.onBye()
	case controlDrain:
		c.drainStream(seq)
	case controlEnd:
		if why, ok := parseEnd(m.Meta().Get(metaEnd)); ok {
			c.closedBy.Store(why)
			go c.up.connEnded(c, why) // it runs disconnect hooks
		}
	}
}

// cancelRemote tells the other side that nobody waits for the call any more: at
// once, or when its hello comes, which it sends when it gets the first call.
func (c *conn) cancelRemote(seq int32) {
	if c.proof.cancel(seq) {
		c.owe(debt{what: debtCancel, seq: seq})
	}
}
