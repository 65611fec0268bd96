package stats

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Methods are the counts of all methods by name.
type Methods struct {
	HandledCalls  map[string]Method
	HandledPushes map[string]Method // without Sent
	Calls         map[string]Method // made here
	Pushes        map[string]Method // made here: Started and Sent
}

// Methods returns the counts of the methods, at a cost that does not depend on
// how many sessions there are.
func (s *Stats) Methods() Methods {
	return Methods{
		HandledCalls:  s.handledCalls.snapshot(),
		HandledPushes: s.handledPushes.snapshot(),
		Calls:         s.calls.snapshot(),
		Pushes:        s.pushes.snapshot(),
	}
}

// A Snapshot is all counts at about one time. Counts begin with the peer.
type Snapshot struct {
	Methods
	Dials        uint64 // attempts
	Dialed       uint64 // those that succeeded, but for redials
	Redialed     uint64
	Accepted     uint64
	AcceptErrors uint64 // of the listeners: out of file descriptors, for example
	Ends
	Traffic            // of all sessions, also those that have ended
	Sessions []Session // by their ids
}

// DialErrors returns how many attempts to dial have failed, or go on.
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

// String returns the snapshot in JSON, as an expvar.Var does.
func (s *Stats) String() string {
	b, err := json.Marshal(s.Snapshot())
	if err != nil { // there is nothing in it that can't be encoded
		return "null"
	}
	return string(b)
}
