package session

import (
	"context"
	"sync"

	"github.com/goerpc/erpc/message"
)

// Control messages are sent only to a side that is proven to be adjacent and of
// this package. Metadata proves nothing, because a proxy of erpc v7 passes it on,
// and pushes too. But it does not pass on sequence numbers; it numbers calls
// itself. So the first call on a connection that has MetaTimeout gets a random
// number and repeats it in metaHello. This is the offer. A callee that sees two
// equal numbers knows that the caller is adjacent, and sends a hello with the same
// number. A caller that gets it knows the same of the callee.

// proofState is what is known of the other side of a connection.
type proofState int32

const (
	proofNone     proofState = iota // nothing
	proofOffering                   // a call that carries the offer is being sent
	proofOffered                    // it was sent; the hello has not arrived
	proofGiven                      // the other side is adjacent, and understands control messages
)

func (s proofState) String() string { return [...]string{"none", "offering", "offered", "given"}[s] }

// An offer that could not be sent is withdrawn.
var proofMoves = [...][]proofState{
	proofNone:     {proofOffering, proofGiven},
	proofOffering: {proofOffered, proofGiven, proofNone},
	proofOffered:  {proofGiven},
	proofGiven:    {},
}

func (s proofState) next() []proofState { return proofMoves[s] }

// maxUnsentCancels is how many cancelled calls are remembered until the other side
// is proven.
const maxUnsentCancels = 64

// A proof is what a connection knows about its other side. The zero value and a
// nil one know nothing. It may be used concurrently.
type proof struct {
	state machine[proofState]

	mu      sync.Mutex    // guards the following
	offered int32         // number of the call that carried the offer
	queued  chan struct{} // closed when that call was queued, or could not be; nil: none is being sent
	cancels []int32       // calls that were cancelled before the proof
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

// begin reports whether the caller must make the offer.
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

// finish ends an offer that begin allowed. sent says whether it was sent.
func (p *proof) finish(sent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := proofNone
	if sent {
		to = proofOffered
	}
	p.state.move(proofOffering, to) // unless the hello came first
	close(p.queued)
	p.queued = nil
}

// await waits until no offer is being sent, or ctx has ended. If a call overtook
// the offer and was refused, the caller could not be sure of the refusal.
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

// give records that the other side is proven. It returns the cancelled calls that
// the other side must be told of, and whether this was the first proof.
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

// cancel reports whether the other side can be told now that call seq is
// cancelled. If not, give may return the call later.
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

// carry writes the offer into m, a call with the number seq.
func (p *proof) carry(m *message.Message, seq int32) {
	p.offer(seq)
	if m.Meta().Peek(MetaTimeout) == nil {
		m.Meta().Set(MetaTimeout, "0")
	}
	m.Meta().Set(metaHello, seqText(seq))
}

// offers reports whether m, a call of the other side, carries an offer that must be
// answered.
func (p *proof) offers(m *message.Message) bool {
	if m.Meta().RawLen() == 0 && m.Meta().Len() == 0 || p.given() {
		return false
	}
	seq := m.Seq()
	return seq >= minProofSeq && seq < maxProofSeq+minProofSeq && namesSeq(m.Meta().Peek(metaHello), seq)
}

// markRefused marks m, a reply, as the refusal of a call that was not executed.
func (p *proof) markRefused(m *message.Message) {
	if p.given() {
		m.Meta().Set(metaRefused, seqText(m.Seq()))
	}
}

// readRefusal makes NotExecuted recognize the status of m, a reply, if it is
// marked and the other side is proven.
func (p *proof) readRefusal(m *message.Message) {
	if m.StatusOK() || m.Meta().RawLen() == 0 && m.Meta().Len() == 0 {
		return
	}
	mark := m.Meta().Peek(metaRefused)
	if mark == nil {
		return
	}
	refused := p.given() && namesSeq(mark, m.Seq())
	m.Meta().Del(metaRefused) // so that user code can't pass it on
	if refused {
		m.SetStatus(Refusal(m.Status()))
	}
}
