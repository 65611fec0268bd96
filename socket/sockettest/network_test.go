package sockettest_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/quic"
)

// A network forwards packets to a server, and loses some of them.
type network struct {
	addr string
	loss atomic.Int64 // per cent
}

func newNetwork(t *testing.T, server string) *network {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{addr: front.LocalAddr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards the following
	backs := map[string]*net.UDPConn{}
	wg.Go(func() {
		n.forward(front, func(from net.Addr) func([]byte) {
			mu.Lock()
			defer mu.Unlock()
			back := backs[from.String()]
			if back == nil {
				if back, err = net.DialUDP("udp4", nil, to); err != nil {
					t.Error(err)
					return nil
				}
				backs[from.String()] = back
				wg.Go(func() {
					n.forward(back, func(net.Addr) func([]byte) {
						return func(b []byte) { _, _ = front.WriteTo(b, from) } // may be lost
					})
				})
			}
			return func(b []byte) { _, _ = back.Write(b) } // may be lost
		})
	})
	t.Cleanup(func() {
		_ = front.Close() // ends the goroutine
		mu.Lock()
		for _, back := range backs {
			_ = back.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return n
}

// forward passes packets of conn on, until conn is closed.
func (n *network) forward(conn *net.UDPConn, to func(from net.Addr) func([]byte)) {
	buf := make([]byte, 1<<16)
	for {
		size, from, err := conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || rand.Int64N(100) < n.loss.Load() {
			continue // there is no receiver, or the packet was lost
		}
		if send := to(from); send != nil {
			send(buf[:size])
		}
	}
}

// TestPacketsGetLost: calls succeed, and replies before a close arrive.
func TestPacketsGetLost(t *testing.T) {
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure)
		last := serve(t, cfg(), secure, closing{})
		to, toLast := newNetwork(t, server.Addr), newNetwork(t, last.Addr)
		to.loss.Store(5)
		toLast.loss.Store(5)
		c := client(t, cfg(), secure)
		sess := c.MustDial(t, to.addr)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if err := add(sess, i, 1); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		for i := range 20 {
			sess := c.MustDial(t, toLast.addr)
			if err := add(sess, i, 1); err != nil {
				t.Errorf("call %d before a close: %v", i, err)
			}
			_ = sess.Close() // the server does so, too
		}
	})
}

// TestTheOtherSideVanishes: when all packets are lost, both ends notice by
// keepalive.
func TestTheOtherSideVanishes(t *testing.T) {
	for name, transport := range map[string]socket.Transport{
		"quic": &quic.Transport{Config: &quicgo.Config{MaxIdleTimeout: 500 * time.Millisecond}},
		"kcp":  kcp.Transport{},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := erpc.PeerConfig{Network: name, Transports: []socket.Transport{transport}, SocketKeepAlivePeriod: 100 * time.Millisecond}
			server := serve(t, cfg, true)
			between := newNetwork(t, server.Addr)
			sess := client(t, cfg, true).MustDial(t, between.addr)
			if err := add(sess, 1, 2); err != nil {
				t.Fatal(err)
			}
			// Keepalives hold the session for longer than the time after which it
			// would be lost.
			select {
			case <-sess.CloseNotify():
				t.Fatal("it ended while both sides were there")
			case <-time.After(1500 * time.Millisecond):
			}
			if err := add(sess, 3, 4); err != nil {
				t.Fatal(err)
			}
			between.loss.Store(100)
			gone := time.After(10 * time.Second)
			var theirs erpc.Session
			server.RangeSession(func(s erpc.Session) bool { theirs = s; return false })
			for side, s := range map[string]erpc.Session{"client": sess, "server": theirs} {
				select {
				case <-s.CloseNotify():
				case <-gone:
					t.Errorf("the %s has not noticed", side)
				}
			}
		})
	}
}

// TestVanishedIsATimeout: a read reports why it ended, and not the error of a
// deadline or of a Close of its own.
func TestVanishedIsATimeout(t *testing.T) {
	for name, transport := range map[string]socket.Transport{
		"quic": &quic.Transport{Config: &quicgo.Config{MaxIdleTimeout: 300 * time.Millisecond}},
		"kcp":  kcp.Transport{},
	} {
		t.Run(name, func(t *testing.T) {
			o := &socket.Options{TLS: erpc.GenerateTLSConfigForServer(), KeepAlivePeriod: 50 * time.Millisecond}
			lis, err := transport.Listen(t.Context(), name, "127.0.0.1:0", o)
			if err != nil {
				t.Fatal(err)
			}
			defer lis.Close()
			between := newNetwork(t, lis.Addr().String())
			served := make(chan struct{})
			go func() {
				defer close(served)
				c, err := lis.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if _, err := io.Copy(c, c); err == nil {
					t.Error("the server saw a proper end")
				}
			}()
			c, err := transport.Dial(t.Context(), name, between.addr, &socket.Options{TLS: erpc.GenerateTLSConfigForClient(), KeepAlivePeriod: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(wiretest.Limit)) // the read reports it
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			between.loss.Store(100)
			_, err = c.Read(make([]byte, 1))
			if !errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
				t.Errorf("read ended with %v", err)
			}
			<-served
		})
	}
}
