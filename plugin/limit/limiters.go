package limit

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// limiters holds a rate limiter for each key, at most max of them. Further keys
// share one limiter until there is room. All methods may be called
// concurrently.
type limiters struct {
	max    int
	new    func() *limiter
	shared *limiter

	mu    sync.Mutex // guards the following
	byKey map[string]*limiter
	swept time.Time
}

func newLimiters(max int, new func() *limiter) *limiters {
	return &limiters{max: max, new: new, shared: new(), byKey: make(map[string]*limiter)}
}

// sweepEvery is the shortest time between two sweeps over all keys.
const sweepEvery = time.Second

func (l *limiters) of(key string) *limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.byKey[key]; ok {
		return r
	}
	if len(l.byKey) >= l.max {
		l.sweepLocked(time.Now())
		if len(l.byKey) >= l.max {
			return l.shared
		}
	}
	r := l.new()
	l.byKey[key] = r
	return r
}

// sweepLocked removes the limiters that have recovered their full burst, since
// a new one would allow the same.
func (l *limiters) sweepLocked(now time.Time) {
	if now.Sub(l.swept) < sweepEvery {
		return
	}
	l.swept = now
	for key, r := range l.byKey {
		if r.full(now) {
			delete(l.byKey, key)
		}
	}
}

// network returns the key for a remote address: the address without its port,
// or for IPv6 the first 64 bits, which usually belong to one customer.
func network(addr net.Addr) string {
	text := addr.String()
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		if host, _, err := net.SplitHostPort(text); err == nil {
			return host
		}
		return text
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return p.String()
}
