package peer

import (
	"sync/atomic"

	"github.com/goerpc/erpc/session"
)

// edge counts what happens at the edge of a peer.
type edge struct{ accepts, acceptErrors, refused, dials, dialErrors atomic.Uint64 }

// Stats are the counters of a peer since it was made.
type Stats struct {
	session.Totals
	Sessions              int
	Accepts, AcceptErrors uint64
	Refused               uint64 // connections that did not become sessions, those of [Peer.Refused] included
	Dials, DialErrors     uint64 // attempts, those of redials included
}

// Stats returns the counters of all connections together, those that have ended
// included. Session.Stats has those of one.
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
