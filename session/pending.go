package session

import (
	"math"
	"sync"
)

// pending is the table of the calls in flight on one connection. Its slots are
// addressed by the low bits of the sequence number; a number whose slot is
// still taken is skipped, which the wire allows. The zero value is empty.
type pending struct {
	mu     sync.Mutex // guards the following
	slots  []*CallCmd // a power of two, at least twice n; nil until the first call
	n      int
	seq    int32
	closed bool // no more calls are let in
}

const minSlots = 8

// add enters cmd and gives it a sequence number. It returns the number of
// calls in flight, 0 if no more are let in.
func (p *pending) add(cmd *CallCmd) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0
	}
	if 2*(p.n+1) > len(p.slots) {
		p.resize(max(minSlots, 2*len(p.slots)))
	}
	for {
		p.step()
		if i := int(p.seq) & (len(p.slots) - 1); p.slots[i] == nil {
			cmd.seq = p.seq
			p.slots[i] = cmd
			p.n++
			return p.n
		}
	}
}

// addFrom is add with a sequence number that is seq or a little above.
func (p *pending) addFrom(cmd *CallCmd, seq int32) int {
	p.mu.Lock()
	p.seq = seq - 1
	p.mu.Unlock()
	return p.add(cmd)
}

func (p *pending) step() {
	if p.seq == math.MaxInt32 {
		p.seq = 0
	}
	p.seq++
}

// next returns a sequence number for a message that has no reply.
func (p *pending) next() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step()
	return p.seq
}

// take removes and returns the call with the number seq, nil if there is none.
// Whoever gets it, and nobody else, must finish it.
func (p *pending) take(seq int32) *CallCmd {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.slots) == 0 {
		return nil
	}
	i := int(seq) & (len(p.slots) - 1)
	cmd := p.slots[i]
	if cmd == nil || cmd.seq != seq {
		return nil
	}
	p.slots[i] = nil
	p.n--
	if p.n == 0 && len(p.slots) > 1024 {
		p.slots = nil
	}
	return cmd
}

// stop lets no more calls in; those that are there stay.
func (p *pending) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// len returns the number of calls in flight. Once stop was called it does not
// grow any more.
func (p *pending) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// close empties the table for good.
func (p *pending) close() (left []*CallCmd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cmd := range p.slots {
		if cmd != nil {
			left = append(left, cmd)
		}
	}
	p.slots, p.n, p.closed = nil, 0, true
	return left
}

func (p *pending) resize(n int) {
	old := p.slots
	p.slots = make([]*CallCmd, n)
	for _, cmd := range old {
		if cmd != nil {
			p.slots[int(cmd.seq)&(n-1)] = cmd
		}
	}
}
