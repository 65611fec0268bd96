package stats

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Methods holds the counts of all methods by name.
type Methods struct {
	HandledCalls  map[string]Method
	HandledPushes map[string]Method // without Sent
	Calls         map[string]Method // made here
	Pushes        map[string]Method // made here: Started and Sent
}

// Methods returns the counts of the methods. Its cost does not depend on the
// number of sessions.
func (s *Stats) Methods() Methods {
	return Methods{
		HandledCalls:  s.handledCalls.snapshot(),
		HandledPushes: s.handledPushes.snapshot(),
		Calls:         s.calls.snapshot(),
		Pushes:        s.pushes.snapshot(),
	}
}

// A Snapshot holds all counts at about one time. Counting starts when the peer
// is made.
type Snapshot struct {
	Methods
	Dials        uint64 // attempts
	Dialed       uint64 // successful attempts, without redials
	Redialed     uint64
	Accepted     uint64
	AcceptErrors uint64 // of the listeners, for example out of file descriptors
	Ends
	Traffic            // of all sessions, including ended ones
	Sessions []Session // by their ids
}

// DialErrors returns how many attempts to dial have failed or are still in
// progress.
func (s *Snapshot) DialErrors() uint64 { return s.Dials - min(s.Dials, s.Dialed+s.Redialed) }

// Queued returns how many bytes wait to be written on all sessions.
func (s *Snapshot) Queued() (n int) {
	for _, x := range s.Sessions {
		n += x.Queued
	}
	return n
}

// Snapshot returns the counts.
func (s *Stats) Snapshot() *Snapshot {
	n := &Snapshot{
		Methods:  s.Methods(),
		Accepted: s.accepted.Load(),
		Redialed: s.redialed.Load(),
		Dialed:   s.dialed.Load(),
		Dials:    s.dials.Load(),
	}
	if p := s.peer.Load(); p != nil {
		n.AcceptErrors = (*p).Stats().AcceptErrors
	}
	n.Sessions, n.Traffic, n.Ends = s.sessions.snapshot()
	slices.SortFunc(n.Sessions, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	return n
}

// String returns the snapshot as JSON. It implements expvar.Var.
func (s *Stats) String() string {
	b, err := json.Marshal(s.Snapshot())
	if err != nil { // can't happen: all fields can be encoded
		return "null"
	}
	return string(b)
}
