package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/socket/websocket"
)

// Case 30: Close and Shutdown of a peer in any order, repeated, and concurrently.
func TestCloseAndShutdownAnyOrder(t *testing.T) {
	end := map[string]func(erpc.Peer) error{
		"close":    func(p erpc.Peer) error { return p.Close() },
		"shutdown": func(p erpc.Peer) error { return p.Shutdown(t.Context()) },
	}
	for _, c := range [][]string{{"close", "close"}, {"close", "shutdown"}, {"shutdown", "close"}, {"shutdown", "shutdown"}} {
		t.Run(strings.Join(c, " then "), func(t *testing.T) {
			p := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"})
			for _, how := range c {
				if err := end[how](p); err != nil {
					t.Errorf("%s: %v", how, err)
				}
			}
			if err := p.ListenAndServe(); !errors.Is(err, peer.ErrClosed) {
				t.Errorf("ListenAndServe of a closed peer: %v", err)
			}
			if _, st := p.Dial("127.0.0.1:1"); st.Code() != erpc.CodeConnClosed {
				t.Errorf("Dial of a closed peer: %v", st)
			}
		})
		t.Run(strings.Join(c, " and ")+" at once", func(t *testing.T) {
			for range 20 {
				p, addr := kit.Serve(t, erpc.PeerConfig{})
				var busy sync.WaitGroup
				for range 4 { // in the middle of Accept
					busy.Go(func() {
						if conn, err := net.Dial("tcp", addr); err == nil {
							_ = conn.Close() // it was only to be accepted
						}
					})
				}
				for _, how := range c {
					busy.Go(func() {
						if err := end[how](p); err != nil {
							t.Errorf("%s: %v", how, err)
						}
					})
				}
				busy.Wait()
				if n := p.CountSession(); n != 0 {
					t.Fatalf("%d sessions of a closed peer", n)
				}
			}
		})
	}
}

// Close runs concurrently with itself, with Accept and with ListenAndServe. (Case
// 30.)
func TestCloseAtOnceWithOthers(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
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

// TestNormalEndIsQuiet ends connections in every ordinary way, on either side,
// with and without a call in flight. (Case 33.)
func TestNormalEndIsQuiet(t *testing.T) {
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

// Case 31 of the catalogue.
func TestTwoPeersOnFreePorts(t *testing.T) {
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
	for addr := range addrs { // a port in use is only an error
		_, port, _ := net.SplitHostPort(addr)
		p := kit.TCP.Peer(t, erpc.PeerConfig{ListenAddress: "127.0.0.1:" + port})
		if err := p.ListenAndServe(); err == nil {
			t.Error("two peers serve one port")
		}
	}
}

// Case 32 of the catalogue.
func TestConnectCallDisconnect(t *testing.T) {
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
					if i%4 > 0 { // else Close right after Dial
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

// TestEndsSayWhat: a session that ends because it is too old, idle or replaced, or because
// its peer shuts down, tells the other side the reason, and whether it may reconnect.
func TestEndsSayWhat(t *testing.T) {
	for name, c := range map[string]struct {
		cfg       erpc.PeerConfig
		end       func(t *testing.T, srv erpc.Peer, s erpc.Session, dial func() erpc.Session)
		code      int32 // 0 is CodeConnClosed
		text      string
		reconnect bool
	}{
		"replaced": {end: func(t *testing.T, srv erpc.Peer, s erpc.Session, dial func() erpc.Session) {
			s.SetID("a")
			dial()
			kit.Eventually(t, kit.Bound, "the other session", func() bool { return srv.CountSession() == 2 })
			srv.RangeSession(func(other erpc.Session) bool {
				if other.ID() == "a" {
					return true
				}
				other.SetID("a")
				return false
			})
		}, text: "another session took the id"},
		"age": {end: func(_ *testing.T, _ erpc.Peer, s erpc.Session, _ func() erpc.Session) {
			s.SetSessionAge(time.Millisecond)
		}, text: "the session age has passed", reconnect: true},
		"idle": {cfg: erpc.PeerConfig{IdleTimeout: 100 * time.Millisecond}, text: "nothing received for the idle limit", reconnect: true},
		"shutdown": {end: func(t *testing.T, srv erpc.Peer, _ erpc.Session, _ func() erpc.Session) {
			if err := kit.Await(t, "Shutdown to return", shutdown(t.Context(), srv)); err != nil {
				t.Error(err)
			}
		}, code: erpc.CodeShuttingDown, text: "the peer is shut down", reconnect: true},
		"close with": {code: 1009, end: func(t *testing.T, _ erpc.Peer, s erpc.Session, _ func() erpc.Session) {
			if err := s.CloseWith(erpc.NewStatus(1009, "enough"), false); err != nil {
				t.Error(err)
			}
		}, text: "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				on := kit.Memory()
				srv, addr := kit.Serve(t, on(c.cfg))
				erpc.HandleCall(srv, "/add", kit.Add)
				dial := func() erpc.Session {
					_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{}))
					return sess
				}
				sess := dial()
				if st := sess.Call("/add", kit.Sum{}, nil, erpc.WithTimeout(kit.Bound)).Status(); !st.OK() { // proves that both sides are erpc
					t.Fatal(st)
				}
				if c.end != nil {
					srv.RangeSession(func(s erpc.Session) bool { c.end(t, srv, s, dial); return false })
				}
				kit.Await(t, "the end", sess.CloseNotify())
				why, ok := errors.AsType[*erpc.ClosedError](sess.Err())
				if c.code == 0 {
					c.code = erpc.CodeConnClosed
				}
				if !ok || why.Status.Code() != c.code || why.Status.Msg() != c.text || why.Reconnect != c.reconnect {
					t.Errorf("ended with %v, want %d %q, reconnect %v", sess.Err(), c.code, c.text, c.reconnect)
				}
			})
		})
	}
}

