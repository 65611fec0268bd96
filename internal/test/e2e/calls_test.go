package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// Case 1 of the catalogue.
func TestPeerClosesMidFrame(t *testing.T) {
	const calls = 1000
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		cut := make(chan struct{})
		addr := on.Script(t, func(w *kit.Wire) {
			var last erpc.Message
			for range calls {
				m, err := w.ReadMessage()
				if err != nil {
					t.Errorf("server: %v", err)
					return
				}
				last = m
			}
			<-cut
			b := kit.Frame(t, erpc.TypeReply, last.Seq(), "", []byte("[1,2,3]"))
			if _, err := w.Write(b[:len(b)-4]); err != nil {
				t.Errorf("server: %v", err)
			}
		})
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), addr)
		done := make(chan erpc.CallCmd, 2*calls)
		for range calls {
			s.AsyncCall("/never", nil, nil, done)
		}
		kit.Eventually(t, kit.Bound, "calls in flight", func() bool { return s.Stats().Pending == calls })
		close(cut)
		for i := range calls {
			cmd := kit.AwaitIn(t, kit.Prompt, fmt.Sprintf("end of call %d", i), done)
			kit.WantCode(t, "call", cmd.Status(), erpc.CodeConnClosed)
			if t.Failed() {
				return
			}
		}
		kit.AwaitIn(t, kit.Prompt, "end of the session", s.CloseNotify())
		if n := s.Stats().Pending; n != 0 {
			t.Errorf("%d calls are still in the table", n)
		}
		if len(done) > 0 {
			t.Errorf("%d calls ended twice", len(done))
		}
		kit.WantCode(t, "a call afterwards", s.Call("/never", nil, nil).Status(), erpc.CodeConnClosed)
	})
}

// Case 2 of the catalogue.
func TestSilentPeerAndDeadline(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		late := make(chan struct{})
		addr := on.Script(t, func(w *kit.Wire) {
			first, err := w.ReadMessage()
			if err != nil {
				t.Errorf("server: %v", err)
				return
			}
			<-late
			w.Reply(t, first, "1")
			second, err := w.ReadMessage()
			if err != nil {
				t.Errorf("server: %v", err)
				return
			}
			w.Reply(t, second, "2")
		})
		var log kit.Log
		log.Min = slog.LevelWarn // the end of the session is logged at a lower level
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{Logger: slog.New(&log)}), addr)
		const limit = 300 * time.Millisecond
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		var result int
		var st *erpc.Status
		took := kit.Within(t, kit.Bound, "call", func() {
			st = s.Call("/silent", nil, &result, erpc.WithContext(ctx)).Status()
		})
		kit.WantCode(t, "call", st, erpc.CodeHandleTimeout)
		if time.Since(began) < limit || took > limit+50*time.Millisecond*kit.Slack {
			t.Errorf("the call ended after %v", took)
		}
		close(late)
		var other int
		kit.Within(t, kit.Bound, "second call", func() { st = s.Call("/other", nil, &other).Status() })
		if !st.OK() || other != 2 || result != 0 {
			t.Errorf("after a late reply: %v, result %d; the first call's is %d", st, other, result)
		}
		log.Silent(t)
	})
}

// Case 3 of the catalogue.
func TestCancelOneOfMany(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		const calls = 100
		started := make(chan int, calls)
		cancelled := make(chan int, calls)
		release := make(chan struct{})
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", kit.Add)
		erpc.HandleCall(server, "/wait", func(ctx context.Context, i *int) (*int, error) {
			started <- *i
			select {
			case <-ctx.Done():
				cancelled <- *i
				return nil, ctx.Err()
			case <-release:
				return i, nil
			}
		})
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
		local := s.LocalAddr().String()
		kit.Answers(t, s)
		done := make(chan erpc.CallCmd, calls)
		var one erpc.CallCmd
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for i := range calls {
			var settings []erpc.MessageSetting
			if i == 42 {
				settings = append(settings, erpc.WithContext(ctx))
			}
			cmd := s.AsyncCall("/wait", &i, new(int), done, settings...)
			if i == 42 {
				one = cmd
			}
		}
		for range calls {
			kit.AwaitIn(t, kit.Bound, "start of a handler", started)
		}
		cancel()
		if i := kit.AwaitIn(t, kit.Prompt, "end of the handler's context", cancelled); i != 42 {
			t.Errorf("the context of handler %d ended", i)
		}
		if cmd := kit.AwaitIn(t, kit.Prompt, "end of the call", done); cmd != one {
			t.Error("another call ended")
		}
		kit.WantCode(t, "the cancelled call", one.Status(), erpc.CodeCanceled)
		close(release)
		for range calls - 1 {
			kit.WantCode(t, "another call", kit.AwaitIn(t, kit.Bound, "reply", done).Status(), erpc.CodeOK)
		}
		if len(cancelled) > 0 || s.LocalAddr().String() != local || s.Stats().Pending != 0 {
			t.Errorf("%d other handlers were cancelled, connection %v, %d calls pending", len(cancelled), s.LocalAddr(), s.Stats().Pending)
		}
	})
}

