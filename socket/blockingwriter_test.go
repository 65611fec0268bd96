package socket

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
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
			if err := s.Send(call(1, make([]byte, 4<<20)), ByPolicy, FlushInline); err != nil {
				t.Fatal(err)
			}
			within(t, "the reader of a connection that timed out", read)
			if err := s.Send(call(2, nil), ByPolicy, FlushInline); !errors.Is(err, ErrSlowReader) || !errors.Is(s.Err(), ErrSlowReader) {
				t.Errorf("write afterwards: %v; Err() = %v", err, s.Err())
			}
			_ = s.Close()
		})
	}
}

// withTimeout runs f with a write timeout, and again with longer ones if it fails: on
// a busy machine a reader may be too late for a short one.
func withTimeout(t *testing.T, f func(timeout time.Duration) error) {
	t.Helper()
	for timeout := 100 * time.Millisecond; ; timeout *= 5 {
		err := f(timeout)
		if err == nil {
			return
		}
		if timeout > 2*time.Second {
			t.Fatalf("with a timeout of %v: %v", timeout, err)
		}
	}
}

// The timeout ends a write that makes no progress, not a slow one.
func TestWriteTimeoutSparesSlowReader(t *testing.T) {
	frame := frameOf(t, call(1, make([]byte, 200_000)))
	withTimeout(t, func(timeout time.Duration) error {
		a, b := pair(t, "unix")
		s := newSocket(a, Config{WriteTimeout: timeout})
		defer s.Close()
		if err := s.Send(call(1, make([]byte, 200_000)), ByPolicy, FlushInline); err != nil {
			return err
		}
		var got []byte
		buf := make([]byte, 16<<10)
		for len(got) < len(frame) { // takes several timeouts
			n, err := b.Read(buf)
			if err != nil {
				return fmt.Errorf("after %d of %d bytes: %w; the writer says %v", len(got), len(frame), err, s.Err())
			}
			got = append(got, buf[:n]...)
			time.Sleep(timeout / 5)
		}
		if !bytes.Equal(got, frame) {
			t.Error("the bytes differ")
		}
		return nil
	})
}

// A deadline that a blocking write has set must not end a much later write.
func TestWriteLongAfterTimeout(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			withTimeout(t, func(timeout time.Duration) error {
				a, b := k.pair(t)
				s, r := newSocket(a, Config{WriteTimeout: timeout}), newSocket(b, Config{})
				defer func() { _, _ = s.Close(), r.Close() }() // closing is tested elsewhere
				for i, size := range []int{1 << 20, 1 << 20, 0} {
					if err := s.Send(call(i, make([]byte, size)), ByPolicy, FlushInline); err != nil {
						return fmt.Errorf("message %d: %w", i, err)
					}
					var m message.Message
					if err := r.Read(&m); err != nil {
						return fmt.Errorf("message %d: %w; the writer says %v", i, err, s.Err())
					}
					if size > 0 {
						time.Sleep(timeout + timeout/2)
					}
				}
				return nil
			})
		})
	}
}
