package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/peer"
)

// gated makes a peer whose handler /wait tells begun and waits for open.
func gated(t *testing.T, cfg erpc.PeerConfig) (srv erpc.Peer, addr string, begun chan struct{}, open func()) {
	t.Helper()
	if cfg.LocalIP == "" {
		cfg.LocalIP = "127.0.0.1"
	}
	srv = kit.Peer(t, cfg)
	begun = make(chan struct{}, 1000)
	gate := make(chan struct{})
	open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	erpc.HandleCall(srv, "/wait", func(_ context.Context, arg *string) (*string, error) {
		begun <- struct{}{}
		<-gate
		return arg, nil
	})
	erpc.HandleCall(srv, "/echo", func(_ context.Context, arg *string) (*string, error) { return arg, nil })
	return srv, kit.Start(t, srv), begun, open
}

func shutdown(ctx context.Context, p erpc.Peer) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- p.Shutdown(ctx) }()
	return ended
}

// awaitRefusal calls until the answer is that the server shuts down.
func awaitRefusal(t *testing.T, sess erpc.Session) {
	t.Helper()
	arg, res := "x", ""
	for end := time.Now().Add(kit.Bound); time.Now().Before(end); {
		st := sess.Call("/echo", &arg, &res).Status()
		if st.Code() == erpc.CodeShuttingDown {
			return
		}
		if !st.OK() {
			t.Fatalf("a call to a server that shuts down: %v", st)
		}
	}
	t.Fatal("new calls are not refused")
}

// Case 29: calls that were accepted finish, new ones are told that the server
// shuts down, over connections old and half made.
func TestShutdownLetsCallsFinish(t *testing.T) {
	for _, deadline := range []bool{false, true} { // with one, both sides know that they are erpc
		t.Run(fmt.Sprintf("deadline=%v", deadline), func(t *testing.T) {
			srv, addr, begun, open := gated(t, erpc.PeerConfig{})
			_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
			const calls = 50
			ends := make(chan *erpc.Status, calls)
			for i := range calls {
				go func() {
					arg, res := fmt.Sprint(i, strings.Repeat(".", 100_000)), "" // more than a kernel's buffer, all together
					var settings []erpc.MessageSetting
					if deadline {
						ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
						defer cancel()
						settings = append(settings, erpc.WithContext(ctx))
					}
					st := sess.Call("/wait", &arg, &res, settings...).Status()
					if st.OK() && res != arg {
						t.Errorf("call %d got another's reply", i)
					}
					ends <- st
				}()
			}
			for range calls {
				kit.Await(t, "the handlers to be at work", begun)
			}
			ended := shutdown(t.Context(), srv)
			awaitRefusal(t, sess)
			if _, st := kit.Peer(t, erpc.PeerConfig{}).Dial(addr); st.OK() {
				t.Error("a new connection was accepted")
			}
			select {
			case err := <-ended:
				t.Fatalf("Shutdown returned with handlers at work: %v", err)
			default:
			}
			open()
			for range calls {
				if st := kit.Await(t, "a call to end", ends); !st.OK() {
					t.Errorf("a call that was accepted: %v", st)
				}
			}
			if err := kit.Await(t, "Shutdown to return", ended); err != nil {
				t.Error(err)
			}
			kit.Await(t, "the session to end", sess.CloseNotify())
			if n := srv.CountSession(); n != 0 {
				t.Errorf("%d sessions left", n)
			}
		})
	}
}