// TestClientsComeBackAfterAShutdown: a client that redials is back with the next server at
// the address, and neither its session nor a call has ended.
func TestClientsComeBackAfterAShutdown(t *testing.T) {
	for _, w := range []struct {
		name string
		on   erpc.PeerConfig
	}{
		{"tcp", erpc.PeerConfig{}},
		{"ws", erpc.PeerConfig{Network: "ws", ProtoFunc: jsonproto.NewSubProtoFunc(), Transports: []erpc.Transport{
			websocket.Transport{Config: websocket.Config{Messages: true}},
		}}},
	} {
		for _, proven := range []bool{true, false} { // whether the two know that both are erpc
			t.Run(fmt.Sprintf("%s, proven %v", w.name, proven), func(t *testing.T) {
				serve := func(addr string) (erpc.Peer, string) {
					cfg := w.on
					cfg.ListenAddress = addr
					p := kit.Peer(t, cfg)
					erpc.HandleCall(p, "/add", kit.Add)
					return p, kit.Start(t, p)
				}
				srv, addr := serve("127.0.0.1:0")
				cfg := w.on
				cfg.RedialTimes, cfg.RedialInterval = -1, 10*time.Millisecond
				sess := kit.Open(t, kit.Peer(t, cfg), addr)
				var settings []erpc.MessageSetting
				if proven {
					settings = append(settings, erpc.WithTimeout(kit.Bound))
				}
				kit.WantCode(t, "a call before", sess.Call("/add", kit.Sum{}, nil, settings...).Status(), erpc.CodeOK)
				if err := kit.Await(t, "Shutdown to return", shutdown(t.Context(), srv)); err != nil {
					t.Error(err)
				}
				serve(addr)
				kit.WantCode(t, "a call behind", sess.Call("/add", kit.Sum{}, nil, erpc.WithTimeout(kit.Bound)).Status(), erpc.CodeOK)
				select {
				case <-sess.CloseNotify():
					t.Errorf("the session has ended: %v", sess.Err())
				default:
				}
			})
		}
	}
}

// TestToldNotToComeBack: the last message of the other side counts, however soon after it
// the connection ends.
func TestToldNotToComeBack(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleCall(srv, "/add", kit.Add)
	for range kit.Times(50, 500) {
		cli, sess := kit.Dial(t, addr, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Millisecond})
		if st := sess.Call("/add", kit.Sum{}, nil, erpc.WithTimeout(kit.Bound)).Status(); !st.OK() {
			t.Fatal(st)
		}
		srv.RangeSession(func(s erpc.Session) bool { return s.CloseWith(erpc.NewStatus(1009, "enough"), false) == nil })
		kit.Await(t, "the end", sess.CloseNotify())
		if _, ok := errors.AsType[*erpc.ClosedError](sess.Err()); !ok {
			t.Fatalf("ended with %v", sess.Err())
		}
		if err := cli.Close(); err != nil {
			t.Error(err)
		}
	}
}
