package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/internal/test/wait"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// address returns one that nobody listens on.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// connect serves and dials as c says; both peers are closed with the test.
func connect(t *testing.T, c rig.Config, route, clientRoute func(erpc.Peer, rig.Config) error) (erpc.Peer, []erpc.Session) {
	t.Helper()
	p, err := listen(c, defaults(), route)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	all, err := sessions(c, defaults(), clientRoute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { all[0].Peer().Close() })
	return p, all
}

// Every variant of calls gets right replies, whatever work is added to them.
func TestCalls(t *testing.T) {
	message := rig.Config{Workload: rig.Call}
	body := func(size int) rig.Config { return rig.Config{Workload: rig.Bytes, Size: size} }
	with := func(c rig.Config, change func(*rig.Config)) rig.Config {
		change(&c)
		return c
	}
	for _, v := range []struct {
		name   string
		c      rig.Config
		route  func(erpc.Peer, rig.Config) error
		caller func(erpc.Session, rig.Config, int) func() error
	}{
		{"typed", message, handleTyped, callMessage(pathTyped)},
		{"vt", message, handleVT, callVT},
		{"struct", message, handleStruct, callMessage(pathStruct)},
		{"bytes", body(581), handleBytes, callBytes},
		{"large", body(16 << 20), handleBytes, callBytes},
		{"metadata", with(body(581), func(c *rig.Config) { c.Meta = 64 }), handleBytes, callBytes},
		{"plugins", with(body(581), func(c *rig.Config) { c.Plugins = 20 }), handleBytes, callBytes},
		{"gzip", with(body(581), func(c *rig.Config) { c.Filter = "gzip" }), handleBytes, callBytes},
		{"json", with(message, func(c *rig.Config) { c.Codec = "json" }), handleTyped, callMessage(pathTyped)},
		{"padded", with(message, func(c *rig.Config) { c.Pad = 64 << 10 }), handleTyped, callMessage(pathTyped)},
		{"tls", with(message, func(c *rig.Config) { c.Transport = rig.TLS }), handleTyped, callMessage(pathTyped)},
		{"unix", with(message, func(c *rig.Config) { c.Transport = rig.Unix }), handleTyped, callMessage(pathTyped)},
		{"websocket", with(message, func(c *rig.Config) { c.Transport = rig.WebSocket }), handleTyped, callMessage(pathTyped)},
		{"quic", with(message, func(c *rig.Config) { c.Transport = rig.QUIC }), handleTyped, callMessage(pathTyped)},
		{"s2", with(body(581), func(c *rig.Config) { c.Filter = "s2" }), handleBytes, callBytes},
	} {
		t.Run(v.name, func(t *testing.T) {
			v.c.Addr, v.c.Conns = address(t), 1
			if v.c.Transport == rig.Unix {
				v.c.Addr = filepath.Join(t.TempDir(), "bench.sock:0")
			}
			_, all := connect(t, v.c, v.route, nothing)
			call := v.caller(all[0], v.c, 3)
			for range 5 {
				if err := call(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What the caller asks for is on the wire: the handler sees it.
func TestExtrasArrive(t *testing.T) {
	c := rig.Config{Workload: rig.Bytes, Size: 581, Meta: 8, Filter: "s2", Addr: address(t), Conns: 1}
	var entries, filters int
	_, all := connect(t, c, func(p erpc.Peer, _ rig.Config) error {
		erpc.HandleCall(p, pathBytes, func(ctx context.Context, b *[]byte) (*[]byte, error) {
			cc := erpc.CallCtxFrom(ctx)
			cc.VisitMeta(func(_, _ []byte) { entries++ })
			filters = cc.Input().XferPipe().Len()
			return b, nil
		})
		return nil
	}, nothing)
	if err := callBytes(all[0], c, 0)(); err != nil {
		t.Fatal(err)
	}
	if entries < 8 || filters != 1 {
		t.Errorf("the handler saw %d entries and %d filters", entries, filters)
	}
}

// Both ways to push reach every session, with the whole body.
func TestPush(t *testing.T) {
	for name, push := range map[string]func(erpc.Peer, []byte) (int, error){"broadcast": broadcast, "push": pushEach} {
		t.Run(name, func(t *testing.T) {
			const conns, rounds = 7, 30
			var bytes atomic.Int64
			done := make(chan struct{})
			c := rig.Config{Workload: rig.Push, Size: 128, Addr: address(t), Conns: conns}
			c.OnPush = func(b []byte) {
				if bytes.Add(int64(len(b))) == conns*rounds*128 {
					close(done)
				}
			}
			p, _ := connect(t, c, nothing, handlePush)
			awaitSessions(t, p, conns)
			for range rounds {
				if n, err := push(p, make([]byte, 128)); n != conns || err != nil {
					t.Fatalf("pushed to %d, %v", n, err)
				}
			}
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Fatalf("%d bytes of %d arrived", bytes.Load(), conns*rounds*128)
			}
		})
	}
}

// Sessions that stay get what is pushed while others come and go.
func TestChurn(t *testing.T) {
	const stay, doors = 3, 20
	var got atomic.Int64
	c := rig.Config{Workload: rig.Push, Size: 128, Addr: address(t), Conns: stay, OnPush: func([]byte) { got.Add(1) }}
	p, err := listen(c, defaults(), nothing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() }) // nobody can join any more
	if _, err := dialPush(c); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, p, stay) // before any guest counts
	c.Conns, c.OnPush = doors, func([]byte) {}
	cl, err := dialGuests(c)
	if err != nil {
		t.Fatal(err)
	}
	rounds := int64(0)
	for end := time.Now().Add(10 * time.Second); cl.Joined() < 200; rounds++ {
		if time.Now().After(end) {
			t.Fatalf("%d have joined", cl.Joined())
		}
		if n, err := broadcastToAll(p, make([]byte, 128)); n < stay || err != nil {
			t.Fatalf("pushed to %d, %v", n, err)
		}
		time.Sleep(time.Millisecond)
	}
	wait.Until(t, 10*time.Second, "the guests who leave", func() bool { return p.CountSession() <= stay+2*doors })
	wait.Until(t, 10*time.Second, "what the sessions that stay were sent", func() bool { return got.Load() >= stay*rounds })
}

// awaitSessions waits until the server has accepted n sessions and lost the
// one that only looked whether it listens.
func awaitSessions(t *testing.T, p erpc.Peer, n int) {
	t.Helper()
	wait.Until(t, 10*time.Second, fmt.Sprint(n, " sessions"), func() bool { return p.CountSession() == n })
}

// Callers go around all sessions when there are more sessions than callers.
func TestManySessions(t *testing.T) {
	c := rig.Config{Workload: rig.Bytes, Size: 64, Addr: address(t), Conns: 10, Callers: 3}
	var used [10]int
	cl := &caller{c: c, make: func(s erpc.Session, _ rig.Config, _ int) func() error {
		i := int(s.(numbered).n)
		return func() error { used[i]++; return nil }
	}}
	for i := range c.Conns {
		cl.sessions = append(cl.sessions, numbered{n: i})
	}
	for i := range c.Callers {
		call := cl.forCaller(i)
		for range 12 {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, n := range used {
		if n < 3 || n > 4 {
			t.Errorf("session %d had %d calls of 36", i, n)
		}
	}
}

// numbered is a session that is only told apart.
type numbered struct {
	erpc.Session
	n int
}

func TestUnknownFilter(t *testing.T) {
	if _, err := newPeer(rig.Config{Filter: "magic"}, erpc.PeerConfig{}); err == nil {
		t.Error("a filter that is not there was accepted")
	}
}
