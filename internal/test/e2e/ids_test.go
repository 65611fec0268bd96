package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/session"
)

// endOf returns why a session has ended.
func endOf(s erpc.Session) error { return s.(interface{ Err() error }).Err() }

// callsBack fails the test if the other side of s does not answer.
func callsBack(t *testing.T, s erpc.Session, who int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
	defer cancel()
	n, err := erpc.Call[int](ctx, s, "/who", 0)
	if err != nil || *n != who {
		t.Errorf("the session bound last answers %v, %v; want %d", n, err, who)
	}
}

// TestTwoSessionsOneID: each client claims the id of the previous one, while a
// call of that one is pending. (Case 19.)
func TestTwoSessionsOneID(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		release := make(chan struct{})
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/login", func(ctx context.Context, _ *int) (*int, error) {
			erpc.CallCtxFrom(ctx).Session().SetID("user")
			return nil, nil
		})
		started := make(chan struct{}, 1)
		erpc.HandleCall(server, "/wait", func(context.Context, *int) (*int, error) {
			started <- struct{}{}
			<-release
			return nil, nil
		})
		addr := kit.Start(t, server)
		var older, olderHere erpc.Session
		var waiting erpc.CallCmd
		for i := range kit.Times(120, 10_000) {
			client := on.Peer(t, erpc.PeerConfig{})
			erpc.HandleCall(client, "/who", func(context.Context, *int) (*int, error) { return &i, nil })
			s := kit.Open(t, client, addr)
			var st *erpc.Status
			kit.Within(t, kit.Prompt, "claiming the id", func() { st = s.Call("/login", 0, nil).Status() })
			kit.WantCode(t, "login", st, erpc.CodeOK)
			here, ok := server.GetSession("user")
			if !ok || here.ID() != "user" || here == olderHere {
				t.Fatalf("round %d: the newer session is not the one in the table: %v", i, here)
			}
			callsBack(t, here, i)
			if older != nil {
				kit.AwaitIn(t, kit.Prompt, "end of the older session here", olderHere.CloseNotify())
				if err := endOf(olderHere); !errors.Is(err, session.ErrReplaced) {
					t.Fatalf("the older session ended with %v", err)
				}
				kit.AwaitIn(t, kit.Prompt, "end of the older session there", older.CloseNotify())
				kit.AwaitIn(t, kit.Prompt, "end of its call", waiting.Done())
				kit.WantCode(t, "its call", waiting.Status(), erpc.CodeConnClosed)
				_ = older.Peer().Close()
				if again, ok := server.GetSession("user"); !ok || again != here {
					t.Fatalf("round %d: the end of the older session took the id away", i)
				}
				callsBack(t, here, i)
			}
			if n := server.CountSession(); n != 1 {
				t.Fatalf("round %d: %d sessions in the table", i, n)
			}
			waiting = s.AsyncCall("/wait", 0, nil, nil)
			kit.AwaitIn(t, kit.Bound, "start of the handler", started)
			older, olderHere = s, here
			if t.Failed() {
				break
			}
		}
		close(release)
	})
}

