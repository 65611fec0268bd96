package socket

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// shareRig is a writer whose leader is busy, with a queue of 100 bytes.
type shareRig struct {
	t       *testing.T
	w       writer
	results map[string]chan error
}

func newShareRig(t *testing.T) *shareRig {
	r := &shareRig{t: t, results: map[string]chan error{}}
	r.w.cfg = Config{QueueLimit: 100}.Complete()
	r.w.state = writing
	return r
}

// put starts a sender of n bytes and reports whether it waits.
func (r *shareRig) put(ctx context.Context, name string, n int, stream bool) (waits bool) {
	result := make(chan error, 1)
	r.results[name] = result
	go func() {
		_, err := r.w.put(ctx, make([]byte, n), putMode{policy: Block, stream: stream})
		result <- err
	}()
	synctest.Wait()
	return len(result) == 0
}

// want fails the test unless each sender waits, or not, as waits says.
func (r *shareRig) want(when string, waits map[string]bool) {
	r.t.Helper()
	synctest.Wait()
	for name, want := range waits {
		if got := len(r.results[name]) == 0; got != want {
			r.t.Errorf("%s: %s waits: %v", when, name, got)
		}
	}
}

// Messages of streams fill a quarter of the queue and no more; others pass them.
func TestStreamsHaveAPartOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newShareRig(t)
		if r.put(t.Context(), "a", 20, true) {
			t.Error("the first message of a stream waits")
		}
		if !r.put(t.Context(), "b", 10, true) || !r.put(t.Context(), "c", 1, true) {
			t.Error("the part of streams is exceeded, or one overtakes another")
		}
		if r.put(t.Context(), "call", 70, false) {
			t.Error("a call waits behind messages of streams")
		}
		r.w.take()
		r.want("after the write", map[string]bool{"b": false, "c": false})
		if n, stream := r.w.queue.n, r.w.queue.stream; n != 11 || stream != 11 {
			t.Errorf("%d bytes are queued, %d of streams; want 11", n, stream)
		}
	})
}

// One message of a stream may go, whatever its size, if no other one is queued.
func TestALargeMessageOfAStreamGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newShareRig(t)
		if r.put(t.Context(), "large", 90, true) {
			t.Error("it waits")
		}
		if !r.put(t.Context(), "small", 1, true) {
			t.Error("another goes with it")
		}
	})
}

// Streams get their part even if calls always fill the queue, and calls get the
// rest first.
func TestCallsDoNotStarveStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newShareRig(t)
		r.put(t.Context(), "first", 100, false)
		if !r.put(t.Context(), "stream", 20, true) {
			t.Error("a message of a stream goes into a full queue")
		}
		r.put(t.Context(), "second", 100, false)
		r.put(t.Context(), "third", 100, false)
		r.w.take()
		r.want("after a write", map[string]bool{"stream": false, "second": false, "third": true})
		if n := r.w.queue.n; n != 120 {
			t.Errorf("%d bytes are queued, want 120: the queue, and the part of streams", n)
		}
		if !r.put(t.Context(), "later", 1, true) {
			t.Error("a message of a stream overtakes a call that waits")
		}
		r.w.take()
		r.want("after another", map[string]bool{"third": false, "later": false})
	})
}

// A sender that gives up lets those behind it go on and does not discourage
// pushes. A broken connection ends the wait of all.
func TestStreamsThatStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newShareRig(t)
		r.put(t.Context(), "a", 10, true)
		ctx, cancel := context.WithCancel(t.Context())
		r.put(ctx, "large", 50, true)
		r.put(t.Context(), "small", 5, true)
		cancel()
		r.want("after one gave up", map[string]bool{"large": false, "small": false})
		if err := <-r.results["large"]; !errors.Is(err, context.Canceled) {
			t.Errorf("it gave up with %v", err)
		}
		if r.w.gaveUp {
			t.Error("pushes are told that there is no room")
		}
		r.put(t.Context(), "last", 50, true)
		r.w.mu.Lock()
		r.w.endSendingLocked(errBroken)
		r.w.mu.Unlock()
		r.want("after the end", map[string]bool{"last": false})
		if err := <-r.results["last"]; !errors.Is(err, errBroken) {
			t.Errorf("it ended with %v", err)
		}
	})
}
