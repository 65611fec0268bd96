package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
)

// What the other side has sent before it closed the connection is read, though a write
// has failed meanwhile; after Close the descriptor is free.
func TestWhatCameBeforeTheEndIsRead(t *testing.T) {
	const sent = 20
	a, b := socketPair(t)
	far := newSocket(b, Config{})
	for i := range sent {
		if err := far.Send(call(i, make([]byte, 1000)), ByPolicy, FlushInline); err != nil {
			t.Fatal(err)
		}
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSocket(a, Config{})
	if err := s.Send(call(1, nil), ByPolicy, FlushInline); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	if err := s.Err(); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("the socket's error is %v", err)
	}
	m := message.New()
	for i := range sent {
		m.Reset()
		if err := s.Read(m); err != nil || m.Seq() != int32(i) {
			t.Fatalf("message %d: %v, number %d", i, err, m.Seq())
		}
	}
	if err := s.Read(m); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close, reading returns %v", err)
	}
}

// A connection whose other side reads no more but does not go away is closed after a
// while, whether its reader likes it or not.
func TestReaderDoesNotOutliveAFailedWriterForLong(t *testing.T) {
	a, b := socketPair(t)
	if err := b.(*net.UnixConn).CloseRead(); err != nil {
		t.Fatal(err)
	}
	s := newSocket(a, Config{})
	began := time.Now()
	if err := s.Send(call(1, nil), ByPolicy, FlushInline); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	var err error
	most := wait.Took(func() { err = s.Read(message.New()) })
	if took := time.Since(began); !errors.Is(err, net.ErrClosed) || took < unreadTime/2 || most > 10*unreadTime {
		t.Errorf("Read returns %v after %v", err, took)
	}
}

// Any other error of a write closes the connection at once.
func TestOtherErrorsOfAWriteEndTheReader(t *testing.T) {
	a, _ := socketPair(t)
	s := newSocket(a, Config{})
	s.out.failWriting(os.ErrDeadlineExceeded)
	if err := s.Read(message.New()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read returns %v", err)
	}
}

// After Close nobody reads, so a write of what was queued that fails closes the
// connection at once.
func TestFailedWriteAfterCloseDoesNotWaitForTheReader(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, _ := k.pair(t)
			s := newSocket(a, Config{})
			if err := s.Send(call(1, make([]byte, 4<<20)), ByPolicy, FlushInline); err != nil { // the kernel has no room for all of it
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s.out.failWriting(syscall.EPIPE)
			s.out.mu.Lock()
			unread := s.out.crowd.takeUnread()
			s.out.mu.Unlock()
			if unread != nil {
				unread.Stop()
				t.Error("the connection was left to a reader")
			}
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = a.Read(make([]byte, 1)) // until it is closed
			}()
			within(t, "the end of the connection", read)
		})
	}
}
