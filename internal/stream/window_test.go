package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func acquire(t *testing.T, w *Window, charge int64) (full bool) {
	t.Helper()
	full, err := w.Acquire(t.Context(), charge)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func TestAcquireWaitsForCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow(1000, nil)
		if acquire(t, w, 600) {
			t.Error("the window is full after 600 of 1000 bytes")
		}
		if !acquire(t, w, 600) { // anything left is enough for a message of any size
			t.Error("the window is not full after 1200 of 1000 bytes")
		}
		got := make(chan error)
		go func() {
			_, err := w.Acquire(t.Context(), 1)
			got <- err
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("a sender did not wait for the window")
		default:
		}
		if err := w.Credit(1, 0); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	})
}

func TestALargerWindowWakesTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow(300, nil)
		acquire(t, w, 300)
		done := make(chan bool)
		go func() { done <- acquire(t, w, 300) }()
		synctest.Wait()
		if err := w.Credit(0, 600); err != nil {
			t.Fatal(err)
		}
		if full := <-done; !full {
			t.Error("600 of 600 bytes are not full")
		}
	})
}

func TestACreditIsCumulative(t *testing.T) {
	w := NewWindow(10_000, nil)
	for range 5 {
		acquire(t, w, 100)
	}
	for _, c := range []struct {
		count uint64
		left  int
	}{{2, 3}, {2, 3}, {1, 3}, {0, 3}, {5, 0}, {4, 0}} { // repeated and old ones change nothing
		if err := w.Credit(c.count, 0); err != nil {
			t.Fatal(err)
		}
		if n, charge := w.Unacked(); n != c.left || charge != int64(100*c.left) {
			t.Errorf("after credit %d: %d messages, %d bytes; want %d", c.count, n, charge, c.left)
		}
	}
	if err := w.Credit(6, 0); !errors.Is(err, ErrCredit) {
		t.Errorf("credit for a message that was not sent: %v", err)
	}
}

// A message that was not sent gives back its part of the window and is not counted
// by later credits.
func TestUndo(t *testing.T) {
	w := NewWindow(1000, nil)
	w.Undo() // without an Acquire
	acquire(t, w, 300)
	if !acquire(t, w, 700) {
		t.Fatal("the window is not full")
	}
	w.Undo()
	if n, charge := w.Unacked(); n != 1 || charge != 300 {
		t.Errorf("%d messages, %d bytes are left of one of 300 bytes", n, charge)
	}
	acquire(t, w, 500)
	if err := w.Credit(2, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Credit(3, 0); !errors.Is(err, ErrCredit) {
		t.Errorf("credit for the message that was not sent: %v", err)
	}
	for i := range 20 { // the ring grows meanwhile
		acquire(t, w, int64(i+1))
		acquire(t, w, 1)
		w.Undo()
	}
	if n, charge := w.Unacked(); n != 20 || charge != 20*21/2 {
		t.Errorf("%d messages, %d bytes", n, charge)
	}
}

func TestAnAnnouncedWindowIsBounded(t *testing.T) {
	w := NewWindow(InitialWindow, nil)
	if err := w.Credit(0, 1<<60); err != nil {
		t.Fatal(err)
	}
	sent := int64(0)
	for full := false; !full; sent++ {
		full = acquire(t, w, Charge(0))
	}
	if max := int64(maxAnnounced/minCharge + 1); sent > max {
		t.Errorf("%d entries are held for one window, at most %d are meant", sent, max)
	}
}

func TestAcquireEnds(t *testing.T) {
	cause := errors.New("the cause")
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow(1, nil)
		acquire(t, w, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan error)
		go func() {
			_, err := w.Acquire(ctx, 1)
			got <- err
		}()
		synctest.Wait()
		cancel(cause)
		if err := <-got; !errors.Is(err, cause) {
			t.Errorf("with its context: %v", err)
		}
		go func() {
			_, err := w.Acquire(t.Context(), 1)
			got <- err
		}()
		synctest.Wait()
		w.Close(cause)
		w.Close(errors.New("a later one"))
		if err := <-got; !errors.Is(err, cause) {
			t.Errorf("with the window: %v", err)
		}
		if _, err := w.Acquire(t.Context(), 1); !errors.Is(err, cause) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// The ring is a queue: it agrees with a plain slice over a random walk.
func TestRingIsAQueue(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var r ring[int]
		var model []int
		for i := range 3000 {
			if len(model) > 0 && rnd.IntN(100) < 45+int(seed) {
				if got := r.pop(); got != model[0] {
					t.Fatalf("seed %d: pop %d, want %d", seed, got, model[0])
				}
				model = model[1:]
			} else {
				r.push(i)
				model = append(model, i)
			}
			if r.len() != len(model) {
				t.Fatalf("seed %d: length %d, want %d", seed, r.len(), len(model))
			}
		}
	}
}

func BenchmarkAcquireAndCredit(b *testing.B) {
	b.ReportAllocs()
	w := NewWindow(InitialWindow, nil)
	n := uint64(0)
	for b.Loop() {
		if _, err := w.Acquire(context.Background(), 256); err != nil {
			b.Fatal(err)
		}
		n++
		if err := w.Credit(n, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// Senders that wait are counted, over several windows, and only while they wait.
func TestSendersThatWaitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting atomic.Int32
		a, b := NewWindow(1, &waiting), NewWindow(1, &waiting)
		ctx, cancel := context.WithCancel(t.Context())
		for _, w := range []*Window{a, b} {
			if _, err := w.Acquire(ctx, 1); err != nil {
				t.Fatal(err)
			}
		}
		for i, w := range []*Window{a, b} {
			if n := waiting.Load(); n != int32(i) {
				t.Errorf("%d wait, want %d", n, i)
			}
			go func() { _, _ = w.Acquire(ctx, 1) }() // what it returns is another test's
			synctest.Wait()
		}
		if err := a.Credit(1, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := waiting.Load(); n != 1 {
			t.Errorf("%d wait after a credit, want 1", n)
		}
		cancel()
		synctest.Wait()
		if n := waiting.Load(); n != 0 {
			t.Errorf("%d wait after the end", n)
		}
	})
}

// What an Undo gives back is for whoever waits.
func TestUndoWakesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow(1000, nil)
		acquire(t, w, 1000)
		got := make(chan error, 1)
		go func() {
			_, err := w.Acquire(t.Context(), 1)
			got <- err
		}()
		synctest.Wait()
		w.Undo()
		synctest.Wait()
		if len(got) != 1 || <-got != nil {
			t.Error("the window is empty again, and nobody was woken")
		}
	})
}

// A credit that was overtaken by a later one says what the window was.
func TestAnOlderCreditChangesNothing(t *testing.T) {
	w := NewWindow(1000, nil)
	for range 5 {
		acquire(t, w, 100)
	}
	if err := w.Credit(5, 2000); err != nil {
		t.Fatal(err)
	}
	if err := w.Credit(3, 10); err != nil {
		t.Fatal(err)
	}
	if acquire(t, w, 1000) {
		t.Error("the older credit has made the window small")
	}
	if n, charge := w.Unacked(); n != 1 || charge != 1000 {
		t.Errorf("%d messages of %d bytes are outstanding, want 1 of 1000", n, charge)
	}
}
