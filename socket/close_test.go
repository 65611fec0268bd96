package socket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/goerpc/erpc/internal/test/wait"
)

func TestCloseSendsWhatIsQueued(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{})
			const n = 200
			for i := range n {
				if err := s.Send(call(i, make([]byte, 1000)), ByPolicy, FlushLater); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(call(n, nil), ByPolicy, FlushInline); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write after Close: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if seqs := frames(t, collect(b)()); len(seqs) != n {
				t.Errorf("%d of %d messages arrived", len(seqs), n)
			}
		})
	}
}

// Close returns at once though the other side does not read, and the connection is
// closed a little later.
func TestCloseDoesNotWaitForSlowReader(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: -1})
			if err := s.Send(call(1, make([]byte, 4<<20)), ByPolicy, FlushInline); err != nil {
				t.Fatal(err)
			}
			var err error
			took := wait.Took(func() { err = s.Close() })
			if err != nil {
				t.Fatal(err)
			}
			if took > lingerTime/2 {
				t.Errorf("Close took %v", took)
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

func TestAbortLosesWhatIsQueued(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	n := fill(t, s, make([]byte, 500))
	_ = s.Close() // lingers
	if err := abort(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(call(n, nil), ByPolicy, FlushInline); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Abort: %v", err)
	}
	got := collect(b)()
	if len(got) >= n*(500+lengthHead) {
		t.Errorf("all %d bytes arrived, more than the kernel had room for", len(got))
	}
}

// Whatever Close and Abort run into, a writer gets nil or net.ErrClosed.
func TestWriteCloseRace(t *testing.T) {
	rounds := 600
	if testing.Short() {
		rounds = 200
	}
	for i := range rounds {
		a, b := socketPair(t)
		if i%4 == 3 {
			a = wrapped{a}
		}
		s := newSocket(a, Config{})
		all := collect(b)
		var wg sync.WaitGroup
		for w := range 2 {
			wg.Go(func() {
				for j := 0; ; j++ {
					if err := sendInline(s, call(j, nil), w == 0); err != nil {
						if !errors.Is(err, net.ErrClosed) {
							t.Errorf("round %d: write: %v", i, err)
						}
						return
					}
				}
			})
		}
		wg.Go(func() {
			if i%3 == 0 {
				_ = abort(s)
			} else {
				_ = s.Close()
			}
		})
		wg.Wait()
		if got := all(); i%3 != 0 {
			if n := uint64(len(frames(t, got))); n != s.Stats().MessagesOut {
				t.Fatalf("round %d: %d messages were taken, %d arrived", i, s.Stats().MessagesOut, n)
			}
		}
		_ = b.Close()
	}
}

// A breaking connection takes only the first half of the n-th write.
type breaking struct {
	net.Conn
	mu     sync.Mutex // guards the following
	left   int
	got    []byte
	writes int // after it broke
	closed bool
	first  []*byte // of each write, to tell copies
}

var errBroken = errors.New("cable cut")

func (c *breaking) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = append(c.first, unsafe.SliceData(p))
	if c.left < 0 {
		c.writes++
		return 0, errBroken
	}
	if c.left == 0 {
		c.left--
		c.got = append(c.got, p[:len(p)/2]...)
		return len(p) / 2, errBroken
	}
	c.left--
	c.got = append(c.got, p...)
	return len(p), nil
}

func (c *breaking) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *breaking) SetWriteDeadline(time.Time) error { return nil }

func TestBrokenWriteEndsEverything(t *testing.T) {
	for good := range 4 {
		t.Run(fmt.Sprint(good, " good"), func(t *testing.T) {
			conn := &breaking{left: good}
			s := newSocket(conn, Config{})
			var want []byte
			large := make([]byte, ownFrame) // a chunk of its own, and so writes of its own
			frame := lengthHead + len(large)
			for i := range 10 {
				want = append(want, frameOf(t, call(i, large))...)
				if err := s.Send(call(i, large), ByPolicy, FlushLater); err != nil {
					t.Fatal(err)
				}
			}
			s.StartFlush()
			eventually(t, "the connection is closed", func() bool {
				conn.mu.Lock()
				defer conn.mu.Unlock()
				return conn.closed
			})
			for i := range 3 {
				if err := s.Send(call(i, nil), ByPolicy, FlushInline); !errors.Is(err, errBroken) {
					t.Errorf("write afterwards: %v", err)
				}
			}
			if err := s.Err(); !errors.Is(err, errBroken) {
				t.Errorf("Err() = %v", err)
			}
			_ = s.Close()
			conn.mu.Lock()
			defer conn.mu.Unlock()
			if conn.writes > 0 {
				t.Errorf("%d more writes after half a frame", conn.writes)
			}
			end := 0
			for range good { // each frame is written in two pieces
				end += min(wrappedPiece, (end/frame+1)*frame-end)
			}
			end += min(wrappedPiece, (end/frame+1)*frame-end) / 2
			if !bytes.Equal(conn.got, want[:end]) {
				t.Errorf("the %d bytes that were written are not the first ones", len(conn.got))
			}
		})
	}
}

// A stuck connection blocks in its first write until the test tells it the result.
type stuck struct {
	breaking
	begun, end chan struct{}
}

func (c *stuck) Write(p []byte) (int, error) {
	c.begun <- struct{}{}
	<-c.end
	return c.breaking.Write(p)
}

// What is queued behind a write that fails is not written, even while the socket
// lingers after Close.
func TestBrokenWriteAfterClose(t *testing.T) {
	conn := &stuck{begun: make(chan struct{}, 10), end: make(chan struct{})}
	s := newSocket(conn, Config{WriteTimeout: -1})
	for i := range 3 {
		if err := s.Send(call(i, nil), ByPolicy, FlushInline); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			within(t, "the first write", conn.begun)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	close(conn.end)
	eventually(t, "the leader is done", func() bool {
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		return s.out.state == idle
	})
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if conn.writes > 0 || !conn.closed {
		t.Errorf("%d more writes after half a frame; closed: %v", conn.writes, conn.closed)
	}
}

// The first error of a socket is the one that its senders get.
func TestFirstErrorCounts(t *testing.T) {
	conn := new(scripted)
	w := newWriter(conn, fullKernel{}, Config{})
	w.state = writing // somebody else leads
	told := func() { t.Error("told of a failure after Close") }
	w.notifyFailed(told)
	if err := w.close(lingerTime); err != nil {
		t.Fatal(err)
	}
	w.notifyFailed(told)
	w.fail(errBroken)
	if _, err := w.put(t.Context(), nil, putMode{}); err != net.ErrClosed || !conn.isClosed() {
		t.Errorf("%v, closed %v; want %v", err, conn.isClosed(), net.ErrClosed)
	}
}
