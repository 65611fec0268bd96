package session

import (
	"sync/atomic"
	"time"
)

// A pace remembers whether a handler returns quickly. Quick handlers run on the
// goroutine that reads the connection, others on a worker. It counts runs rather
// than trust the last one, because even the quickest handler is preempted now and
// then. The zero value belongs to a handler that has not run yet, which counts as
// slow. It may be used concurrently; a race may lose a count.
type pace struct{ credit atomic.Int32 }

const (
	maxQuick     = 50 * time.Microsecond // a handler that runs longer belongs on a worker
	inlineCredit = 8                     // credit from which a handler runs on the reading goroutine
	maxCredit    = 128
	minCredit    = -256 // also the credit of a handler that is moved to workers
	slowCost     = 2    // credit that a slow run costs; a quick one earns 1
	blockedCost  = 32   // credit that holding up a connection costs
)

// inline reports whether the handler may run on the reading goroutine.
func (p *pace) inline() bool { return p.credit.Load() >= inlineCredit }

// took records a run of the handler.
func (p *pace) took(d time.Duration) {
	n := p.credit.Load()
	switch {
	case d > maxQuick:
		p.charge(n, slowCost)
	case n < maxCredit:
		p.credit.Store(n + 1)
	}
}

// blocked records that the handler blocked a connection, so that another goroutine
// had to read on.
func (p *pace) blocked() { p.charge(p.credit.Load(), blockedCost) }

func (p *pace) charge(n, cost int32) {
	m := n - cost
	if n >= inlineCredit && m < inlineCredit {
		m = minCredit
	}
	p.credit.Store(max(m, minCredit))
}
