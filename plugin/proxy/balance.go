package proxy

import (
	"hash/maphash"
	"sync/atomic"
)

// RoundRobin returns a function for [NewPlugin] that uses the backends in turn.
// As long as another backend can be used, it skips those that can't be used
// right now, such as a session that redials. It asks the backend's method
// Connected, or else Health, which sessions have; a backend with neither method
// can always be used.
func RoundRobin(backends ...Forwarder) func(*Label) Forwarder {
	var next atomic.Uint64
	return func(*Label) Forwarder {
		return firstUsable(backends, next.Add(1)-1)
	}
}

// Sticky returns a function for [NewPlugin] that sends all messages with the
// same key to the same backend, or to the next one while that backend can't be
// used.
func Sticky(key func(*Label) string, backends ...Forwarder) func(*Label) Forwarder {
	seed := maphash.MakeSeed()
	return func(l *Label) Forwarder {
		return firstUsable(backends, maphash.String(seed, key(l)))
	}
}

// firstUsable returns the first backend from start on that can be used, or the
// one at start if none can be used. It returns nil if there are no backends.
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
