package netfault

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/all"
)

// A cable is what a relay does to packets, in both directions.
type cable struct {
	lost, twice    float64       // shares of the packets
	delay, scatter time.Duration // minimum delay, and random addition; packets overtake each other
}

// A relay passes UDP packets on to a server, over a bad cable. It needs neither
// kernel support nor root.
type relay struct {
	front  *net.UDPConn
	server *net.UDPAddr
	cable  cable
	done   sync.WaitGroup

	mu     sync.Mutex // guards the following
	rnd    *rand.Rand
	backs  map[string]*net.UDPConn // to the server, by the address of the client
	closed bool
	passed int
}

// newRelay returns a relay to the server; the test closes it.
func newRelay(t *testing.T, server string, c cable) *relay {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("the relay has the seed %d", seed)
	r := &relay{front: front, server: to, cable: c, rnd: rand.New(rand.NewPCG(seed, 0)), backs: map[string]*net.UDPConn{}}
	r.done.Go(func() {
		r.read(front, func(from *net.UDPAddr, b []byte) error {
			back, err := r.back(from)
			if err != nil {
				return err
			}
			_, err = back.Write(b)
			return err
		})
	})
	t.Cleanup(func() {
		r.mu.Lock()
		r.closed = true
		_ = front.Close() // its error does not matter
		for _, c := range r.backs {
			_ = c.Close() // likewise
		}
		r.mu.Unlock()
		r.done.Wait()
		if r.passed == 0 {
			t.Error("nothing went over the relay, so this has tested nothing")
		}
	})
	return r
}

// back returns the relay's connection to the server for a client.
func (r *relay) back(client *net.UDPAddr) (*net.UDPConn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	if c := r.backs[client.String()]; c != nil {
		return c, nil
	}
	c, err := net.DialUDP("udp", nil, r.server)
	if err != nil {
		return nil, err
	}
	r.backs[client.String()] = c
	r.done.Go(func() {
		r.read(c, func(_ *net.UDPAddr, b []byte) error {
			_, err := r.front.WriteToUDP(b, client)
			return err
		})
	})
	return c, nil
}

// read passes on packets until the connection is closed.
func (r *relay) read(c *net.UDPConn, pass func(from *net.UDPAddr, b []byte) error) {
	b := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFromUDP(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the server's port was closed; the two sides must notice
		}
		packet := append([]byte(nil), b[:n]...)
		for _, after := range r.fate() {
			r.done.Go(func() {
				time.Sleep(after)
				_ = pass(from, packet) // what can't be passed on is lost
			})
		}
	}
}

// fate returns the delays after which copies of the packet arrive; empty if it is
// lost.
func (r *relay) fate() (after []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	times := 1
	switch p := r.rnd.Float64(); {
	case p < r.cable.lost:
		times = 0
	case p < r.cable.lost+r.cable.twice:
		times = 2
	}
	for range times {
		after = append(after, r.cable.delay+time.Duration(r.rnd.Int64N(int64(r.cable.scatter)+1)))
		r.passed++
	}
	return after
}

// TestRelay is TestLossDelayReordering without the kernel's help, for networks
// that repair losses themselves: no call fails, and no call gets the reply of
// another.
func TestRelay(t *testing.T) {
	for _, network := range []string{"quic", "kcp"} {
		for name, c := range map[string]cable{
			"loss":       {lost: 0.05},
			"delay":      {delay: 40 * time.Millisecond},
			"reordering": {delay: 5 * time.Millisecond, scatter: 20 * time.Millisecond},
			"duplicates": {twice: 0.1},
			"everything": {lost: 0.03, twice: 0.03, delay: 10 * time.Millisecond, scatter: 10 * time.Millisecond},
		} {
			t.Run(network+"/"+name, func(t *testing.T) {
				t.Parallel() // mostly waiting
				cfg := erpc.PeerConfig{Network: network, Transports: all.Transports(), Logger: slog.New(slog.DiscardHandler)}
				client := erpc.NewPeer(cfg)
				cfg.ListenAddress = "127.0.0.1:0"
				server := erpc.NewPeer(cfg)
				if network == "quic" {
					server.SetTLSConfig(erpc.GenerateTLSConfigForServer())
					client.SetTLSConfig(erpc.GenerateTLSConfigForClient())
				}
				erpc.HandleCall(server, "/echo", func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
				lis, err := server.Listen()
				if err != nil {
					t.Fatal(err)
				}
				r := newRelay(t, lis.Addr().String(), c) // closed after the peers, which close their sessions over it
				served := make(chan error, 1)
				go func() { served <- server.Serve(lis) }()
				t.Cleanup(func() {
					if err := errors.Join(client.Close(), server.Close()); err != nil {
						t.Error(err)
					}
					<-served // returns that the peer was closed
				})
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				s, st := client.DialContext(ctx, r.front.LocalAddr().String())
				if !st.OK() {
					t.Fatal(st)
				}
				var wg sync.WaitGroup
				for caller := range 4 {
					wg.Go(func() {
						body := make([]byte, 8<<10)
						for i := range 8 {
							body[0], body[1] = byte(caller), byte(i)
							got, err := erpc.Call[[]byte](ctx, s, "/echo", &body)
							if err != nil {
								t.Errorf("call: %v", err)
								return
							}
							if len(*got) != len(body) || (*got)[0] != body[0] || (*got)[1] != body[1] {
								t.Error("the reply is that of another call")
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}
