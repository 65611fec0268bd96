// Package backoff spaces attempts: each wait is twice as long as the previous one
// and randomised, so that the clients of a server do not return at the same time.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff returns how long to wait before each attempt. Its methods must not be
// called concurrently. The zero value does not wait.
type Backoff struct {
	First time.Duration // wait before the second attempt
	Max   time.Duration // the longest wait; a value below First means First

	// Soon makes the first attempt wait an eighth of First, for a caller that
	// tries to get back what it has lost. Otherwise the first attempt does not
	// wait.
	Soon bool

	attempts int
	next     time.Duration
}

// Next counts an attempt and returns how long to wait before it: from half of the
// current wait up to all of it.
func (b *Backoff) Next() time.Duration {
	b.attempts++
	if b.attempts == 1 {
		b.next = b.First
		if !b.Soon {
			return 0
		}
		return jitter(b.First / 8)
	}
	d := b.next
	b.next = min(2*b.next, max(b.Max, b.First))
	return jitter(d)
}

// Attempts returns how many attempts Next has counted since the last Reset.
func (b *Backoff) Attempts() int { return b.attempts }

// Reset starts again with the shortest wait. After a success a caller should call
// it only once the success has lasted for a while. Otherwise something that keeps
// breaking at once is retried without a pause.
func (b *Backoff) Reset() { b.attempts, b.next = 0, 0 }

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d/2+1)
}

// Sleep waits for d. It returns false if ctx has ended, or ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
