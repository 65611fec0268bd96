package proxy

import (
	"hash/maphash"
	"sync/atomic"
)

// RoundRobin returns a function for [NewPlugin] that takes the backends in turn.
// It skips those that cannot be used right now as long as another can: a session
// that redials, for example. A backend tells by Connected, or else by Health, as
// sessions have them; one with neither can always be used.
func RoundRobin(backends ...Forwarder) func(*Label) Forwarder {
	var next atomic.Uint64
	return func(*Label) Forwarder {
		return firstUsable(backends, next.Add(1)-1)
	}
}

// Sticky returns a function for [NewPlugin] that sends all messages with the
// same key to the same backend, as long as that can be used, and those of an
// unusable one to the next.
func Sticky(key func(*Label) string, backends ...Forwarder) func(*Label) Forwarder {
	seed := maphash.MakeSeed()
	return func(l *Label) Forwarder {
		return firstUsable(backends, maphash.String(seed, key(l)))
	}
}

// firstUsable returns the first backend from start on that can be used, or just
// the one at start if none can. It returns nil if there are none.
func firstUsable(backends []Forwarder, start uint64) Forwarder {
	n := uint64(len(backends))
	if n == 0 {
		return nil
	}
	start %= n
	for i := range n {
		if b := backends[(start+i)%n]; usable(b) {
			return b
		}
	}
	return backends[start]
}

func usable(f Forwarder) bool {
	if c, ok := f.(interface{ Connected() bool }); ok {
		return c.Connected()
	}
	h, ok := f.(interface{ Health() bool })
	return !ok || h.Health()
}
