//go:build unix

package socket

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
)

// fillKernel writes to a connection, below TLS, until the kernel takes no more.
// TLS itself is then idle, and its close_notify would block.
func fillKernel(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*tls.Conn).NetConn().(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 64<<10)
	full := false
	for settled := 0; settled < 3; settled++ { // our buffer still drains into the other side's
		if err := raw.Write(func(fd uintptr) bool {
			for {
				if _, err := syscall.Write(int(fd), junk); err != nil {
					full = errors.Is(err, syscall.EAGAIN)
					return true
				}
				settled = 0
			}
		}); err != nil || !full {
			t.Fatal(err, full)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Close over TLS does not wait for a side that does not read, and the connection
// ends soon.
func TestCloseOfTLSOnAFullKernelBuffer(t *testing.T) {
	a, b := tlsPair(t)
	fillKernel(t, a)
	s := newSocket(a, Config{})
	read := reads(s)
	var err error
	if d := wait.Took(func() { err = s.Close() }); d > lingerTime/2 {
		t.Errorf("Close took %v", d)
	}
	if err != nil {
		t.Errorf("Close: %v", err)
	}
	if d := wait.Took(func() { endsSoon(t, "after Close", read) }); d > 3*lingerTime {
		t.Errorf("the connection ended after %v", d)
	}
	_ = b.Close()
}

// A peer closes its sessions one after another: the waits for stuck ones must not
// add up.
func TestCloseOfManyStuckOnes(t *testing.T) {
	cfg := Config{}.Complete()
	var socks []*Socket
	for range 20 {
		a, _ := tlsPair(t)
		fillKernel(t, a)
		socks = append(socks, New(a, lengthProto{}, cfg))
	}
	d := wait.Took(func() {
		for _, s := range socks {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	if d > time.Second {
		t.Errorf("20 Closes took %v", d)
	}
	eventually(t, "all are closed", func() bool { return cfg.closer.blocked.Load() == 0 })
}

// Close returns no error if the other side has gone already.
func TestCloseAfterTheOtherSideHasGone(t *testing.T) {
	for _, k := range kinds {
		for _, reset := range []bool{false, true} {
			a, b := k.pair(t)
			s := newSocket(a, Config{})
			if tc, ok := b.(*tls.Conn); ok {
				b = tc.NetConn()
			}
			if tc, ok := b.(*net.TCPConn); ok && reset {
				_ = tc.SetLinger(0)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			endsSoon(t, k.name, reads(s))
			_ = s.Send(call(1, nil), ByPolicy, FlushInline) // it may succeed or fail
			if err := s.Close(); err != nil {
				t.Errorf("%s, reset %v: %v", k.name, reset, err)
			}
		}
	}
}

// A Close during a write over TLS ends both.
func TestConcurrentCloseOfTLS(t *testing.T) {
	a, _ := tlsPair(t)
	s := newSocket(a, Config{QueueLimit: 1 << 20})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for s.Send(call(1, make([]byte, 10_000)), ByPolicy, FlushInline) == nil {
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // they are stuck by now, or will be
	for range 3 {
		wg.Go(func() { _ = s.Close() })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	within(t, "writers and closers", done)
}
