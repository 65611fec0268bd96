package memory_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

func pair(t *testing.T, tr *memory.Transport) (dialed, accepted net.Conn) {
	t.Helper()
	l, err := tr.Listen(t.Context(), memory.Network, "somewhere", &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		ch <- c
	}()
	dialed, err = tr.Dial(t.Context(), memory.Network, "somewhere", &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	accepted = <-ch
	t.Cleanup(func() { _ = l.Close(); _ = dialed.Close(); _ = accepted.Close() })
	return dialed, accepted
}

func TestBytesArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &memory.Transport{Buffer: 100, Faults: func() (memory.Fault, memory.Fault) {
			return memory.Fault{MaxRead: 7}, memory.Fault{}
		}})
		want := bytes.Repeat([]byte("0123456789"), 1000)
		go func() {
			if n, err := a.Write(want); n != len(want) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			_ = a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}

func TestFaults(t *testing.T) {
	read := func(f memory.Fault, n int) (got []byte, took time.Duration, err error) {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, &memory.Transport{Faults: func() (memory.Fault, memory.Fault) { return f, memory.Fault{} }})
			t0 := time.Now()
			go func() {
				for i := range n {
					if _, err := a.Write([]byte{byte(i + 1)}); err != nil {
						return
					}
				}
			}()
			got = make([]byte, n)
			_ = b.SetReadDeadline(time.Now().Add(time.Minute))
			var k int
			k, err = io.ReadFull(b, got)
			got, took = got[:k], time.Since(t0)
		})
		return got, took, err
	}
	t.Run("delay", func(t *testing.T) {
		got, took, err := read(memory.Fault{Delay: 3 * time.Second}, 4)
		if err != nil || took != 3*time.Second || !bytes.Equal(got, []byte{1, 2, 3, 4}) {
			t.Errorf("%v after %v, %v", got, took, err)
		}
	})
	t.Run("corrupt", func(t *testing.T) {
		got, _, err := read(memory.Fault{CorruptAt: 3}, 4)
		if err != nil || !bytes.Equal(got, []byte{1, 2, 3 ^ 0xff, 4}) {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("cut", func(t *testing.T) {
		got, _, err := read(memory.Fault{CutAt: 3}, 4)
		if !errors.Is(err, syscall.ECONNRESET) || !bytes.Equal(got, []byte{1, 2}) {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("stall", func(t *testing.T) {
		got, took, err := read(memory.Fault{StallAt: 3}, 4)
		if !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Minute || !bytes.Equal(got, []byte{1, 2}) {
			t.Errorf("%v after %v, %v", got, took, err)
		}
	})
}

// A write across the cut arrives up to the cut.
func TestCutInsideAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &memory.Transport{Faults: func() (memory.Fault, memory.Fault) {
			return memory.Fault{CutAt: 4}, memory.Fault{}
		}})
		if _, err := a.Write([]byte("12345678")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the write ended with %v", err)
		}
		got, err := io.ReadAll(b)
		if string(got) != "123" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &memory.Transport{Buffer: 4})
		var one [1]byte
		_ = a.SetReadDeadline(time.Now().Add(time.Second))
		t0 := time.Now()
		if _, err := a.Read(one[:]); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(t0) != time.Second {
			t.Errorf("read ended with %v after %v", err, time.Since(t0))
		}
		_ = a.SetReadDeadline(time.Time{})
		done := make(chan error, 1)
		go func() { _, err := a.Read(one[:]); done <- err }()
		synctest.Wait()
		_ = a.SetReadDeadline(time.Now()) // moved during a read
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read under way ended with %v", err)
		}
		_ = b.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := b.Write([]byte("123456")); n != 4 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, memory.New())
		if _, err := a.Write([]byte("last")); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed again: %v", err)
		}
		got, err := io.ReadAll(b)
		if string(got) != "last" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to a closed end: %v", err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a closed end: %v", err)
		}
	})
}

func TestListenAndDial(t *testing.T) {
	tr := memory.New()
	if _, err := tr.Dial(t.Context(), memory.Network, "nobody", nil); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial to nobody: %v", err)
	}
	l, err := tr.Listen(t.Context(), memory.Network, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Listen(t.Context(), memory.Network, "x", nil); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listen twice: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := tr.Dial(ctx, memory.Network, "x", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial to one that does not accept: %v", err)
	}
	done := make(chan error, 1)
	go func() { _, err := l.Accept(); done <- err }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept ended with %v", err)
	}
	if _, err := tr.Dial(t.Context(), memory.Network, "x", nil); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after close: %v", err)
	}
	if _, err := tr.Listen(t.Context(), memory.Network, "y", &socket.Options{ReadBuffer: 1}); err == nil {
		t.Error("a kernel buffer was set though there is no kernel")
	}
}

// Peers use the transport with a fake clock: a call is answered after the delays
// of both directions, and ends at its deadline if the reply does not arrive.
func TestPeersInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stall := false
		tr := &memory.Transport{Faults: func() (memory.Fault, memory.Fault) {
			if stall {
				return memory.Fault{}, memory.Fault{StallAt: 1}
			}
			return memory.Fault{Delay: time.Second}, memory.Fault{Delay: time.Second}
		}}
		cfg := erpc.PeerConfig{Network: memory.Network, Transports: []socket.Transport{tr}, Logger: slog.New(slog.DiscardHandler)}
		srv, cli := erpc.NewPeer(cfg), erpc.NewPeer(cfg)
		erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
		lis, err := srv.Listen()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(lis) }()
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			t.Fatal(st)
		}
		t0 := time.Now()
		got, err := erpc.Call[int](context.Background(), sess, "/double", 21)
		if err != nil || *got != 42 {
			t.Fatalf("got %v, %v", got, err)
		}
		if d := time.Since(t0); d < 2*time.Second || d > 2*time.Second+time.Millisecond {
			t.Errorf("two delays of a second took %v", d)
		}
		stall = true
		if sess, st = cli.Dial(lis.Addr().String()); !st.OK() {
			t.Fatal(st)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		t0 = time.Now()
		_, err = erpc.Call[int](ctx, sess, "/double", 1)
		if st := erpc.StatusFromError(err); st.Code() != erpc.CodeHandleTimeout || time.Since(t0) != 5*time.Second {
			t.Errorf("a call that nobody answers ended with %v after %v", err, time.Since(t0))
		}
		_ = cli.Close()
		_ = srv.Close()
		<-served
		time.Sleep(3 * time.Second) // goroutines of the pools end
	})
}
