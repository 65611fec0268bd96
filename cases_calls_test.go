package erpc_test

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
)

func TestCase01PeerClosesMidFrame(t *testing.T) {
	const calls = 1000
	overEach(t, func(t *testing.T, on medium) {
		cut := make(chan struct{})
		addr := on.handle(t, func(w *wire) {
			var last erpc.Message
			for range calls {
				m, err := w.read()
				if err != nil {
					t.Errorf("server: %v", err)
					return
				}
				last = m
			}
			<-cut
			b := rawFrame(t, erpc.TypeReply, last.Seq(), "", []byte("[1,2,3]"))
			if _, err := w.Write(b[:len(b)-4]); err != nil {
				t.Errorf("server: %v", err)
			}
		})
		s := opens(t, on.peer(t, erpc.PeerConfig{}), addr)
		done := make(chan erpc.CallCmd, 2*calls)
		for range calls {
			s.AsyncCall("/never", nil, nil, done)
		}
		becomes(t, bound, "calls in flight", func() bool { return s.Stats().Pending == calls })
		close(cut)
		end := time.Now().Add(prompt)
		for i := range calls {
			cmd := arrives(t, time.Until(end), fmt.Sprintf("end of call %d", i), done)
			wantCode(t, "call", cmd.Status(), erpc.CodeConnClosed)
			if t.Failed() {
				return
			}
		}
		arrives(t, prompt, "end of the session", s.CloseNotify())
		if n := s.Stats().Pending; n != 0 {
			t.Errorf("%d calls are still in the table", n)
		}
		if len(done) > 0 {
			t.Errorf("%d calls ended twice", len(done))
		}
		wantCode(t, "a call afterwards", s.Call("/never", nil, nil).Status(), erpc.CodeConnClosed)
	})
}

func TestCase02SilentPeerAndDeadline(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		late := make(chan struct{})
		addr := on.handle(t, func(w *wire) {
			first, err := w.read()
			if err != nil {
				t.Errorf("server: %v", err)
				return
			}
			<-late
			w.answer(t, first, "1")
			second, err := w.read()
			if err != nil {
				t.Errorf("server: %v", err)
				return
			}
			w.answer(t, second, "2")
		})
		var log caseLog
		log.min = slog.LevelInfo
		s := opens(t, on.peer(t, erpc.PeerConfig{Logger: slog.New(&log)}), addr)
		const limit = 300 * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		var result int
		var st *erpc.Status
		took := endsWithin(t, bound, "call", func() {
			st = s.Call("/silent", nil, &result, erpc.WithContext(ctx)).Status()
		})
		wantCode(t, "call", st, erpc.CodeHandleTimeout)
		if took < limit || took > limit+50*time.Millisecond*slack {
			t.Errorf("the call ended after %v", took)
		}
		close(late)
		var other int
		endsWithin(t, bound, "second call", func() { st = s.Call("/other", nil, &other).Status() })
		if !st.OK() || other != 2 || result != 0 {
			t.Errorf("after a late reply: %v, result %d; the first call's is %d", st, other, result)
		}
		log.silent(t)
	})
}

func TestCase03CancelOneOfMany(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		const calls = 100
		started := make(chan int, calls)
		cancelled := make(chan int, calls)
		release := make(chan struct{})
		server := on.peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", addUp)
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
		s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
		local := s.LocalAddr().String()
		answers(t, s)
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
			arrives(t, bound, "start of a handler", started)
		}
		cancel()
		if i := arrives(t, prompt, "end of the handler's context", cancelled); i != 42 {
			t.Errorf("the context of handler %d ended", i)
		}
		if cmd := arrives(t, prompt, "end of the call", done); cmd != one {
			t.Error("another call ended")
		}
		wantCode(t, "the cancelled call", one.Status(), erpc.CodeCanceled)
		close(release)
		for range calls - 1 {
			wantCode(t, "another call", arrives(t, bound, "reply", done).Status(), erpc.CodeOK)
		}
		if len(cancelled) > 0 || s.LocalAddr().String() != local || s.Stats().Pending != 0 {
			t.Errorf("%d other handlers were cancelled, connection %v, %d calls pending", len(cancelled), s.LocalAddr(), s.Stats().Pending)
		}
	})
}

