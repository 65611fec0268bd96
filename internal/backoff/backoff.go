// Package backoff spaces attempts: each wait is twice as long as the one before,
// and drawn at random, so that a thousand clients of one server do not come back
// in step.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff says how long to wait before each attempt. Its methods must not be
// called concurrently. The zero value does not wait.
type Backoff struct {
	First time.Duration // wait before the second attempt
	Max   time.Duration // no wait is longer; less than First stands for First

	// Soon lets the first attempt wait an eighth of First, for a caller that
	// has had what it tries to get back; otherwise the first does not wait.
	Soon bool

	attempts int
	next     time.Duration
}

// Next counts an attempt and returns how long to wait before it: between a half
// and all of the wait that is due.
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

// Reset begins again with the shortest wait. A caller that has succeeded should
// wait with that until the success has lasted: what breaks at once would
// otherwise be tried without a pause.
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