// Case 4 of the catalogue.
func TestCloseWithUnansweredCall(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		hold := make(chan struct{})
		defer close(hold)
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), on.Script(t, func(*kit.Wire) { <-hold }))
		async := s.AsyncCall("/never", nil, nil, nil)
		sync := make(chan *erpc.Status, 1)
		go func() { sync <- s.Call("/never", nil, nil).Status() }()
		kit.Eventually(t, kit.Bound, "calls in flight", func() bool { return s.Stats().Pending == 2 })
		kit.Within(t, kit.Prompt, "Close", func() { _ = s.Close() })
		kit.AwaitIn(t, kit.Prompt, "end of the asynchronous call", async.Done())
		kit.WantCode(t, "asynchronous call", async.Status(), erpc.CodeConnClosed)
		kit.WantCode(t, "call", kit.AwaitIn(t, kit.Prompt, "end of the call", sync), erpc.CodeConnClosed)
	})
}

// closer is a plugin that closes something in each hook of a connection.
type closer struct {
	where string
	do    func(erpc.BaseSession)
	done  chan struct{}
}

func (c *closer) Name() string { return "closer" }

func (c *closer) at(where string, s erpc.BaseSession) *erpc.Status {
	if where == c.where {
		c.do(s)
		close(c.done)
	}
	return nil
}

func (c *closer) PostDial(s erpc.PreSession, _ bool) *erpc.Status { return c.at("dial", s) }
func (c *closer) PostAccept(s erpc.PreSession) *erpc.Status       { return c.at("accept", s) }
func (c *closer) PostDisconnect(s erpc.BaseSession) *erpc.Status  { return c.at("disconnect", s) }
func (c *closer) PreWriteCall(erpc.WriteCtx) *erpc.Status         { return nil }
func (c *closer) PostReadReplyBody(ctx erpc.ReadCtx) *erpc.Status {
	return c.at("reply", ctx.Session())
}
func (c *closer) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	return c.at("push", ctx.Session())
}
func (c *closer) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return c.at("body", ctx.Session()) }
func (c *closer) PostWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	return c.at("written", ctx.Session())
}
func (c *closer) PreWritePush(ctx erpc.WriteCtx) *erpc.Status { return c.at("write", ctx.Session()) }

// TestCloseInside closes the session or the peer in every place where user code
// runs. (Case 5.)
func TestCloseInside(t *testing.T) {
	kit.NoLeaks(t)
	what := map[string]func(erpc.BaseSession){
		"session": func(s erpc.BaseSession) { _ = s.(interface{ Close() error }).Close() },
		"peer":    func(s erpc.BaseSession) { _ = s.Peer().Close() },
	}
	for name, do := range what {
		for _, where := range []string{"handler", "push handler", "dial", "accept", "disconnect", "reply", "push", "body", "written", "write"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				c := &closer{where: where, do: do, done: make(chan struct{})}
				server := kit.TCP.Peer(t, erpc.PeerConfig{}, c)
				client := server
				switch where {
				case "dial", "reply", "write":
					server = kit.TCP.Peer(t, erpc.PeerConfig{})
					client = kit.TCP.Peer(t, erpc.PeerConfig{}, c)
				default:
					client = kit.TCP.Peer(t, erpc.PeerConfig{})
				}
				erpc.HandleCall(server, "/add", kit.Add)
				erpc.HandleCall(server, "/close", func(ctx context.Context, _ *int) (*int, error) {
					c.at("handler", erpc.CallCtxFrom(ctx).Session())
					return nil, nil
				})
				erpc.HandlePush(server, "/close", func(ctx context.Context, _ *int) error {
					c.at("push handler", erpc.PushCtxFrom(ctx).Session())
					return nil
				})
				addr := kit.Start(t, server)
				kit.Within(t, kit.Bound, "exchange", func() {
					s, st := client.Dial(addr)
					if !st.OK() {
						return // refused in the hook
					}
					s.Push("/close", 1)
					s.Call("/close", 1, new(int))
					_ = s.Close() // for the disconnect hook of the other side
				})
				kit.AwaitIn(t, kit.Bound, "return of Close", c.done)
			})
		}
	}
}

