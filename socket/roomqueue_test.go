package socket

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRoomQueueAgainstList compares the queue with a plain list while senders
// come, give up and are served.
func TestRoomQueueAgainstList(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var q roomQueue
		var model, gone []*roomWaiter
		for range 300 {
			switch op := rng.IntN(10); {
			case op < 5:
				model = append(model, q.push([]byte{1}, putMode{}))
			case op < 7 && len(model) > 0:
				if r := q.pop(); r != model[0] {
					t.Fatalf("seed %d: pop did not return the first", seed)
				}
				gone, model = append(gone, model[0]), model[1:]
			case op < 9 && len(model) > 0:
				i := rng.IntN(len(model))
				if !q.remove(model[i]) {
					t.Fatalf("seed %d: one that waits was not found", seed)
				}
				gone = append(gone, model[i])
				model = slices.Delete(model, i, i+1)
			case len(gone) > 0:
				if q.remove(gone[rng.IntN(len(gone))]) {
					t.Fatalf("seed %d: one that does not wait was found", seed)
				}
			}
			var last *roomWaiter
			i := 0
			for r := q.head; r != nil; r = r.next {
				if i == len(model) || r != model[i] {
					t.Fatalf("seed %d: the order differs", seed)
				}
				last = r
				i++
			}
			if i != len(model) || q.tail != last {
				t.Fatalf("seed %d: %d wait, want %d", seed, i, len(model))
			}
		}
		q.abort(errBroken)
		for _, r := range model {
			if err := <-r.result; err != errBroken {
				t.Fatalf("seed %d: one that waited got %v", seed, err)
			}
		}
		if q.head != nil || q.tail != nil {
			t.Fatalf("seed %d: somebody waits after abort", seed)
		}
	}
}

// waitingSenders returns a writer in state starting, whose queue holds one full
// frame, and the frames of n senders that wait for room, in their order.
func waitingSenders(t *testing.T, w *writer, n int, results chan<- error) {
	t.Helper()
	w.cfg = Config{QueueLimit: 10}.Complete()
	w.mu.Lock()
	w.state, w.queue.n = writing, 10
	w.mu.Unlock()
	for i := range n {
		go func() {
			_, err := w.put(t.Context(), []byte{byte(i), 0, 0, 0}, putMode{policy: Block})
			results <- err
		}()
		synctest.Wait()
	}
	w.mu.Lock()
	w.queue.n = 0 // the leader has taken the frame
	w.mu.Unlock()
}

// Senders are served in the order in which they came, as many at a time as there
// is room for, and a newcomer does not overtake them.
func TestRoomIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writer
		results := make(chan error, 10)
		waitingSenders(t, &w, 5, results)
		if _, err := w.put(t.Context(), []byte{9}, putMode{policy: Block, full: NoWait}); !errors.Is(err, ErrQueueFull) {
			t.Errorf("a sender that came last got in front: %v", err)
		}
		var order []byte
		for range 4 { // none, two, two, one
			for c := w.take(); c != nil; c = c.next {
				for i := 0; i < len(c.b); i += 4 {
					order = append(order, c.b[i])
				}
			}
		}
		synctest.Wait()
		if !slices.Equal(order, []byte{0, 1, 2, 3, 4}) || len(results) != 5 {
			t.Errorf("senders were served in the order %v, %d of 5", order, len(results))
		}
	})
}

// A sender whose context ends lets those behind it go on, and its frame is not
// sent.
func TestRoomOfOneThatGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writer
		results := make(chan error, 10)
		w.cfg = Config{QueueLimit: 10}.Complete()
		w.state = writing
		w.queue.add(make([]byte, 4))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := w.put(ctx, make([]byte, 9), putMode{policy: Block})
			results <- err
		}()
		synctest.Wait()
		go func() {
			_, err := w.put(t.Context(), make([]byte, 3), putMode{policy: Block}) // it would fit
			results <- err
		}()
		synctest.Wait()
		if len(results) > 0 {
			t.Fatalf("somebody did not wait: %v", <-results)
		}
		cancel()
		if a, b := <-results, <-results; !(errors.Is(a, context.Canceled) && b == nil) && !(a == nil && errors.Is(b, context.Canceled)) {
			t.Errorf("they ended with %v and %v", a, b)
		}
		if w.queue.n != 7 {
			t.Errorf("%d bytes are queued, want 7", w.queue.n)
		}
	})
}

// A push gives up on a side that drains less than a queue in a write timeout. A
// call keeps waiting, and so does a push while more than that is drained.
func TestLeastRateWhilePushesWait(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		push  bool
		first uint64 // moved in the first second, besides the others
		moves uint64 // in each second
		ends  time.Duration
	}{
		{"a push, 9 of 10 bytes", 10, true, 0, 3, 3 * time.Second},
		{"a push, 9 of 9 bytes", 9, true, 0, 3, 0},
		{"a push, 12 of 10 bytes", 10, true, 0, 4, 0},
		{"a push, many bytes at first", 10, true, 1000, 3, 6 * time.Second},
		{"a call, nothing", 10, false, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w writer
				conn := &breaking{}
				w.init(conn, nil, Config{QueueLimit: c.limit, WriteTimeout: 3 * time.Second}.Complete())
				w.state = writing
				w.queue.add(make([]byte, c.limit))
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				result := make(chan error, 1)
				start := time.Now()
				go func() {
					_, err := w.put(ctx, make([]byte, 4), putMode{policy: Block, push: c.push})
					result <- err
				}()
				var err error
				first := c.first
				for done := false; !done; {
					select {
					case err = <-result:
						done = true
					case <-time.After(time.Second - time.Millisecond):
						w.moved.Add(c.moves + first)
						first = 0
					}
				}
				took := time.Since(start)
				if c.ends > 0 && (!errors.Is(err, ErrSlowReader) || took < c.ends || took > c.ends+time.Second || !conn.closed) {
					t.Errorf("%v after %v, closed %v; want the end of the connection after %v", err, took, conn.closed, c.ends)
				}
				if c.ends == 0 && (!errors.Is(err, context.DeadlineExceeded) || conn.closed) {
					t.Errorf("%v after %v; want it to wait for its context", err, took)
				}
			})
		})
	}
}

// Equal senders over a slow connection get equal shares.
func TestEqualSendersGetEqualShares(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{QueueLimit: 8 << 10})
	const senders = 16
	var counts [senders]int
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if s.Send(push(i, make([]byte, 1000)), ByPolicy, FlushAsync) != nil {
					return // closed
				}
				counts[i]++
			}
		})
	}
	buf := make([]byte, 32<<10)
	for range 300 {
		if _, err := b.Read(buf); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // slower than the senders
	}
	close(stop)
	_ = abort(s)
	wg.Wait()
	least, largest := slices.Min(counts[:]), slices.Max(counts[:])
	if least == 0 || largest > 2*least+10 {
		t.Errorf("the share of one is %d, that of another %d", least, largest)
	}
}
