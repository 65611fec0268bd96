package proxy

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/goerpc/erpc/plugin/internal/turn"
)

// RoundRobin returns a function for [NewPlugin] that uses the backends in turn.
// As long as another backend can be used, it skips those that can't be used
// right now, such as a session that redials. It asks the backend's method
// Connected, or else Health, which sessions have; a backend with neither method
// can always be used.
func RoundRobin(backends ...Forwarder) func(*Label) Forwarder {
	var next atomic.Uint64
	return func(*Label) Forwarder {
		return from(backends, next.Add(1)-1)
	}
}

// Sticky returns a function for [NewPlugin] that sends all messages with the
// same key to the same backend, or to the next one while that backend can't be
// used.
func Sticky(key func(*Label) string, backends ...Forwarder) func(*Label) Forwarder {
	seed := maphash.MakeSeed()
	return func(l *Label) Forwarder {
		return from(backends, maphash.String(seed, key(l)))
	}
}

// from is [turn.From]. It returns nil if there are no backends.
func from(backends []Forwarder, start uint64) Forwarder {
	if len(backends) == 0 {
		return nil
	}
	return turn.From(backends, start)
}
