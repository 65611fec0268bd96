package socket

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/erpc-go/erpc/message"
)

func TestWriteTimeoutEndsConnection(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: 20 * time.Millisecond, QueueLimit: 64 << 20})
			read := make(chan struct{})
			go func() {
				defer close(read)
				var m message.Message
				if s.Read(&m) == nil {
					t.Error("read a message that nobody sent")
				}
			}()
			if err := s.Write(call(1, make([]byte, 4<<20)), false); err != nil {
				t.Fatal(err)
			}
			within(t, "the reader of a connection that timed out", read)
			if err := s.Write(call(2, nil), false); !errors.Is(err, ErrSlowReader) || !errors.Is(s.Err(), ErrSlowReader) {
				t.Errorf("write afterwards: %v; Err() = %v", err, s.Err())
			}
			_ = s.Close()
		})
	}
}

// The timeout is for no progress at all, not for slow progress.
func TestWriteTimeoutSparesSlowReader(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{WriteTimeout: 100 * time.Millisecond})
	frame := frameOf(t, call(1, make([]byte, 200_000)))
	if err := s.Write(call(1, make([]byte, 200_000)), false); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 16<<10)
	for len(got) < len(frame) { // takes several timeouts
		n, err := b.Read(buf)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v; the writer says %v", len(got), len(frame), err, s.Err())
		}
		got = append(got, buf[:n]...)
		time.Sleep(20 * time.Millisecond)
	}
	if !bytes.Equal(got, frame) {
		t.Error("other bytes came")
	}
	_ = s.Close()
}

// A deadline that a blocking write has set must not hit a write long after.
func TestWriteLongAfterTimeout(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			a, b := k.pair(t)
			const timeout = 200 * time.Millisecond
			s, r := newSocket(a, Config{WriteTimeout: timeout}), newSocket(b, Config{})
			for i := range 2 {
				if err := s.Write(call(i, make([]byte, 1<<20)), false); err != nil {
					t.Fatal(err)
				}
				var m message.Message
				if err := r.Read(&m); err != nil {
					t.Fatalf("message %d: %v; the writer says %v", i, err, s.Err())
				}
				time.Sleep(timeout + timeout/2)
			}
			if err := s.Write(call(2, nil), false); err != nil {
				t.Fatal(err)
			}
			var m message.Message
			if err := r.Read(&m); err != nil {
				t.Fatalf("%v; the writer says %v", err, s.Err())
			}
			_, _ = s.Close(), r.Close() // what follows is the business of other tests
		})
	}
}