func TestCase04CloseWithUnansweredCall(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		hold := make(chan struct{})
		defer close(hold)
		s := opens(t, on.peer(t, erpc.PeerConfig{}), on.handle(t, func(*wire) { <-hold }))
		async := s.AsyncCall("/never", nil, nil, nil)
		sync := make(chan *erpc.Status, 1)
		go func() { sync <- s.Call("/never", nil, nil).Status() }()
		becomes(t, bound, "calls in flight", func() bool { return s.Stats().Pending == 2 })
		endsWithin(t, prompt, "Close", func() { _ = s.Close() })
		arrives(t, prompt, "end of the asynchronous call", async.Done())
		wantCode(t, "asynchronous call", async.Status(), erpc.CodeConnClosed)
		wantCode(t, "call", arrives(t, prompt, "end of the call", sync), erpc.CodeConnClosed)
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

// TestCase05CloseInside closes the session or the peer in every place where
// code of the user runs.
func TestCase05CloseInside(t *testing.T) {
	leavesNothing(t)
	what := map[string]func(erpc.BaseSession){
		"session": func(s erpc.BaseSession) { _ = s.(interface{ Close() error }).Close() },
		"peer":    func(s erpc.BaseSession) { _ = s.Peer().Close() },
	}
	for name, do := range what {
		for _, where := range []string{"handler", "push handler", "dial", "accept", "disconnect", "reply", "push", "body", "written", "write"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				c := &closer{where: where, do: do, done: make(chan struct{})}
				server := tcp.peer(t, erpc.PeerConfig{}, c)
				client := server
				switch where {
				case "dial", "reply", "write":
					server = tcp.peer(t, erpc.PeerConfig{})
					client = tcp.peer(t, erpc.PeerConfig{}, c)
				default:
					client = tcp.peer(t, erpc.PeerConfig{})
				}
				erpc.HandleCall(server, "/add", addUp)
				erpc.HandleCall(server, "/close", func(ctx context.Context, _ *int) (*int, error) {
					c.at("handler", erpc.CallCtxFrom(ctx).Session())
					return nil, nil
				})
				erpc.HandlePush(server, "/close", func(ctx context.Context, _ *int) error {
					c.at("push handler", erpc.PushCtxFrom(ctx).Session())
					return nil
				})
				addr := servesAt(t, server)
				endsWithin(t, bound, "exchange", func() {
					s, st := client.Dial(addr)
					if !st.OK() {
						return // refused in the hook
					}
					s.Push("/close", 1)
					s.Call("/close", 1, new(int))
					_ = s.Close() // for the disconnect hook of the other side
				})
				arrives(t, bound, "return of Close", c.done)
			})
		}
	}
}

func TestCase10ContextAgeOfServer(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		const age = 200 * time.Millisecond
		release := make(chan struct{})
		server := on.peer(t, erpc.PeerConfig{DefaultContextAge: age})
		ended := make(chan error, 1)
		erpc.HandleCall(server, "/deaf", func(ctx context.Context, _ *Sum) (*int, error) {
			<-release // it does not look at its context
			ended <- ctx.Err()
			return nil, nil
		})
		erpc.HandleCall(server, "/add", addUp)
		s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
		var st *erpc.Status
		took := endsWithin(t, bound, "call", func() { st = s.Call("/deaf", &Sum{}, nil).Status() })
		wantCode(t, "call", st, erpc.CodeHandleTimeout)
		if took < age || took > age+prompt {
			t.Errorf("the call ended after %v", took)
		}
		close(release)
		if err := arrives(t, bound, "end of the handler", ended); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the context of the handler says %v", err)
		}
		answers(t, s) // and nothing of the handler's own reply gets in the way
	})
}

func TestCase11WriteAndCloseRace(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		server := on.peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", addUp)
		erpc.HandlePush(server, "/push", func(context.Context, *[]byte) error { return nil })
		client := on.peer(t, erpc.PeerConfig{})
		addr := servesAt(t, server)
		rounds, writers := times(120, 20_000), 4
		var failed atomic.Int64
		for range rounds {
			s := opens(t, client, addr)
			var wg sync.WaitGroup
			body := make([]byte, 8<<10)
			for i := range writers {
				wg.Go(func() {
					for {
						var st *erpc.Status
						if i%2 == 0 {
							st = s.Push("/push", body)
						} else {
							st = s.Call("/add", &Sum{1, 2}, new(int)).Status()
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
			endsWithin(t, bound, "end of the writers", wg.Wait)
		}
		if failed.Load() != int64(rounds*writers) {
			t.Errorf("%d failures, want %d", failed.Load(), rounds*writers)
		}
	})
}

// nested lets two peers call each other back, n deep.
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

func TestCase13ReentrantCalls(t *testing.T) {
	const depth = 50
	for _, limit := range []int{4, 0} {
		for _, name := range []string{"of the session", "of the peer"} {
			t.Run(fmt.Sprint("limit ", limit, " ", name), func(t *testing.T) {
				leavesNothing(t)
				cfg := erpc.PeerConfig{MaxSessionHandlers: limit}
				if name == "of the peer" {
					cfg = erpc.PeerConfig{MaxHandlers: limit}
				}
				server, client := tcp.peer(t, cfg), tcp.peer(t, cfg)
				nested(server)
				nested(client)
				s := opens(t, client, servesAt(t, server))
				for range 20 {
					var n int
					var st *erpc.Status
					endsWithin(t, bound, "nested calls", func() { st = s.Call("/nested", depth, &n).Status() })
					switch {
					case st.OK() && n == depth:
					case limit > 0 && st.Code() == erpc.CodeExhausted:
					default:
						t.Fatalf("nested calls: %v, depth %d", st, n)
					}
				}
				becomes(t, prompt, "end of the handlers", func() bool { return server.Handlers() == 0 && client.Handlers() == 0 })
			})
		}
	}
}

func TestCase14UnreadAsyncChannel(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		server := on.peer(t, erpc.PeerConfig{})
		erpc.HandleCall(server, "/add", addUp)
		s := opens(t, on.peer(t, erpc.PeerConfig{}), servesAt(t, server))
		unread := make(chan erpc.CallCmd)
		for range 100 {
			cmd := s.AsyncCall("/add", &Sum{1, 2}, new(int), unread)
			arrives(t, prompt, "end of a call", cmd.Done())
		}
		endsWithin(t, prompt, "another call", func() { answers(t, s) })
		last := s.AsyncCall("/add", &Sum{1, 2}, new(int), unread)
		endsWithin(t, prompt, "Close", func() { _ = s.Close() })
		arrives(t, prompt, "end of the last call", last.Done())
	})
}
