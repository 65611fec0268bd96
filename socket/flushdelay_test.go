package socket

import (
	"slices"
	"testing"
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
	for i := range n { // more than the queue holds
		if err := s.Send(call(i, make([]byte, testLimit/3)), ByPolicy, FlushInline); err != nil {
			t.Fatal(err)
		}
	}
	if s.Stats().Writes == 0 {
		t.Error("a full queue was not written")
	}
	_ = s.Close()
	if seqs := frames(t, all()); len(seqs) != n {
		t.Errorf("%d of %d messages arrived", len(seqs), n)
	}
}
