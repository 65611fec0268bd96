package socket

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A write that makes no progress ends after the write timeout: of looks deadlines on a
// connection of the system, of one on any other. Whatever the connection takes meanwhile
// counts as progress.
func TestStalledWrites(t *testing.T) {
	const size = 3 * rawPiece
	type step struct {
		n   int // of the bytes offered; -1: all
		err error
	}
	stall, part, whole := step{0, os.ErrDeadlineExceeded}, step{10, os.ErrDeadlineExceeded}, step{-1, nil}
	for _, c := range []struct {
		name  string
		raw   bool
		steps []step
		want  error
		left  int
	}{
		{"no stall", true, []step{whole, whole, whole}, nil, 0},
		{"one stall too few", true, []step{stall, stall, stall, whole, whole, whole}, nil, 0},
		{"a write timeout", true, []step{stall, stall, stall, stall}, ErrSlowReader, size},
		{"progress by a piece", true, []step{stall, stall, stall, whole, stall, stall, stall, whole, whole}, nil, 0},
		{"progress by a part", true, []step{stall, stall, stall, part, stall, stall, stall, whole, whole, whole}, nil, 0},
		{"another error", true, []step{whole, {5, errBroken}}, errBroken, size - rawPiece - 5},
		{"wrapped", false, []step{{-1, nil}, part}, ErrSlowReader, size - wrappedPiece - 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w *writer
				conn := new(scripted)
				conn.write = func(p []byte) (int, error) {
					if limited := !conn.deadline().IsZero(); limited != c.raw {
						t.Errorf("a write with a deadline: %v", limited)
					} else if limited && time.Until(conn.deadline()) != w.cfg.WriteTimeout/looks {
						t.Errorf("the deadline is in %v", time.Until(conn.deadline()))
					}
					if len(c.steps) == 0 {
						t.Fatal("one write too many")
					}
					now := c.steps[0]
					c.steps = c.steps[1:]
					if now.n < 0 {
						now.n = len(p)
					}
					return now.n, now.err
				}
				w = newWriter(conn, nil, Config{WriteTimeout: 4 * time.Second})
				if c.raw {
					w.raw = fullKernel{}
				}
				left, err := w.writeBlocking(make([]byte, size))
				if !errors.Is(err, c.want) || len(left) != c.left || len(c.steps) > 0 {
					t.Errorf("%v with %d bytes and %d writes left; want %v and %d bytes", err, len(left), len(c.steps), c.want, c.left)
				}
				if moved := size - uint64(c.left); w.moved.Load() != moved {
					t.Errorf("%d bytes have moved, want %d", w.moved.Load(), moved)
				}
				w.fail(errBroken) // stops the watchdog
				if left, err := w.writeBlocking(make([]byte, 5)); err != errBroken || len(left) != 5 {
					t.Errorf("after the end: %v with %d bytes left", err, len(left))
				}
			})
		})
	}
}

// The deadline of a write is removed with the last one.
func TestWriteDeadlineIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &scripted{write: takesAll}
		w := newWriter(conn, fullKernel{}, Config{})
		if err := w.send(t.Context(), make([]byte, 10), putMode{policy: Block}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if w.state != idle || w.moved.Load() != 10 {
			t.Fatalf("%v with %d bytes written", w.state, w.moved.Load())
		}
		if !conn.deadline().IsZero() || w.deadlineSet {
			t.Errorf("the deadline is still %v", conn.deadline())
		}
	})
}

// The watchdog ends a write that has made no progress for as long as it was last given.
func TestWatchdogCountsFromTheLastPiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := new(scripted)
		w := newWriter(conn, nil, Config{})
		bound := func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.boundLocked(3 * time.Second)
		}
		bound()
		time.Sleep(2 * time.Second)
		bound() // until 5 s
		time.Sleep(3*time.Second - time.Millisecond)
		if conn.isClosed() {
			t.Fatal("the connection ended too early")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if !conn.isClosed() || !errors.Is(w.err, ErrSlowReader) {
			t.Errorf("closed %v, %v; want the end after 3 s", conn.isClosed(), w.err)
		}
	})
}

// Time without a write does not count, and the watchdog watches the next one.
func TestWatchdogRestsBetweenWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := new(scripted)
		w := newWriter(conn, nil, Config{})
		for range 2 {
			w.mu.Lock()
			w.boundLocked(3 * time.Second)
			w.crowd.rest()
			w.mu.Unlock()
			time.Sleep(10 * time.Second)
			if conn.isClosed() {
				t.Fatal("the connection ended though nothing was written")
			}
		}
		w.mu.Lock()
		w.boundLocked(3 * time.Second)
		w.mu.Unlock()
		time.Sleep(3*time.Second + time.Millisecond)
		synctest.Wait()
		if !conn.isClosed() {
			t.Error("the next write is not watched")
		}
	})
}

// Close gives a write that is stuck as long as it says, however long the write timeout
// is. One that ends before is the last, and leaves no timer.
func TestCloseBoundsTheWriteInProgress(t *testing.T) {
	for _, ends := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			conn := &scripted{write: func(p []byte) (int, error) { <-release; return len(p), nil }}
			w := newWriter(conn, nil, Config{WriteTimeout: time.Hour})
			if err := w.send(t.Context(), make([]byte, 10), putMode{policy: Block}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := w.close(lingerTime); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lingerTime - time.Millisecond)
			if conn.isClosed() {
				t.Fatal("closed too early")
			}
			if ends {
				close(release)
				synctest.Wait()
				if !conn.isClosed() || w.crowd.watchdog.timer != nil {
					t.Errorf("closed %v, timer %v", conn.isClosed(), w.crowd.watchdog.timer)
				}
				return
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if !conn.isClosed() {
				t.Error("still open after the linger time")
			}
			close(release)
		})
	}
}

// The timer of a deadline that was replaced when it fired has no effect.
func TestReplacedDeadline(t *testing.T) {
	conn := new(scripted)
	w := newWriter(conn, fullKernel{}, Config{}) // it is closed at once
	if err := w.deadline(time.Now().Add(time.Hour), errNoDeadlines); err != nil {
		t.Fatal(err)
	}
	old := w.crowd.watchdog.expiry
	if err := w.deadline(time.Now().Add(time.Hour), errNoDeadlines); err != nil {
		t.Fatal(err)
	}
	w.expire(&old)
	if w.err != nil || conn.isClosed() {
		t.Errorf("the old deadline ended the connection: %v", w.err)
	}
	now := w.crowd.watchdog.expiry
	w.expire(&now)
	if w.err != errNoDeadline || !conn.isClosed() {
		t.Errorf("at the deadline: %v", w.err)
	}
}

// The error of a write does not become that of another one.
func TestAttemptForgetsItsError(t *testing.T) {
	a, b := socketPair(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	other, _ := socketPair(t)
	if pollable(a) == nil {
		t.Skip("no connection is polled on this system")
	}
	try := attempts.New().(*attempt)
	broken := newWriter(a, pollable(a), Config{})
	if _, err := broken.writeNow(try, []byte("x")); err == nil {
		t.Fatal("wrote to a side that is gone")
	}
	w := newWriter(other, pollable(other), Config{})
	if left, err := w.writeNow(try, []byte("x")); err != nil || len(left) > 0 || try.left != nil {
		t.Errorf("another write: %v, %d bytes left, %q kept", err, len(left), try.left)
	}
}
