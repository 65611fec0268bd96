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

// A proof is what a connection knows of its other side. The zero value and a nil
// one know nothing. It may be used concurrently.
type proof struct {
	state machine[proofState]

	mu      sync.Mutex    // guards the following
	offered int32         // number of the call that carried the offer
	queued  chan struct{} // closed when that call was queued, or not; nil: none is being sent
	cancels []int32       // calls that were cancelled before the hello
}

func (p *proof) given() bool { return p != nil && p.state.state() == proofGiven }

// settled reports whether the offer has been made, or is not needed any more.
func (p *proof) settled() bool {
	if p == nil {
		return false
	}
	state := p.state.state()
	return state == proofGiven || state == proofOffered
}

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
	if p == nil {
		return false
	}
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

// offer records that the call seq carries the offer.
func (p *proof) offer(seq int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offered = seq
}

// carry makes m, a call with the number seq, carry the offer.
func (p *proof) carry(m *message.Message, seq int32) {
	p.offer(seq)
	if m.Meta().Peek(MetaTimeout) == nil {
		m.Meta().Set(MetaTimeout, "0")
	}
	m.Meta().Set(metaHello, seqText(seq))
}

// offers reports whether m, a call of the other side, carries an offer that is to be
// answered.
func (p *proof) offers(m *message.Message) bool {
	if m.Meta().RawLen() == 0 && m.Meta().Len() == 0 || p.given() {
		return false
	}
	seq := m.Seq()
	return seq >= minProofSeq && seq < maxProofSeq+minProofSeq && namesSeq(m.Meta().Peek(metaHello), seq)
}

// markRefused makes m, a reply, say that the call was not executed.
func (p *proof) markRefused(m *message.Message) {
	if p.given() {
		m.Meta().Set(metaRefused, seqText(m.Seq()))
	}
}

// readRefusal makes the status of m, a reply, one that NotExecuted knows, if the
// other side says so and is proven.
func (p *proof) readRefusal(m *message.Message) {
	if m.StatusOK() || m.Meta().RawLen() == 0 && m.Meta().Len() == 0 {
		return
	}
	mark := m.Meta().Peek(metaRefused)
	if mark == nil {
		return
	}
	refused := p.given() && namesSeq(mark, m.Seq())
	m.Meta().Del(metaRefused) // so that nobody passes it on
	if refused {
		m.SetStatus(Refusal(m.Status()))
	}
}
