package kcp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, cfg kcp.Config) net.Listener {
	t.Helper()
	lis, err := kcp.Transport{Config: cfg}.Listen(within(t, patience), kcp.Network, "127.0.0.1:0", &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	return lis
}

// accepted returns the next connection of lis, with its handshake done.
func accepted(t *testing.T, lis net.Listener) <-chan net.Conn {
	conns := make(chan net.Conn, 1)
	ctx := within(t, patience)
	go func() {
		c, err := lis.Accept()
		if err == nil {
			err = c.(socket.Handshaker).HandshakeContext(ctx)
		}
		if err != nil {
			t.Error(err)
		}
		conns <- c
	}()
	return conns
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		cfg  kcp.Config
		says string
	}{
		{kcp.Config{DataShards: 3}, "parity"},
		{kcp.Config{ParityShards: 3}, "parity"},
		{kcp.Config{DataShards: 200, ParityShards: 100}, "256"},
		{kcp.Config{MTU: 20}, "MTU"},
	} {
		tr := kcp.Transport{Config: c.cfg}
		if _, err := tr.Dial(within(t, patience), kcp.Network, "127.0.0.1:1", &socket.Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("dial with %+v: %v", c.cfg, err)
		}
		if l, err := tr.Listen(within(t, patience), kcp.Network, "127.0.0.1:0", &socket.Options{}); err == nil {
			_ = l.Close()
			t.Errorf("listened with %+v", c.cfg)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("listen with %+v: %v", c.cfg, err)
		}
	}
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:x", "[::1]:1"} {
		if _, err := (kcp.Transport{}).Dial(within(t, patience), "udp4", addr, &socket.Options{}); err == nil {
			t.Errorf("dialed %s over udp4", addr)
		}
	}
}

// A peer of v7 speaks only KCP. A listener serves both kinds.
func TestPlainClientAndServer(t *testing.T) {
	lis := listen(t, kcp.Config{})
	for _, v7 := range []bool{true, false, true} {
		conns := accepted(t, lis)
		c, err := kcp.Transport{Config: kcp.Config{V7: v7}}.Dial(within(t, patience), kcp.Network, lis.Addr().String(), &socket.Options{})
		if err != nil {
			t.Fatal(err)
		}
		// Shorter than a hello, and with the beginning of one of a future version.
		if _, err := c.Write([]byte("\xfferpX")); err != nil {
			t.Fatal(err)
		}
		s := <-conns
		if s == nil {
			t.FailNow()
		}
		got := make([]byte, 5)
		_ = s.SetReadDeadline(time.Now().Add(patience)) // the read reports it
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "\xfferpX" {
			t.Errorf("v7 %v: read %q, %v", v7, got, err)
		}
		// What was written last arrives, though the end is not sent.
		last := strings.Repeat("0123456789", 30_000)
		go func() {
			_, _ = io.WriteString(s, last) // the reader reports it
			_ = s.Close()
		}()
		got = make([]byte, len(last))
		_ = c.SetReadDeadline(time.Now().Add(patience)) // the read reports it
		if n, err := io.ReadFull(c, got); err != nil || string(got) != last {
			t.Errorf("v7 %v: the last bytes: %d, %v", v7, n, err)
		}
		if v7 {
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // the read reports it
		}
		_, err = c.Read(got)
		if v7 && !errors.Is(err, os.ErrDeadlineExceeded) || !v7 && err != io.EOF {
			t.Errorf("v7 %v: after the last bytes: %v", v7, err)
		}
		_ = c.Close()
	}
}

func TestDialSaysWhatMayBeWrong(t *testing.T) {
	aes, err := kcpgo.NewAESBlockCrypt(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	lis := listen(t, kcp.Config{Block: aes})
	// Unencrypted packets are not understood.
	_, err = kcp.Transport{}.Dial(within(t, 200*time.Millisecond), kcp.Network, lis.Addr().String(), &socket.Options{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "V7") {
		t.Errorf("with another cipher: %v", err)
	}
	// A plain KCP server answers with something else.
	plain, err := kcpgo.ListenWithOptions("127.0.0.1:0", nil, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		s, err := plain.AcceptKCP()
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = s.Close() })
		_, _ = s.Write([]byte("who are you?")) // the client reports it
	}()
	_, err = kcp.Transport{}.Dial(within(t, patience), kcp.Network, plain.Addr().String(), &socket.Options{})
	if err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("a server of another kind: %v", err)
	}
}

// The handshake of a stranger ends with its context.
func TestHandshakeEnds(t *testing.T) {
	lis := listen(t, kcp.Config{DataShards: -1})
	go func() {
		s, err := kcpgo.DialWithOptions(lis.Addr().String(), nil, 0, 0)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = s.Close() })
		_, _ = s.Write([]byte("\xffe")) // the beginning of a hello; if it fails, the server reports it
	}()
	c, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(socket.Handshaker).HandshakeContext(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("handshake: %v", err)
	}
}

// A client that begins another session from the same address, as after a restart, ends
// the first one.
func TestClientBeginsAgain(t *testing.T) {
	lis := listen(t, kcp.Config{})
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	var first net.Conn
	for i := range 2 {
		udp, err := net.ListenUDP("udp4", local)
		if err != nil {
			t.Fatal(err)
		}
		local = udp.LocalAddr().(*net.UDPAddr)
		s, err := kcpgo.NewConn3(uint32(i+1), lis.Addr(), nil, 10, 3, udp)
		if err != nil {
			t.Fatal(err)
		}
		conns := accepted(t, lis)
		if _, err := s.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		c := <-conns
		if c == nil {
			t.FailNow()
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(patience)) // the read reports it
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		_ = s.Close() // sends nothing to the other side
		_ = udp.Close()
		if i == 0 {
			first = c
			continue
		}
		_ = first.SetReadDeadline(time.Now().Add(patience)) // the read reports it
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the first connection ended with %v", err)
		}
	}
}
