package sockettest_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/quic"
	"github.com/goerpc/erpc/socket/sockettest"
)

// soon bounds what takes no time, unless a side must find out by itself that the other
// has gone: keepalive takes 15 s.
const soon = 5 * time.Second

func TestMain(m *testing.M) { sockettest.VerifyMain(m) }

// wires are the transports that peers use. Each call of transport returns a new
// one.
var wires = []struct {
	name, network string
	transport     func() socket.Transport
	tls           bool
}{
	{"quic", "quic", func() socket.Transport { return &quic.Transport{} }, true},
	{"quic shared", "quic", func() socket.Transport { return &quic.Transport{Share: true} }, true},
	{"kcp", "kcp", func() socket.Transport { return kcp.Transport{} }, false},
	{"kcp tls", "kcp", func() socket.Transport { return kcp.Transport{} }, true},
}

// over runs test over each of wires, with a configuration for each peer.
func over(t *testing.T, test func(t *testing.T, cfg func() erpc.PeerConfig, secure bool)) {
	for _, w := range wires {
		t.Run(w.name, func(t *testing.T) {
			test(t, func() erpc.PeerConfig {
				return erpc.PeerConfig{Network: w.network, Transports: []socket.Transport{w.transport()}, DefaultBodyCodec: "json"}
			}, w.tls)
		})
	}
}

func serve(t *testing.T, cfg erpc.PeerConfig, secure bool, plugins ...erpc.Plugin) *wiretest.Peer {
	t.Helper()
	p := wiretest.NewServer(t, cfg, plugins...)
	if secure {
		p.SetTLSConfig(erpc.GenerateTLSConfigForServer())
	}
	p.Listen(t)
	return p
}

func client(t *testing.T, cfg erpc.PeerConfig, secure bool) *wiretest.Peer {
	t.Helper()
	p := wiretest.NewClient(t, cfg)
	if secure {
		p.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	return p
}

func add(sess erpc.Session, a, b int) error {
	ctx, cancel := context.WithTimeout(context.Background(), wiretest.Limit)
	defer cancel()
	got, err := erpc.Call[int](ctx, sess, "/math/add", []int{a, b})
	if err == nil && *got != a+b {
		err = fmt.Errorf("%d + %d = %d", a, b, *got)
	}
	return err
}

func TestCallsAndPushes(t *testing.T) {
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure)
		sess := client(t, cfg(), secure).MustDial(t, server.Addr)
		if err := add(sess, 1, 2); err != nil {
			t.Error(err)
		}
		// The server calls its caller.
		if err := (wiretest.Call{Method: "/math/nested", Arg: []int{4, 5}, Want: 109}).Do(sess); err != nil {
			t.Error(err)
		}
		if st := sess.Push("/note/say", "hi", erpc.WithAddMeta("from", "test")); !st.OK() {
			t.Error(st)
		}
		server.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hi", Meta: "from=test"})
	})
}

func TestLargeBody(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16) // 3 MiB: more than any window of any transport
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure)
		sess := client(t, cfg(), secure).MustDial(t, server.Addr)
		ctx, cancel := context.WithTimeout(t.Context(), 3*wiretest.Limit)
		defer cancel()
		start := time.Now()
		got, err := erpc.Call[[]byte](ctx, sess, "/enc/bytes", body)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(*got, body) {
			t.Errorf("%d bytes came back changed", len(*got))
		}
		t.Logf("there and back in %v", time.Since(start))
	})
}

func TestManyCalls(t *testing.T) {
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure)
		c := client(t, cfg(), secure)
		sessions := []erpc.Session{c.MustDial(t, server.Addr), c.MustDial(t, server.Addr)}
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				if err := add(sessions[i%2], i, 1); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestCloseIsNoticed(t *testing.T) {
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure)
		c := client(t, cfg(), secure)
		for _, closer := range []string{"client", "server"} {
			sess := c.MustDial(t, server.Addr)
			if err := add(sess, 1, 2); err != nil {
				t.Fatal(err)
			}
			var theirs erpc.Session
			server.RangeSession(func(s erpc.Session) bool { theirs = s; return false })
			if theirs == nil {
				t.Fatal("the server has no session")
			}
			closes, notices := sess, theirs
			if closer == "server" {
				closes, notices = theirs, sess
			}
			if err := closes.Close(); err != nil {
				t.Errorf("%s closes: %v", closer, err)
			}
			select {
			case <-notices.CloseNotify():
			case <-time.After(soon):
				t.Errorf("the other side of the %s has noticed nothing after %v", closer, soon)
			}
		}
	})
}

// closing ends a session as soon as it has answered.
type closing struct{}

func (closing) Name() string { return "closing" }

func (closing) PostWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	go ctx.Session().Close()
	return nil
}

func TestReplyBeforeCloseArrives(t *testing.T) {
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure, closing{})
		c := client(t, cfg(), secure)
		for i := range 60 {
			sess := c.MustDial(t, server.Addr)
			if err := add(sess, i, 1); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			select {
			case <-sess.CloseNotify():
			case <-time.After(soon):
				t.Fatalf("round %d: the end is not noticed", i)
			}
		}
	})
}

// TestServerRestarts listens on the same address right after Close, while the
// background work of the sessions goes on.
func TestServerRestarts(t *testing.T) {
	over(t, func(t *testing.T, cfg func() erpc.PeerConfig, secure bool) {
		server := serve(t, cfg(), secure)
		c := client(t, cfg(), secure)
		sess := c.MustDial(t, server.Addr)
		if err := add(sess, 1, 2); err != nil {
			t.Fatal(err)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		again := cfg()
		again.ListenAddress = server.Addr
		serve(t, again, secure)
		if err := add(c.MustDial(t, server.Addr), 3, 4); err != nil {
			t.Error(err)
		}
	})
}

// TestV7 lets real programs of erpc v7 and our peers call each other.
func TestV7(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	for _, w := range []struct {
		flags     string
		transport socket.Transport
		tls       bool
	}{
		{"-network quic", &quic.Transport{}, true},
		{"-network quic", &quic.Transport{Share: true}, true},
		{"-network kcp", kcp.Transport{Config: kcp.Config{V7: true}}, false},
		{"-network kcp -tls", kcp.Transport{Config: kcp.Config{V7: true}}, true},
	} {
		flags := append([]string{"-proto", "raw"}, strings.Fields(w.flags)...)
		cfg := erpc.PeerConfig{Network: flags[3], Transports: []socket.Transport{w.transport}}
		t.Run(w.flags, func(t *testing.T) {
			t.Run("v7 calls us", func(t *testing.T) {
				p := serve(t, cfg, w.tls)
				done := wiretest.CallV7(t, v7peer, slices.Concat(flags, []string{"-nested", "-addr", p.Addr})...)
				for _, c := range wiretest.Checks(wiretest.Usual) {
					if _, ok := done[c.Name]; !ok {
						t.Errorf("v7's client did not run %s", c.Name)
					}
				}
				p.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hi", Meta: "from=v7peer"})
			})
			t.Run("we call v7", func(t *testing.T) {
				s := wiretest.ServeV7(t, v7peer, flags...)
				p := client(t, cfg, w.tls)
				c := &wiretest.CheckClient{Peer: p, Session: p.MustDial(t, s.Addr), Server: s, Features: wiretest.Usual}
				for _, check := range wiretest.Checks(wiretest.Usual) {
					if err := check.Run(c); err != nil {
						t.Errorf("%s: %v", check.Name, err)
					}
				}
			})
		})
	}
}
