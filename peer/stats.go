package peer

import (
	"sync/atomic"

	"github.com/goerpc/erpc/session"
)

// edge counts the connections that a peer accepts, refuses and dials.
type edge struct{ accepts, acceptErrors, refused, dials, dialErrors atomic.Uint64 }

// Stats holds the counters of a peer since it was made.
type Stats struct {
	session.Totals
	Sessions              int
	Accepts, AcceptErrors uint64
	Refused               uint64 // connections that did not become sessions, and other clients that [Peer.Refused] was called for
	Dials, DialErrors     uint64 // attempts, including redials
}

// Stats returns the counters of all connections together, including those that
// have ended. Session.Stats returns those of one session.
func (p *Peer) Stats() Stats {
	return Stats{
		Totals:       p.shared.Totals(p.table.all()),
		Sessions:     p.CountSession(),
		Accepts:      p.edge.accepts.Load(),
		AcceptErrors: p.edge.acceptErrors.Load(),
		Refused:      p.edge.refused.Load(),
		Dials:        p.edge.dials.Load(),
		DialErrors:   p.edge.dialErrors.Load(),
	}
}
