package kcp_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
)

// opening is what a client of erpc v7 sends first: 36 bytes, of which four are data.
func opening() []byte {
	b := []byte{0, 0, 0, 0, 0xf1, 0, 30, 0}                // parity is on: number, kind, length
	b = binary.LittleEndian.AppendUint32(b, rand.Uint32()) // conversation
	b = append(b, 81, 0, 32, 0)                            // data, window 32
	b = append(b, make([]byte, 12)...)                     // timestamp, sequence number, next expected
	return append(binary.LittleEndian.AppendUint32(b, 4), "\x00\x00\x00\x10"...)
}

// established counts sessions of the process; those of earlier tests may still end.
func established() int64 { return int64(atomic.LoadUint64(&kcpgo.DefaultSnmp.CurrEstab)) }

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what a sync.Pool holds survives one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Packets whose senders do not answer, such as forged ones, do not create sessions,
// take next to no memory, and are answered with at most as many bytes. Meanwhile
// others are served.
func TestForgedPacketsMakeNoSessions(t *testing.T) {
	lis := listen(t, kcp.Config{})
	to, err := net.ResolveUDPAddr("udp4", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	before, sessions, goroutines := heap(), established(), runtime.NumGoroutine()
	const senders, each = 100, 50
	var wg sync.WaitGroup
	var sent, got atomic.Int64
	for range senders {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		wg.Go(func() {
			for range each {
				n, err := udp.WriteTo(opening(), to)
				if err != nil {
					t.Error(err)
				}
				sent.Add(int64(n))
			}
			_ = udp.SetReadDeadline(time.Now().Add(500 * time.Millisecond)) // the read reports it
			for b := make([]byte, 2000); ; {
				n, _, err := udp.ReadFrom(b)
				if err != nil {
					return
				}
				got.Add(int64(n))
			}
		})
	}
	wg.Wait()
	if s, g := sent.Load(), got.Load(); s != senders*each*36 || g > s {
		t.Errorf("sent %d bytes and got %d", s, g)
	}
	if n := established() - sessions; n > 0 {
		t.Errorf("%d sessions", n)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 5 {
		t.Errorf("%d goroutines more", n)
	}
	if after := heap(); after > before+4<<20 {
		t.Errorf("they hold %d KiB", (after-before)>>10)
	}
	conns := accepted(t, lis)
	c, err := kcp.Transport{}.Dial(within(t, patience), kcp.Network, lis.Addr().String(), &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s := <-conns; s != nil {
		defer s.Close()
	}
}

// Sessions that answer and then send nothing that can be read are few, and are
// ended.
func TestHalfOpenSessionsEnd(t *testing.T) {
	lis := listen(t, kcp.Config{DataShards: -1})
	to, err := net.ResolveUDPAddr("udp4", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := established()
	for range 2 * kcp.MaxHalfOpenPerHost {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		push := opening()[8:]
		push[12] = 1 // not the first, so nothing can be read
		write := func(b []byte) {
			if _, err := udp.WriteTo(b, to); err != nil {
				t.Error(err)
			}
		}
		write(push)
		b := make([]byte, 2000)
		_ = udp.SetReadDeadline(time.Now().Add(patience)) // the read reports it
		n, _, err := udp.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		b[4] = 82 // acknowledged
		write(b[:n])
		write(push)
	}
	few := func(n int64) bool { return established()-base <= n }
	for end := time.Now().Add(patience); established() <= base; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody has a session")
		}
	}
	time.Sleep(50 * time.Millisecond) // for those that should not be let in
	if !few(kcp.MaxHalfOpenPerHost) {
		t.Errorf("%d sessions of one host", established()-base)
	}
	for end := time.Now().Add(patience + 5*time.Second); !few(0); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sessions are left", established()-base)
		}
	}
}

const exitEnv = "ERPC_KCP_EXIT" // how the client process ends: Close or Shutdown

// exitClient dials, calls, and exits right after it has closed.
func exitClient(how, addr string) int {
	p := erpc.NewPeer(erpc.PeerConfig{Network: kcp.Network, Transports: []erpc.Transport{kcp.Transport{}}, Logger: slog.New(slog.DiscardHandler)})
	sess, st := p.Dial(addr)
	if !st.OK() {
		return 2
	}
	if st := sess.Call("/echo", "hello", new(string)).Status(); !st.OK() {
		return 3
	}
	switch how {
	case "session":
		_ = sess.Close() // the other side reports it
	case "peer":
		_ = p.Close()
	}
	return 0
}

// A process may exit right after Close: the other side learns of it at once.
func TestExitAfterClose(t *testing.T) {
	for _, how := range []string{"session", "peer"} {
		t.Run(how, func(t *testing.T) {
			ended := make(chan time.Time, 1)
			srv := erpc.NewPeer(erpc.PeerConfig{Network: kcp.Network, Transports: []erpc.Transport{kcp.Transport{}}, LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}, &erpc.PluginImpl{
				PluginName:       "end",
				OnPostDisconnect: func(erpc.BaseSession) *erpc.Status { ended <- time.Now(); return nil },
			})
			defer srv.Close()
			erpc.HandleCall(srv, "/echo", echo)
			lis, err := srv.Listen()
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(lis) }()
			defer func() { _ = srv.Close(); <-served }()
			cmd := exec.CommandContext(within(t, patience), os.Args[0], lis.Addr().String())
			cmd.Env = append(os.Environ(), exitEnv+"="+how)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("client: %v\n%s", err, out)
			}
			select {
			case <-ended:
			case <-time.After(10 * time.Second): // keepalive takes 15
				t.Error("the server has not heard of the end")
			}
		})
	}
}

func echo(_ context.Context, s *string) (*string, error) { return s, nil }
