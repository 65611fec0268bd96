package socket

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// awaitUnacked returns once the kernel has bytes of s that the other side has no room
// for.
func awaitUnacked(t *testing.T, s *Socket) {
	t.Helper()
	eventually(t, "AwaitAcked waits", func() bool {
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		return errors.Is(s.AwaitAcked(short), context.DeadlineExceeded)
	})
}

// TestAwaitAckedOutlivesAReset: what is acknowledged is not lost, though the other side
// sends what is never read, so that Close resets the connection.
func TestAwaitAckedOutlivesAReset(t *testing.T) {
	for _, k := range kinds {
		if k.name != "tcp" && k.name != "tls" {
			continue // the others lose nothing, or cannot tell
		}
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{QueueLimit: 64 << 20})
			if _, err := b.Write([]byte("unread")); err != nil {
				t.Fatal(err)
			}
			const n = 100
			for i := range n {
				if err := s.Send(push(i, make([]byte, 20_000)), ByPolicy, FlushAsync); err != nil {
					t.Fatal(err)
				}
			}
			awaitUnacked(t, s)
			all := collect(b)
			if err := s.Flush(soon(t)); err != nil {
				t.Fatal(err)
			}
			if err := s.AwaitAcked(soon(t)); err != nil {
				t.Fatal(err)
			}
			_ = s.Close()
			if seqs := frames(t, all()); len(seqs) != n {
				t.Errorf("%d of %d arrived", len(seqs), n)
			}
		})
	}
}

// TestAwaitAckedEnds: with the connection, whoever ends it, and at once where the kernel
// is not asked.
func TestAwaitAckedEnds(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{QueueLimit: 64 << 20})
			if err := s.AwaitAcked(t.Context()); err != nil {
				t.Errorf("with nothing written: %v", err)
			}
			if k.name != "tcp" && k.name != "tls" {
				return
			}
			if err := s.Send(push(1, make([]byte, 16<<20)), ByPolicy, FlushAsync); err != nil {
				t.Fatal(err)
			}
			awaitUnacked(t, s)
			ended := make(chan error, 1)
			go func() { ended <- s.AwaitAcked(soon(t)) }()
			_ = b.Close() // with bytes that it has not read
			select {
			case err := <-ended:
				if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) {
					t.Errorf("the other side is gone, and AwaitAcked says %v", err)
				}
			case <-time.After(patience):
				t.Fatal("AwaitAcked does not end")
			}
		})
	}
}
