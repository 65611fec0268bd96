package socket

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// With a flush delay, messages wait for one another in every mode and share one
// write; Close and a full queue do not wait.
func TestFlushDelay(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{FlushDelay: 20 * time.Millisecond})
			all := collect(b)
			start := time.Now()
			for i := range 3 {
				if err := s.Send(call(i, []byte("x")), ByPolicy, FlushInline); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Send(push(3, []byte("x")), ByPolicy, FlushAsync); err != nil {
				t.Fatal(err)
			}
			if err := s.SendFrame(t.Context(), frameOf(t, push(4, []byte("x"))), ByPolicy, FlushAsync); err != nil {
				t.Fatal(err)
			}
			if st := s.Stats(); st.Writes > 0 && time.Since(start) < 20*time.Millisecond {
				t.Errorf("%d writes before the delay has passed", st.Writes)
			}
			eventually(t, "everything is written", s.Flushed)
			if st := s.Stats(); st.Writes != 1 && time.Since(start) < 40*time.Millisecond {
				t.Errorf("%d writes for what was sent together", st.Writes)
			}
			_ = s.Close()
			if seqs := frames(t, all()); !slices.Equal(seqs, []int{0, 1, 2, 3, 4}) {
				t.Errorf("messages %v arrived", seqs)
			}
		})
	}
}

func TestNobodyWaitsAnHourForTheFlush(t *testing.T) {
	a, b := pair(t, "tcp")
	s := newSocket(a, Config{FlushDelay: time.Hour, QueueLimit: testLimit})
	all := collect(b)
	const n = 10
	for i := range n - 1 { // more than the queue holds
		if err := s.Send(call(i, make([]byte, testLimit/3)), ByPolicy, FlushInline); err != nil {
			t.Fatal(err)
		}
	}
	if s.Stats().Writes == 0 {
		t.Error("a full queue was not written")
	}
	if err := s.Flush(soon(t)); err != nil {
		t.Error(err)
	}
	if err := s.Send(call(n-1, nil), ByPolicy, FlushInline); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if seqs := frames(t, all()); len(seqs) != n {
		t.Errorf("%d of %d messages arrived", len(seqs), n)
	}
}

// Whatever starts the delay, nothing is written before it has passed, and all of it
// after that.
func TestFlushDelayOfEachMode(t *testing.T) {
	const delay = 20 * time.Millisecond
	for _, mode := range []Flush{FlushInline, FlushYield, FlushAsync, FlushLater} {
		synctest.Test(t, func(t *testing.T) {
			w := newWriter(&scripted{write: takesAll}, fullKernel{}, Config{FlushDelay: delay})
			w.flushBeforeRead()
			if state := stateOf(w); state != idle {
				t.Errorf("mode %d: an empty queue is %v", mode, state)
			}
			if err := w.send(t.Context(), make([]byte, 10), putMode{policy: Block, flush: mode}); err != nil {
				t.Fatal(err)
			}
			if mode == FlushLater {
				time.Sleep(2 * delay)
				synctest.Wait()
				w.flushBeforeRead()
			}
			time.Sleep(delay - time.Millisecond)
			synctest.Wait()
			if n, state := w.moved.Load(), stateOf(w); n > 0 || state != scheduled {
				t.Errorf("mode %d: %d bytes written before the delay has passed; %v", mode, n, state)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if n, state := w.moved.Load(), stateOf(w); n != 10 || state != idle {
				t.Errorf("mode %d: %d bytes written after the delay; %v", mode, n, state)
			}
		})
	}
}
