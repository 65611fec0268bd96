package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A limiter is a rate limiter that looks at the clock under a lock. A rate.Limiter that
// is told an earlier time, by a goroutine that was held up, goes back to it and earns
// once more what it has earned since.
type limiter struct {
	mu   sync.Mutex // of take
	rate *rate.Limiter
}

func newLimiter(limit rate.Limit, burst int) *limiter {
	return &limiter{rate: rate.NewLimiter(limit, burst)}
}

// take takes a permit, if there is one.
func (l *limiter) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate.AllowN(time.Now(), 1)
}

// full reports whether all permits are there at a time.
func (l *limiter) full(at time.Time) bool { return l.rate.TokensAt(at) >= float64(l.rate.Burst()) }
