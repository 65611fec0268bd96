package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestCase29ShutdownUnderLoad: what was accepted is answered, what comes later
// is told that it may be sent elsewhere, and nothing is in between.
func TestCase29ShutdownUnderLoad(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		var begun, ended atomic.Int64
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/work", func(ctx context.Context, n *int) (*int, error) {
			begun.Add(1)
			defer ended.Add(1)
			time.Sleep(2 * time.Millisecond) // what the work takes
			return n, nil
		})
		addr := kit.Start(t, server)
		const sessions, callers = 4, 8
		var replied, refused, other atomic.Int64
		var wg sync.WaitGroup
		for range sessions {
			s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), addr)
			for range callers {
				wg.Go(func() {
					for {
						var n int
						st := s.Call("/work", 42, &n).Status()
						switch {
						case st.OK() && n == 42:
							replied.Add(1)
							continue
						case st.Code() == erpc.CodeShuttingDown:
							refused.Add(1)
						case st.Code() != erpc.CodeConnClosed || s.Health():
							t.Errorf("call: %v, result %d", st, n)
						default:
							other.Add(1)
						}
						return
					}
				})
			}
		}
		kit.Eventually(t, kit.Bound, "load", func() bool { return replied.Load() > 100 })
		ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
		defer cancel()
		var err error
		took := kit.Within(t, kit.Bound, "Shutdown", func() { err = server.Shutdown(ctx) })
		if err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		kit.Within(t, kit.Bound, "end of the callers", wg.Wait)
		if begun.Load() != ended.Load() || replied.Load() != ended.Load() {
			t.Errorf("%d handlers began, %d ended, %d callers got the reply", begun.Load(), ended.Load(), replied.Load())
		}
		if refused.Load() == 0 {
			t.Error("nobody was told of the shutdown")
		}
		if took > 2*time.Second+kit.Prompt {
			t.Errorf("Shutdown took %v", took)
		}
		if server.CountSession() != 0 {
			t.Errorf("%d sessions are left", server.CountSession())
		}
		t.Logf("%d replied, %d refused, %d closed, Shutdown took %v", replied.Load(), refused.Load(), other.Load(), took)
	})
}

func TestCase29DeadlineOfShutdownCutsTheRest(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		release := make(chan struct{})
		started := make(chan struct{}, 1)
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/stuck", func(context.Context, *int) (*int, error) {
			started <- struct{}{}
			<-release
			return nil, nil
		})
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
		cmd := s.AsyncCall("/stuck", 1, nil, nil)
		kit.AwaitIn(t, kit.Bound, "start of the handler", started)
		const limit = 200 * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		var err error
		took := kit.Within(t, kit.Bound, "Shutdown", func() { err = server.Shutdown(ctx) })
		if !errors.Is(err, context.DeadlineExceeded) || took < limit || took > limit+kit.Prompt {
			t.Errorf("Shutdown returned %v after %v", err, took)
		}
		kit.AwaitIn(t, kit.Prompt, "end of the call", cmd.Done())
		kit.WantCode(t, "call", cmd.Status(), erpc.CodeConnClosed)
		close(release)
	})
}

func TestCase30CloseInEveryOrder(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		t.Run("before ListenAndServe", func(t *testing.T) {
			p := on.Peer(t, erpc.PeerConfig{})
			_ = p.Close()
			kit.Within(t, kit.Prompt, "ListenAndServe", func() {
				if err := p.ListenAndServe(); err == nil {
					t.Error("a closed peer serves")
				}
			})
			if _, st := p.Dial("127.0.0.1:1"); st.OK() {
				t.Error("a closed peer dials")
			}
		})
		t.Run("twice", func(t *testing.T) {
			p := on.Peer(t, erpc.PeerConfig{})
			kit.Start(t, p)
			for range 2 {
				kit.Within(t, kit.Prompt, "Close", func() {
					if err := p.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
			}
		})
		t.Run("at once, while it accepts", func(t *testing.T) {
			for range kit.Times(30, 1000) {
				p := on.Peer(t, erpc.PeerConfig{})
				erpc.HandleCall(p, "/add", kit.Add)
				addr := kit.Start(t, p)
				client := on.Peer(t, erpc.PeerConfig{DialTimeout: kit.Bound})
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						for {
							s, st := client.Dial(addr)
							if !st.OK() {
								return
							}
							s.Call("/add", &kit.Sum{}, nil)
						}
					})
				}
				kit.Eventually(t, kit.Bound, "a session", func() bool { return p.CountSession() > 0 })
				for range 2 {
					wg.Go(func() { _ = p.Close() })
				}
				kit.Within(t, kit.Bound, "Close, and end of the dialing", wg.Wait)
				kit.Eventually(t, kit.Prompt, "end of the sessions", func() bool { return p.CountSession() == 0 && client.CountSession() == 0 })
				_ = client.Close()
			}
		})
		t.Run("at once with ListenAndServe", func(t *testing.T) {
			for range kit.Times(100, 1000) {
				p := on.Peer(t, erpc.PeerConfig{})
				var wg sync.WaitGroup
				wg.Go(func() {
					if err := p.ListenAndServe(); err == nil {
						t.Error("ListenAndServe returned no error")
					}
				})
				for range 2 {
					wg.Go(func() { _ = p.Close() })
				}
				kit.Within(t, kit.Prompt, "ListenAndServe and Close", wg.Wait)
			}
		})
	})
}

