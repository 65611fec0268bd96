//go:build unix

package socket

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// socketPath returns a path short enough for a Unix socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// echo answers every connection of lis with its own bytes until lis is closed.
func echo(t *testing.T, lis net.Listener) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c) // the client notices
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = lis.Close(); <-done })
}

// exchange sends data over c and compares what comes back.
func exchange(t *testing.T, c net.Conn, data []byte) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(patience))
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- err
	}()
	got := make([]byte, len(data))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("of %d bytes: %v", len(data), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came back changed", len(data))
	}
}

func TestStreamNetworks(t *testing.T) {
	server, client := tlsConfigs()
	for _, network := range (Stream{}).Networks() {
		for _, secure := range []bool{false, true} {
			name := network
			lo, do := &Options{}, &Options{}
			if secure {
				name += " tls"
				lo.TLS, do.TLS = server, client
			}
			t.Run(name, func(t *testing.T) {
				addr := "127.0.0.1:0"
				switch network {
				case "tcp6":
					addr = "[::1]:0"
					do.TLS = withName(do.TLS, "localhost")
				case "unix", "unixpacket":
					addr = socketPath(t)
				}
				lis, err := Stream{}.Listen(soon(t), network, addr, lo)
				if network == "tcp6" && errors.Is(err, syscall.EADDRNOTAVAIL) {
					t.Skip("this machine has no IPv6")
				}
				if err != nil {
					t.Fatal(err)
				}
				echo(t, lis)
				c, err := Stream{}.Dial(soon(t), network, lis.Addr().String(), do)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				rng := rand.New(rand.NewPCG(1, 2))
				for _, n := range []int{1, 2, 23, 24, 25, 1000, maxPacket - 1, maxPacket, maxPacket + 1, 100_000, maxRead, 1 << 20} {
					data := make([]byte, n)
					for i := range data {
						data[i] = byte(rng.Uint32())
					}
					exchange(t, c, data)
				}
			})
		}
	}
}

func getsockopt(t *testing.T, c net.Conn, level, opt int) (v int) {
	t.Helper()
	raw := pollable(c)
	if raw == nil {
		t.Fatalf("%T has no descriptor", c)
	}
	err := raw.Control(func(fd uintptr) {
		var err error
		if v, err = syscall.GetsockoptInt(int(fd), level, opt); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOptionsAreApplied(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name                         string
		o                            Options
		noDelay, keepAlive, idleSecs int
	}{
		{"defaults", Options{}, 1, 1, 15},
		{"all off", Options{NoDelay: &no, KeepAlive: &no}, 0, 0, -1},
		{"all on", Options{NoDelay: &yes, KeepAlive: &yes, KeepAlivePeriod: 77 * time.Second}, 1, 1, 77},
		{"period alone", Options{KeepAlivePeriod: 30 * time.Second}, 1, 1, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.ReadBuffer, c.o.WriteBuffer = 50_000, 60_000
			lis, err := Stream{}.Listen(soon(t), "tcp", "127.0.0.1:0", &c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer lis.Close()
			dialled, err := Stream{}.Dial(soon(t), "tcp", lis.Addr().String(), &c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			accepted, err := lis.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close()
			for side, conn := range map[string]net.Conn{"dialled": dialled, "accepted": accepted} {
				if v := getsockopt(t, conn, syscall.IPPROTO_TCP, syscall.TCP_NODELAY); v != c.noDelay {
					t.Errorf("%s: no delay %d, want %d", side, v, c.noDelay)
				}
				if v := getsockopt(t, conn, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); v != c.keepAlive {
					t.Errorf("%s: keepalive %d, want %d", side, v, c.keepAlive)
				}
				if v := getsockopt(t, conn, syscall.SOL_SOCKET, syscall.SO_RCVBUF); v != 50_000 && v != 2*50_000 { // Linux doubles it
					t.Errorf("%s: read buffer %d", side, v)
				}
				if v := getsockopt(t, conn, syscall.SOL_SOCKET, syscall.SO_SNDBUF); v != 60_000 && v != 2*60_000 {
					t.Errorf("%s: write buffer %d", side, v)
				}
				if c.idleSecs > 0 {
					if v := keepAliveIdle(t, conn); v >= 0 && v != c.idleSecs {
						t.Errorf("%s: keepalive after %d s, want %d", side, v, c.idleSecs)
					}
				}
			}
		})
	}
}

func TestLocalAddr(t *testing.T) {
	lis, err := Stream{}.Listen(soon(t), "tcp", "127.0.0.1:0", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	c, err := Stream{}.Dial(soon(t), "tcp", lis.Addr().String(), &Options{LocalAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if host, _, _ := net.SplitHostPort(c.LocalAddr().String()); host != "127.0.0.1" {
		t.Errorf("dialled from %v", c.LocalAddr())
	}
	if _, err := (Stream{}).Dial(soon(t), "tcp", lis.Addr().String(), &Options{LocalAddr: "no address"}); err == nil {
		t.Error("dialled from what is not an address")
	}

	path, from := socketPath(t), socketPath(t)
	ul, err := Stream{}.Listen(soon(t), "unix", path, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ul.Close()
	uc, err := Stream{}.Dial(soon(t), "unix", path, &Options{LocalAddr: from})
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close()
	if uc.LocalAddr().String() != from {
		t.Errorf("dialled from %v, want %s", uc.LocalAddr(), from)
	}
}

func TestInheritedListener(t *testing.T) {
	parent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	refused := errors.New("bad descriptor")
	secure, _ := tlsConfigs()
	o := &Options{TLS: secure, Inherited: func(_, addr string) (net.Listener, error) {
		switch addr {
		case "handed:down":
			return parent, nil
		case "broken:one":
			return nil, refused
		}
		return nil, nil
	}}
	lis, err := Stream{}.Listen(soon(t), "tcp", "handed:down", o)
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := lis.(*Listener); !ok || l.Unwrap() != parent {
		t.Error("the listener of the system can't be had for the next restart")
	} else if network, addr := l.Asked(); network != "tcp" || addr != "handed:down" {
		t.Errorf("asked for %s %s", network, addr)
	}
	if _, err := (Stream{}).Listen(soon(t), "tcp", "broken:one", o); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	other, err := Stream{}.Listen(soon(t), "tcp", "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()
}

// A connection that can't be wrapped is closed, and the listener goes on.
func TestWrapFails(t *testing.T) {
	fails := true
	wrap := func(c net.Conn) (net.Conn, error) {
		if fails {
			return nil, errBroken
		}
		return c, nil
	}
	lis, err := Stream{Wrap: func(c net.Conn) (net.Conn, error) { // of the second connection alone
		defer func() { fails = false }()
		return wrap(c)
	}}.Listen(t.Context(), "tcp", "127.0.0.1:0", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	first, err := Stream{}.Dial(soon(t), "tcp", lis.Addr().String(), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Stream{}.Dial(soon(t), "tcp", lis.Addr().String(), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	accepted, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if accepted.RemoteAddr().String() != second.LocalAddr().String() {
		t.Error("not the second connection was accepted")
	}
	_ = first.SetReadDeadline(time.Now().Add(patience)) // the read would fail
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other side of the first connection reads %v", err)
	}
	fails = true
	if _, err := (Stream{Wrap: wrap}).Dial(soon(t), "tcp", lis.Addr().String(), &Options{}); !errors.Is(err, errBroken) {
		t.Errorf("Dial: %v", err)
	}
}