// TestManyClaimAtOnce: of many sessions that claim an id at the same time, one is
// left, and it is the one in the table. (Case 19.)
func TestManyClaimAtOnce(t *testing.T) {
	kit.NoLeaks(t)
	const many = 8
	server := kit.TCP.Peer(t, erpc.PeerConfig{})
	erpc.HandleCall(server, "/add", kit.Add)
	addr := kit.Start(t, server)
	client := kit.TCP.Peer(t, erpc.PeerConfig{})
	for round := range kit.Times(100, 1000) {
		var here []erpc.Session
		for range many {
			s := kit.Open(t, client, addr)
			kit.Answers(t, s)
			h, ok := server.GetSession(s.LocalAddr().String())
			if !ok {
				t.Fatal("the session has another id")
			}
			here = append(here, h)
		}
		var wg sync.WaitGroup
		for _, h := range here {
			wg.Go(func() { h.SetID("user") })
			wg.Go(func() { h.SetID(fmt.Sprint("other ", round)) })
		}
		kit.Within(t, kit.Prompt, "SetID", wg.Wait)
		open := map[erpc.Session]bool{}
		kit.Eventually(t, kit.Bound, "end of the others", func() bool {
			clear(open)
			for _, h := range here {
				if h.Health() {
					open[h] = true
				}
			}
			return len(open) == server.CountSession()
		})
		if len(open) == 0 || len(open) > 2 {
			t.Fatalf("%d sessions are left", len(open))
		}
		for h := range open {
			if in, ok := server.GetSession(h.ID()); !ok || in != h {
				t.Fatalf("session %q is open and not in the table", h.ID())
			}
			_ = h.Close()
		}
		kit.Eventually(t, kit.Bound, "end of the sessions there", func() bool { return client.CountSession() == 0 && server.CountSession() == 0 })
	}
}

// TestClaimInConnectHook: a session that sets its id in the accept hook claims it
// when it opens, not before, so a refused one does not end another session. (Case
// 19.)
func TestClaimInConnectHook(t *testing.T) {
	kit.NoLeaks(t)
	server := kit.TCP.Peer(t, erpc.PeerConfig{}, loginHook{})
	erpc.HandleCall(server, "/add", kit.Add)
	addr := kit.Start(t, server)
	client := func(welcome bool) (erpc.Session, *erpc.Status) {
		p := kit.TCP.Peer(t, erpc.PeerConfig{}, knock(welcome))
		var s erpc.Session
		var st *erpc.Status
		kit.Within(t, kit.Bound, "dial", func() { s, st = p.Dial(addr) })
		return s, st
	}
	first, st := client(true)
	kit.WantCode(t, "first", st, erpc.CodeOK)
	if _, st := client(false); st.OK() {
		t.Error("the session that should be refused was not")
	}
	kit.Answers(t, first)
	second, st := client(true)
	kit.WantCode(t, "second", st, erpc.CodeOK)
	kit.Answers(t, second)
	kit.AwaitIn(t, kit.Prompt, "end of the first", first.CloseNotify())
	if n := server.CountSession(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// loginHook claims an id and then asks whether it may.
type loginHook struct{}

func (loginHook) Name() string { return "login" }

func (loginHook) PostAccept(s erpc.PreSession) *erpc.Status {
	s.SetID("user")
	var welcome bool
	req := s.PreReceive(func(erpc.Header) any { return &welcome })
	st := req.Status()
	if st.OK() && !welcome {
		st = erpc.NewStatus(erpc.CodeUnauthorized, "no")
	}
	if sent := s.PreReply(req, nil, st); !sent.OK() {
		return sent
	}
	return st
}

// knock is the other side of loginHook.
type knock bool

func (knock) Name() string { return "knock" }

func (k knock) PostDial(s erpc.PreSession, _ bool) *erpc.Status {
	return s.PreCall("/login", bool(k), nil)
}

// A connFrom claims to come from an address.
type connFrom struct {
	net.Conn
	addr net.Addr
}

func (c connFrom) RemoteAddr() net.Addr { return c.addr }

// A reused address, such as a port that a redialed session has left, does not take
// over an id.
func TestAddressesComeAgain(t *testing.T) {
	srv := kit.Peer(t, erpc.PeerConfig{})
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}
	var sessions []erpc.Session
	for range 3 {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() }) // the other side never sends anything
		sess, st := srv.ServeConn(connFrom{near, addr})
		if !st.OK() {
			t.Fatal(st)
		}
		sessions = append(sessions, sess)
	}
	for i, sess := range sessions {
		if got, ok := srv.GetSession(sess.ID()); !ok || got != sess || !sess.Health() {
			t.Errorf("session %d is not to be found as %q any more", i, sess.ID())
		}
	}
	if id := sessions[0].ID(); id != addr.String() {
		t.Errorf("the first id is %q, want the address", id)
	}
}