func TestCase31TwoPeersOnFreePorts(t *testing.T) {
	kit.NoLeaks(t)
	addrs := map[string]bool{}
	for range 2 {
		p := kit.TCP.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1", ListenPort: 0})
		erpc.HandleCall(p, "/add", kit.Add)
		addrs[kit.Start(t, p)] = true
	}
	if len(addrs) != 2 {
		t.Errorf("the peers serve at %v", addrs)
	}
	for addr := range addrs {
		kit.Answers(t, kit.Open(t, kit.TCP.Peer(t, erpc.PeerConfig{}), addr))
	}
	for addr := range addrs { // a port that is taken is an error and no more
		_, port, _ := net.SplitHostPort(addr)
		p := kit.TCP.Peer(t, erpc.PeerConfig{ListenAddress: "127.0.0.1:" + port})
		if err := p.ListenAndServe(); err == nil {
			t.Error("two peers serve one port")
		}
	}
}

func TestCase32ConnectCallDisconnect(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", kit.Add)
		addr := kit.Start(t, server)
		client := on.Peer(t, erpc.PeerConfig{})
		const workers = 4
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for i := range kit.Times(400, 10_000) / workers {
					s, st := client.Dial(addr)
					if !st.OK() {
						t.Errorf("dial: %v", st)
						return
					}
					if i%4 > 0 { // and else Close straight after Dial
						kit.Answers(t, s)
					}
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}
			})
		}
		kit.Within(t, 10*kit.Bound, "the cycles", wg.Wait)
		kit.Eventually(t, kit.Prompt, "end of the sessions", func() bool { return client.CountSession() == 0 && server.CountSession() == 0 })
		kit.Eventually(t, kit.Prompt, "end of the handlers, the last of which may be about to return", func() bool { return server.Handlers() == 0 })
	})
}

// TestCase33NormalEndIsQuiet ends connections in every ordinary way, at either
// end, with and without a call in flight.
func TestCase33NormalEndIsQuiet(t *testing.T) {
	ways := map[string]func(client, server erpc.Peer, s erpc.Session){
		"client closes the session": func(_, _ erpc.Peer, s erpc.Session) { _ = s.Close() },
		"client closes":             func(client, _ erpc.Peer, _ erpc.Session) { _ = client.Close() },
		"server closes":             func(_, server erpc.Peer, _ erpc.Session) { _ = server.Close() },
		"server closes the session": func(_, server erpc.Peer, _ erpc.Session) {
			server.RangeSession(func(s erpc.Session) bool { return s.Close() == nil })
		},
		"server shuts down": func(_, server erpc.Peer, _ erpc.Session) {
			ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
			defer cancel()
			_ = server.Shutdown(ctx) // what it returns is another test's
		},
	}
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		for name, end := range ways {
			for _, busy := range []bool{false, true} {
				if busy && name == "server shuts down" {
					continue // it would wait for the call
				}
				t.Run(fmt.Sprint(name, ", busy ", busy), func(t *testing.T) {
					var log kit.Log
					log.Min = slog.LevelWarn
					cfg := erpc.PeerConfig{Logger: slog.New(&log)}
					release := make(chan struct{})
					server, client := on.Peer(t, cfg), on.Peer(t, cfg)
					erpc.HandleCall(server, "/add", kit.Add)
					started := make(chan struct{}, 1)
					erpc.HandleCall(server, "/wait", func(context.Context, *int) (*int, error) {
						started <- struct{}{}
						<-release
						return nil, nil
					})
					s := kit.Open(t, client, kit.Start(t, server))
					kit.Answers(t, s)
					if busy {
						s.AsyncCall("/wait", 1, nil, nil)
						kit.AwaitIn(t, kit.Bound, "start of the handler", started)
					}
					kit.Within(t, kit.Bound, "end", func() { end(client, server, s) })
					kit.AwaitIn(t, kit.Bound, "end of the session", s.CloseNotify())
					kit.Eventually(t, kit.Bound, "end of the server's session", func() bool { return server.CountSession() == 0 })
					close(release)
					kit.Eventually(t, kit.Bound, "end of the handler", func() bool { return server.Handlers() == 0 })
					log.Silent(t)
				})
			}
		}
	})
}

// TestCase29RedialingClientLosesNothing: to a client that redials, a server that
// shuts down and comes back is no more than a pause, for calls of both kinds.
func TestCase29RedialingClientLosesNothing(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		addr := on.Place(t)
		start := func() erpc.Peer {
			p := on.Peer(t, erpc.PeerConfig{ListenAddress: addr})
			erpc.HandleCall(p, "/add", kit.Add)
			kit.Start(t, p)
			return p
		}
		server := start()
		s := kit.Open(t, redials(new(dials), on, t), addr)
		ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
		defer cancel()
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var replied atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					var n int
					var cmd erpc.CallCmd
					if i%2 == 0 {
						cmd = s.Call("/add", &kit.Sum{A: 1, B: 2}, &n, erpc.WithContext(ctx))
					} else {
						cmd = s.AsyncCall("/add", &kit.Sum{A: 1, B: 2}, &n, nil, erpc.WithContext(ctx))
					}
					if st := cmd.Status(); !st.OK() || n != 3 {
						t.Errorf("call: %v, result %d", st, n)
						return
					}
					replied.Add(1)
				}
			})
		}
		for range kit.Times(4, 50) {
			before := replied.Load()
			kit.Eventually(t, kit.Bound, "replies", func() bool { return replied.Load() > before+50 || t.Failed() })
			kit.Within(t, kit.Bound, "Shutdown", func() {
				if err := server.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
			})
			server = start()
		}
		close(stop)
		kit.Within(t, kit.Bound, "end of the callers", wg.Wait)
	})
}