// Case 29: the deadline cuts the rest.
func TestShutdownDeadlineCuts(t *testing.T) {
	srv, addr, begun, _ := gated(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	arg, res := "x", ""
	call := sess.AsyncCall("/wait", &arg, &res, nil)
	kit.Await(t, "the handler to be at work", begun)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := kit.Await(t, "Shutdown to return", shutdown(ctx, srv)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v, want the end of its context", err)
	}
	kit.Await(t, "the call to end", call.Done())
	if st := call.Status(); st.Code() != erpc.CodeConnClosed {
		t.Errorf("the call that was cut off: %v", st)
	}
}

// A handler of a session that has ended is at work all the same.
func TestShutdownWaitsForOrphans(t *testing.T) {
	srv, addr, begun, open := gated(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	arg, res := "x", ""
	sess.AsyncCall("/wait", &arg, &res, nil)
	kit.Await(t, "the handler to be at work", begun)
	if err := sess.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(kit.Bound); srv.CountSession() > 0; {
		if time.Now().After(end) {
			t.Fatal("the server does not notice the end of the session")
		}
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := kit.Await(t, "Shutdown to return", shutdown(ctx, srv)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v with a handler at work", err)
	}
	open()
	if err := kit.Await(t, "Shutdown to return", shutdown(t.Context(), srv)); err != nil {
		t.Error(err)
	}
}

// A side that understands is told, and answers: nobody waits for time to pass.
func TestShutdownIsPrompt(t *testing.T) {
	for _, redial := range []int32{0, -1} {
		t.Run(fmt.Sprintf("redial=%d", redial), func(t *testing.T) {
			srv, addr, _, _ := gated(t, erpc.PeerConfig{})
			_, sess := kit.Dial(t, addr, erpc.PeerConfig{RedialTimes: redial})
			ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
			defer cancel()
			if _, err := erpc.Call[string](ctx, sess, "/echo", "x"); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := kit.Await(t, "Shutdown to return", shutdown(t.Context(), srv)); err != nil {
				t.Error(err)
			}
			if d := time.Since(began); d > 500*time.Millisecond { // half of what it would wait
				t.Errorf("it took %v", d)
			}
		})
	}
}

// A client that does not redial is told by its own side once it knows: the call
// is not sent.
func TestGoAwayStopsCalls(t *testing.T) {
	srv, addr, begun, open := gated(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	arg, res := "x", ""
	call := sess.AsyncCall("/wait", &arg, &res, nil, erpc.WithContext(ctx))
	kit.Await(t, "the handler to be at work", begun)
	ended := shutdown(t.Context(), srv)
	awaitRefusal(t, sess)
	out := sess.Stats().MessagesOut
	for end := time.Now().Add(kit.Bound); ; { // until goaway has come
		awaitRefusal(t, sess)
		if n := sess.Stats().MessagesOut; n == out {
			break
		} else {
			out = n
		}
		if time.Now().After(end) {
			t.Fatal("calls are still sent")
		}
	}
	open()
	kit.Await(t, "the call to end", call.Done())
	if st := call.Status(); !st.OK() {
		t.Error(st)
	}
	if err := kit.Await(t, "Shutdown to return", ended); err != nil {
		t.Error(err)
	}
}

// Case 30: the ends of a peer in any order, any number of times, at once.
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

// Case 31: two peers on any port in one process both serve.
func TestTwoPeersOnAnyPort(t *testing.T) {
	for i := range 2 {
		_, addr, _, _ := gated(t, erpc.PeerConfig{})
		_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
		if res, err := erpc.Call[string](t.Context(), sess, "/echo", "hello"); err != nil || *res != "hello" {
			t.Errorf("peer %d: %v, %v", i, res, err)
		}
	}
}

// A client that redials fails no call when one server after the other on its
// address shuts down, in one process.
func TestShutdownUnderLoadOfRedialing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cfg := erpc.PeerConfig{Network: "unix", LocalIP: path}
	srv, addr, _, _ := gated(t, cfg)
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{Network: "unix", RedialTimes: -1, RedialInterval: 5 * time.Millisecond})
	var stop atomic.Bool
	var calls atomic.Int64
	var callers sync.WaitGroup
	for i := range 10 {
		callers.Go(func() {
			arg, res := fmt.Sprint(i), ""
			for !stop.Load() && !t.Failed() {
				if st := sess.Call("/echo", &arg, &res).Status(); !st.OK() || res != arg {
					t.Errorf("%q: %v", res, st)
				}
				calls.Add(1)
			}
		})
	}
	for range 10 {
		before := calls.Load()
		for end := time.Now().Add(kit.Bound); calls.Load() < before+200; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no calls any more")
			}
		}
		ended := shutdown(t.Context(), srv)
		kit.Await(t, "the listener to be closed", closed(srv))
		srv, _, _, _ = gated(t, cfg)
		if err := kit.Await(t, "Shutdown to return", ended); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	callers.Wait()
}

func closed(p erpc.Peer) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		for len(p.Listeners()) > 0 {
			time.Sleep(time.Millisecond)
		}
	}()
	return c
}

// A connFrom claims to come from an address.
type connFrom struct {
	net.Conn
	addr net.Addr
}

func (c connFrom) RemoteAddr() net.Addr { return c.addr }

// An address that comes again, as a port does that a redialed session has left,
// takes no id away.
func TestAddressesComeAgain(t *testing.T) {
	srv := kit.Peer(t, erpc.PeerConfig{})
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}
	var sessions []erpc.Session
	for range 3 {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() }) // the other side never says a word
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
