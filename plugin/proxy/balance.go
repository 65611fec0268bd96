package proxy

import (
	"hash/maphash"
	"sync/atomic"
)

// RoundRobin returns a function for [NewPlugin] that takes the backends in turn,
// leaving out those that say that they can't be used (Health, as sessions have
// it) as long as another can.
func RoundRobin(backends ...Forwarder) func(*Label) Forwarder {
	var next atomic.Uint64
	return func(*Label) Forwarder {
		return firstHealthy(backends, next.Add(1)-1)
	}
}

// Sticky returns a function for [NewPlugin] that sends all messages with the
// same key to the same backend, as long as that can be used, and those of a lost
// one to the next.
func Sticky(key func(*Label) string, backends ...Forwarder) func(*Label) Forwarder {
	seed := maphash.MakeSeed()
	return func(l *Label) Forwarder {
		return firstHealthy(backends, maphash.String(seed, key(l)))
	}
}

// firstHealthy returns the first backend from start on that can be used, or just
// the one at start if none can. It returns nil if there are none.
func firstHealthy(backends []Forwarder, start uint64) Forwarder {
	n := uint64(len(backends))
	if n == 0 {
		return nil
	}
	start %= n
	for i := range n {
		b := backends[(start+i)%n]
		if h, ok := b.(interface{ Health() bool }); !ok || h.Health() {
			return b
		}
	}
	return backends[start]
}
