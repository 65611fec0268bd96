package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// gated makes a peer whose handler /wait sends on begun and waits for open.
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

// awaitRefusal calls until the server answers that it shuts down.
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

// Case 29: accepted calls finish, and new ones are refused because the server
// shuts down, over existing connections and ones that are being made.
func TestShutdownLetsCallsFinish(t *testing.T) {
	for _, deadline := range []bool{false, true} { // with a deadline, both sides prove that they are erpc
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

// TestShutdownUnderLoad: accepted calls are answered. Later calls are refused with a
// status that allows a retry elsewhere, or end with the connection if the other side
// has not shown that it understands that. A call that begins after the connection has
// ended is not sent. (Case 29.)
func TestShutdownUnderLoad(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		var begun, ended atomic.Int64
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/work", func(ctx context.Context, n *int) (*int, error) {
			begun.Add(1)
			defer ended.Add(1)
			time.Sleep(2 * time.Millisecond) // the duration of the work
			return n, nil
		})
		addr := kit.Start(t, server)
		const sessions, callers = 4, 8
		var replied, refused, other atomic.Int64
		var wg sync.WaitGroup
		for i := range sessions {
			var settings []erpc.MessageSetting
			told := i%2 == 0
			if told {
				settings = append(settings, erpc.WithTimeout(kit.Bound))
			}
			s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), addr)
			for range callers {
				wg.Go(func() {
					for {
						var n int
						cmd := s.Call("/work", 42, &n, settings...)
						st := cmd.Status()
						switch {
						case st.OK() && n == 42:
							replied.Add(1)
							continue
						case st.Code() == erpc.CodeShuttingDown:
							refused.Add(1)
						case st.Code() != erpc.CodeConnClosed || s.Health() || told && cmd.Sent():
							t.Errorf("call: %v, result %d, sent %v", st, n, cmd.Sent())
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

// Case 29 of the catalogue.
func TestDeadlineOfShutdownCutsTheRest(t *testing.T) {
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
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		var err error
		took := kit.Within(t, kit.Bound, "Shutdown", func() { err = server.Shutdown(ctx) })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) < limit || took > limit+kit.Prompt {
			t.Errorf("Shutdown returned %v after %v", err, took)
		}
		kit.AwaitIn(t, kit.Prompt, "end of the call", cmd.Done())
		kit.WantCode(t, "call", cmd.Status(), erpc.CodeConnClosed)
		close(release)
	})
}

// A handler still counts after its session has ended.
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

// A side that understands GOAWAY answers it, so Shutdown does not wait for a
// timeout.
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
			var err error
			d := kit.Within(t, kit.Bound, "Shutdown", func() { err = srv.Shutdown(t.Context()) })
			if err != nil {
				t.Error(err)
			}
			if d > 500*time.Millisecond { // half of the timeout
				t.Errorf("it took %v", d)
			}
		})
	}
}

// A client that does not redial refuses its own calls once it knows of the
// shutdown: they are not sent.
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

// TestRedialingClientLosesNothing: for a client that redials, a server that shuts
// down and comes back is only a pause, for synchronous and asynchronous calls. The
// next server starts when the last call of the previous one has ended or, as in a
// graceful restart, while that one still answers. (Case 29.)
func TestRedialingClientLosesNothing(t *testing.T) {
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
		for round := range kit.Times(6, 50) {
			before := replied.Load()
			kit.Eventually(t, kit.Bound, "replies", func() bool { return replied.Load() > before+50 || t.Failed() })
			ended := shutdown(ctx, server)
			if round%2 == 0 {
				kit.Await(t, "the listener to be closed", closed(server))
				server = start()
			}
			if err := kit.Await(t, "Shutdown", ended); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if round%2 == 1 {
				server = start()
			}
		}
		close(stop)
		kit.Within(t, kit.Bound, "end of the callers", wg.Wait)
	})
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