// Case 10 of the catalogue.
func TestContextAgeOfServer(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		const age = 200 * time.Millisecond
		release := make(chan struct{})
		server := on.Peer(t, erpc.PeerConfig{DefaultContextAge: age})
		ended := make(chan error, 1)
		erpc.HandleCall(server, "/deaf", func(ctx context.Context, _ *kit.Sum) (*int, error) {
			<-release // it ignores its context
			ended <- ctx.Err()
			return nil, nil
		})
		erpc.HandleCall(server, "/add", kit.Add)
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
		var st *erpc.Status
		began := time.Now()
		took := kit.Within(t, kit.Bound, "call", func() { st = s.Call("/deaf", &kit.Sum{}, nil).Status() })
		kit.WantCode(t, "call", st, erpc.CodeHandleTimeout)
		if time.Since(began) < age || took > age+kit.Prompt {
			t.Errorf("the call ended after %v", took)
		}
		close(release)
		if err := kit.AwaitIn(t, kit.Bound, "end of the handler", ended); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the context of the handler says %v", err)
		}
		kit.Answers(t, s) // the handler's late reply does no harm
	})
}

// Case 11 of the catalogue.
func TestWriteAndCloseRace(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", kit.Add)
		erpc.HandlePush(server, "/push", func(context.Context, *[]byte) error { return nil })
		client := on.Peer(t, erpc.PeerConfig{})
		addr := kit.Start(t, server)
		rounds, writers := kit.Times(120, 20_000), 4
		var failed atomic.Int64
		for range rounds {
			s := kit.Open(t, client, addr)
			var wg sync.WaitGroup
			body := make([]byte, 8<<10)
			for i := range writers {
				wg.Go(func() {
					for {
						var st *erpc.Status
						if i%2 == 0 {
							st = s.Push("/push", body)
						} else {
							st = s.Call("/add", &kit.Sum{A: 1, B: 2}, new(int)).Status()
						}
						if st.OK() {
							continue
						}
						failed.Add(1)
						if st.Code() != erpc.CodeConnClosed {
							t.Errorf("write against Close: %v", st)
						}
						return
					}
				})
			}
			_ = s.Close()
			kit.Within(t, kit.Bound, "end of the writers", wg.Wait)
		}
		if failed.Load() != int64(rounds*writers) {
			t.Errorf("%d failures, want %d", failed.Load(), rounds*writers)
		}
	})
}

// nested lets two peers call each other back, n levels deep.
func nested(p erpc.Peer) {
	erpc.HandleCall(p, "/nested", func(ctx context.Context, n *int) (*int, error) {
		if *n == 0 {
			return n, nil
		}
		inner, err := erpc.Call[int](ctx, erpc.CallCtxFrom(ctx).Session(), "/nested", *n-1)
		if err != nil {
			return nil, err
		}
		*inner++
		return inner, nil
	})
}

// Case 13 of the catalogue.
func TestReentrantCalls(t *testing.T) {
	const depth = 50
	for _, limit := range []int{4, 0} {
		for _, name := range []string{"of the session", "of the peer"} {
			t.Run(fmt.Sprint("limit ", limit, " ", name), func(t *testing.T) {
				kit.NoLeaks(t)
				cfg := erpc.PeerConfig{MaxSessionHandlers: limit}
				if name == "of the peer" {
					cfg = erpc.PeerConfig{MaxHandlers: limit}
				}
				server, client := kit.TCP.Peer(t, cfg), kit.TCP.Peer(t, cfg)
				nested(server)
				nested(client)
				s := kit.Open(t, client, kit.Start(t, server))
				for range 20 {
					var n int
					var st *erpc.Status
					kit.Within(t, kit.Bound, "nested calls", func() { st = s.Call("/nested", depth, &n).Status() })
					switch {
					case st.OK() && n == depth:
					case limit > 0 && st.Code() == erpc.CodeExhausted:
					default:
						t.Fatalf("nested calls: %v, depth %d", st, n)
					}
				}
				kit.Eventually(t, kit.Prompt, "end of the handlers", func() bool { return server.Handlers() == 0 && client.Handlers() == 0 })
			})
		}
	}
}

// Case 14 of the catalogue.
func TestUnreadAsyncChannel(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		server := on.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", kit.Add)
		s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
		unread := make(chan erpc.CallCmd)
		for range 100 {
			cmd := s.AsyncCall("/add", &kit.Sum{A: 1, B: 2}, new(int), unread)
			kit.AwaitIn(t, kit.Prompt, "end of a call", cmd.Done())
		}
		kit.Within(t, kit.Prompt, "another call", func() { kit.Answers(t, s) })
		last := s.AsyncCall("/add", &kit.Sum{A: 1, B: 2}, new(int), unread)
		kit.Within(t, kit.Prompt, "Close", func() { _ = s.Close() })
		kit.AwaitIn(t, kit.Prompt, "end of the last call", last.Done())
	})
}
