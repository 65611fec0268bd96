package session

import (
	"time"

	"github.com/goerpc/erpc/socket"
)

// A peer sweeps all its sessions now and then, for idle ones and for stuck connections.
// swept is what the sweeps remember of a connection. Each field belongs to one sweep,
// which only one goroutine at a time makes.
type swept struct {
	idle  activity
	stuck *stuck
}

// minActivity is how many bytes of a message must arrive between two looks for its
// session to be active: a byte now and then is not enough.
const minActivity = 1 << 10

// activity is what the sweep for idle sessions saw at its last look. The zero value
// has not looked yet.
type activity struct {
	messages uint64 // read
	bytes    uint64 // received
}

// look reports whether no message and no large part of one has arrived since the
// last look.
func (a *activity) look(now socket.Stats) (silent bool) {
	silent = now.MessagesIn == a.messages && now.BytesIn-a.bytes < minActivity
	a.messages, a.bytes = now.MessagesIn, now.BytesIn
	return silent
}

// stuck is what the sweep for stuck connections saw at its last look. A nil pointer
// means that no call waited.
type stuck struct {
	bytes uint64        // received
	since time.Duration // on clock, since when calls have waited while no byte arrived
}

// look returns what replaces s after a look at the time now, which found so many calls
// that wait and so many bytes received.
func (s *stuck) look(calls int, received uint64, now time.Duration) *stuck {
	switch {
	case calls == 0:
		return nil
	case s == nil || received != s.bytes:
		return &stuck{received, now}
	}
	return s
}

// reached reports whether calls have waited for limit while no byte arrived.
func (s *stuck) reached(limit, now time.Duration) bool { return s != nil && now-s.since >= limit }
