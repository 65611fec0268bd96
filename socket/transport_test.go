//go:build unix

package socket

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

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

func withName(cfg *tls.Config, name string) *tls.Config {
	if cfg == nil {
		return nil
	}
	cfg = cfg.Clone()
	cfg.ServerName = name
	return cfg
}

// The other side of unixpacket may be a program that knows packets only.
func TestUnixPacketAgainstPlainProgram(t *testing.T) {
	path := socketPath(t)
	lis, err := Stream{}.Listen(soon(t), "unixpacket", path, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	other, err := net.Dial("unixpacket", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	// Its packets, read in pieces, empty reads between.
	var want, got []byte
	for i, n := range []int{1, 100, 65536, 200_000, 3} {
		p := bytes.Repeat([]byte{byte('a' + i)}, n)
		sent := make(chan error, 1)
		go func() { _, err := other.Write(p); sent <- err }()
		want = append(want, p...)
		for len(got) < len(want) {
			buf := make([]byte, min(7919, len(want)-len(got)))
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
			if n, err := c.Read(nil); n != 0 || err != nil {
				t.Fatalf("empty read: %d, %v", n, err)
			}
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("its packets were read as other bytes")
	}

	// Ours, none larger than maxPacket.
	data := bytes.Repeat([]byte("0123456789"), 20_000)
	sent := make(chan error, 1)
	go func() { _, err := c.Write(data); sent <- err }()
	got = nil
	for buf := make([]byte, 1<<20); len(got) < len(data); {
		n, err := other.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n > maxPacket {
			t.Fatalf("a packet of %d bytes", n)
		}
		got = append(got, buf[:n]...)
	}
	if err := <-sent; err != nil || !bytes.Equal(got, data) {
		t.Errorf("error %v; bytes equal: %v", err, bytes.Equal(got, data))
	}

	_ = other.Close()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at its end: %d, %v", n, err)
	}
}

func TestUnixPacketWithSmallBuffer(t *testing.T) {
	path := socketPath(t)
	lis, err := Stream{}.Listen(soon(t), "unixpacket", path, &Options{WriteBuffer: 1, ReadBuffer: 1}) // the kernel's least
	if err != nil {
		t.Fatal(err)
	}
	echo(t, lis)
	c, err := Stream{}.Dial(soon(t), "unixpacket", path, &Options{WriteBuffer: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exchange(t, c, bytes.Repeat([]byte("packet"), 30_000))
}

func TestStaleSocketFile(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			path := socketPath(t)
			dead, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
			if err != nil {
				t.Fatal(err)
			}
			dead.SetUnlinkOnClose(false) // as a process that was killed
			_ = dead.Close()
			if _, err := os.Lstat(path); err != nil {
				t.Fatal(err)
			}
			lis, err := Stream{}.Listen(soon(t), network, path, &Options{})
			if err != nil {
				t.Fatalf("over a stale file: %v", err)
			}
			defer lis.Close()
			if l, err := (Stream{}).Listen(soon(t), network, path, &Options{}); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("over a live one: %v, %v", l, err)
			}
			c, err := Stream{}.Dial(soon(t), network, path, &Options{})
			if err != nil {
				t.Fatalf("the live one is gone: %v", err)
			}
			_ = c.Close()
		})
	}
}

func TestListenSparesOtherFiles(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := (Stream{}).Listen(soon(t), "unix", path, &Options{}); !errors.Is(err, os.ErrExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("over a file: %v, %v", l, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
	live := socketPath(t)
	lis, err := Stream{}.Listen(soon(t), "unix", live, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	if l, err := (Stream{}).Listen(soon(t), "unixpacket", live, &Options{}); err == nil {
		_ = l.Close()
		t.Error("listened over a live socket of another type")
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := (Stream{}).Listen(canceled, "unix", live, &Options{}); err == nil {
		_ = l.Close()
		t.Error("took a live socket for stale because there was no time to look")
	}
}

func TestTLSHandshakeErrorsCloseTheSocket(t *testing.T) {
	server, client := tlsConfigs()
	lis, err := Stream{}.Listen(soon(t), "tcp", "127.0.0.1:0", &Options{TLS: server})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	served := make(chan error, 1)
	accept := func() {
		c, err := lis.Accept()
		if err != nil {
			served <- err
			return
		}
		defer c.Close()
		if err = c.(Handshaker).HandshakeContext(t.Context()); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		served <- err
	}
	for name, cfg := range map[string]*tls.Config{
		"unknown authority": {},
		"other name":        withName(client, "example.org"),
		"old version":       {InsecureSkipVerify: true, MaxVersion: tls.VersionTLS10},
	} {
		go accept()
		c, err := Stream{}.Dial(soon(t), "tcp", lis.Addr().String(), &Options{TLS: cfg})
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "tls handshake") {
			t.Errorf("%s: %v", name, err)
		}
		select {
		case err := <-served:
			if err == nil {
				t.Errorf("%s: the server read something", name)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the connection is still open", name)
		}
	}
}

// A server that says nothing must not hold a dialler longer than its context.
func TestTLSDialObeysContext(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, client := tlsConfigs()
	if c, err := (Stream{}).Dial(ctx, "tcp", lis.Addr().String(), &Options{TLS: client}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dialled %v, %v", c, err)
	}
	c, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
	_ = c.Close()
}

func TestServerName(t *testing.T) {
	given := &tls.Config{}
	for _, c := range []struct {
		cfg           *tls.Config
		network, addr string
		want          string
	}{
		{given, "tcp", "example.org:443", "example.org"},
		{given, "tcp", "[::1]:443", "::1"},
		{given, "tcp", ":443", "localhost"},
		{given, "unix", "/run/x", "localhost"},
		{&tls.Config{ServerName: "set"}, "tcp", "example.org:443", "set"},
		{&tls.Config{InsecureSkipVerify: true}, "tcp", "example.org:443", ""},
	} {
		if got := serverName(c.cfg, c.network, c.addr).ServerName; got != c.want {
			t.Errorf("%s %s: verifies %q, want %q", c.network, c.addr, got, c.want)
		}
	}
	if given.ServerName != "" {
		t.Error("the user's configuration was changed")
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
		t.Error("dialled from what is no address")
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
