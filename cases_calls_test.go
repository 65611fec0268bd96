package erpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/erpc-go/erpc"
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
	what := map[string]func(erpc.BaseSession){
		"session": func(s erpc.BaseSession) { _ = s.(interface{ Close() error }).Close() },
		"peer":    func(s erpc.BaseSession) { _ = s.Peer().Close() },
	}
	for name, do := range what {
		for _, where := range []string{"handler", "push handler", "dial", "accept", "disconnect", "reply", "push", "body", "written", "write"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				leavesNothing(t)
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

// dials counts what a peer dials, and the connect hooks around it.
type dials struct {
	n     atomic.Int64
	mu    sync.Mutex // guards the following
	order []string
	fail  int // so many redials are refused
	call  bool
}

func (d *dials) Name() string { return "dials" }

func (d *dials) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order = append(d.order, what)
}

func (d *dials) noted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.order...)
}

// refuses reports whether a redial is to be refused.
func (d *dials) refuses() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail--
	return d.fail >= 0
}

func (d *dials) PreDial(net.Addr, string) *erpc.Status {
	d.n.Add(1)
	return nil
}

func (d *dials) PostDial(s erpc.PreSession, isRedial bool) *erpc.Status {
	if isRedial && d.refuses() {
		d.note("refused")
		return erpc.NewStatus(erpc.CodeUnauthorized, "not yet")
	}
	if d.call {
		var n int
		if st := s.PreCall("/add", &Sum{1, 2}, &n); !st.OK() || n != 3 {
			d.note(fmt.Sprintf("call: %v, %d", st, n))
			return st
		}
	}
	if isRedial {
		d.note("redialed")
	} else {
		d.note("dialed")
	}
	return nil
}

func (d *dials) PostDisconnect(erpc.BaseSession) *erpc.Status {
	d.note("disconnected")
	return nil
}

// redials is a client that never gives up.
func redials(d *dials, on medium, t *testing.T) erpc.Peer {
	return on.peer(t, erpc.PeerConfig{
		RedialTimes: -1, RedialInterval: time.Millisecond, RedialMaxInterval: 20 * time.Millisecond,
	}, d)
}

func TestCase06CloseWhileRedialing(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		d := new(dials)
		client := redials(d, on, t)
		server := on.peer(t, erpc.PeerConfig{})
		addr := servesAt(t, server)
		s := opens(t, client, addr)
		_ = server.Close()
		becomes(t, bound, "redials", func() bool { return d.n.Load() > 3 })
		const limit = 100 * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		var st *erpc.Status
		if took := endsWithin(t, bound, "call", func() {
			st = s.Call("/add", &Sum{}, nil, erpc.WithContext(ctx)).Status()
		}); took < limit || took > limit+prompt {
			t.Errorf("the call ended after %v", took)
		}
		wantCode(t, "call while redialing", st, erpc.CodeHandleTimeout)
		waiting := s.AsyncCall("/add", &Sum{}, nil, nil)
		pushed := make(chan *erpc.Status, 1)
		go func() { pushed <- s.Push("/add", &Sum{}) }()

		endsWithin(t, prompt, "Close", func() { _ = s.Close() })
		arrives(t, prompt, "end of the call", waiting.Done())
		wantCode(t, "call without a deadline", waiting.Status(), erpc.CodeConnClosed)
		wantCode(t, "push", arrives(t, prompt, "end of the push", pushed), erpc.CodeConnClosed)
		arrives(t, prompt, "end of the session", s.CloseNotify())
		time.Sleep(50 * time.Millisecond) // a dial in progress ends
		n := d.n.Load()
		time.Sleep(100 * time.Millisecond) // several intervals
		if more := d.n.Load() - n; more > 0 {
			t.Errorf("%d dials after Close", more)
		}
	})
}

func TestCase06CloseWhileDialing(t *testing.T) {
	leavesNothing(t)
	lis := tcp.listenRaw(t)
	addr := lis.Addr().String()
	_ = lis.Close() // nobody is there
	d := new(dials)
	client := redials(d, tcp, t)
	dialed := make(chan *erpc.Status, 1)
	go func() {
		_, st := client.Dial(addr)
		dialed <- st
	}()
	becomes(t, bound, "several dials", func() bool { return d.n.Load() > 3 })
	endsWithin(t, prompt, "Close", func() { _ = client.Close() })
	if st := arrives(t, prompt, "end of Dial", dialed); st.OK() {
		t.Error("a dial succeeded with nobody there")
	}
}

// TestCase06CloseWhileRedialHookWaits: a connect hook that waits for a server
// which says nothing ends with the session.
func TestCase06CloseWhileRedialHookWaits(t *testing.T) {
	for _, redial := range []bool{false, true} {
		t.Run(fmt.Sprint("redial ", redial), func(t *testing.T) {
			leavesNothing(t)
			h := &hookWaits{redial: redial, waits: make(chan struct{}, 1), done: make(chan *erpc.Status, 1)}
			client := tcp.peer(t, erpc.PeerConfig{
				RedialTimes: -1, RedialInterval: time.Millisecond, HandshakeTimeout: bound,
			}, h)
			lis := tcp.listenRaw(t)
			conns := make(chan net.Conn, 2)
			go func() {
				for {
					conn, err := lis.Accept()
					if err != nil {
						return // the test has ended
					}
					conns <- conn
				}
			}()
			go client.Dial(lis.Addr().String())
			first := arrives(t, bound, "first connection", conns)
			defer first.Close()
			if redial {
				becomes(t, bound, "a session", func() bool { return client.CountSession() == 1 })
				_ = first.Close()
				second := arrives(t, bound, "second connection", conns)
				defer second.Close()
			}
			arrives(t, bound, "start of the hook", h.waits)
			endsWithin(t, prompt, "Close", func() { _ = client.Close() })
			if st := arrives(t, prompt, "end of the hook", h.done); st.OK() {
				t.Error("the hook received something")
			}
		})
	}
}

// hookWaits is a connect hook that waits for a message.
type hookWaits struct {
	redial bool // only then
	waits  chan struct{}
	done   chan *erpc.Status
}

func (*hookWaits) Name() string { return "waits" }

func (h *hookWaits) PostDial(s erpc.PreSession, isRedial bool) *erpc.Status {
	if isRedial != h.redial {
		return nil
	}
	h.waits <- struct{}{}
	st := s.PreReceive(func(erpc.Header) any { return nil }).Status()
	h.done <- st
	return st
}

func TestCase07ServerRestarts(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		restarts := times(20, 50)
		d := new(dials)
		client := redials(d, on, t)
		var s erpc.Session
		want := []string{"dialed"}
		addr := on.place(t)
		for i := range restarts + 1 {
			server := on.peer(t, erpc.PeerConfig{ListenAddress: addr})
			erpc.HandleCall(server, "/add", addUp)
			servesAt(t, server)
			if i == 0 {
				s = opens(t, client, addr)
			} else {
				want = append(want, "redialed")
			}
			recovers(t, s)
			_ = server.Close()
			becomes(t, bound, "end of the connection", func() bool { return len(d.noted()) == len(want) && server.CountSession() == 0 })
		}
		_ = s.Close()
		want = append(want, "disconnected")
		becomes(t, bound, "disconnect hook", func() bool { return len(d.noted()) >= len(want) })
		if got := d.noted(); !slices.Equal(got, want) {
			t.Errorf("hooks ran in the order %q, want %q", got, want)
		}
	})
}

// recovers waits until calls get their replies again; those that were sent into
// the end of the old connection may fail with that.
func recovers(t *testing.T, s erpc.Session) {
	t.Helper()
	becomes(t, bound, "recovery", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		var n int
		st := s.Call("/add", &Sum{1, 2}, &n, erpc.WithContext(ctx)).Status()
		if !st.OK() && st.Code() != erpc.CodeConnClosed {
			t.Fatalf("call while the server restarts: %v", st)
		}
		return n == 3
	})
}

func TestCase08AuthFailsTwiceInRedial(t *testing.T) {
	leavesNothing(t)
	d := &dials{fail: 2}
	server := tcp.peer(t, erpc.PeerConfig{ListenAddress: tcp.place(t)})
	addr := servesAt(t, server)
	s := opens(t, redials(d, tcp, t), addr)
	_ = server.Close()
	server = tcp.peer(t, erpc.PeerConfig{ListenAddress: addr})
	erpc.HandleCall(server, "/add", addUp)
	servesAt(t, server)
	recovers(t, s)
	if want := []string{"dialed", "refused", "refused", "redialed"}; !slices.Equal(d.noted(), want) {
		t.Errorf("hooks ran in the order %q, want %q", d.noted(), want)
	}
}

// TestCase09CallInConnectHook also has a context age, which makes the call one
// with a deadline: the server answers that with a control message first.
func TestCase09CallInConnectHook(t *testing.T) {
	for _, age := range []time.Duration{0, bound} {
		t.Run(fmt.Sprint("age ", age), func(t *testing.T) {
			leavesNothing(t)
			d := &dials{call: true}
			client := tcp.peer(t, erpc.PeerConfig{
				RedialTimes: -1, RedialInterval: time.Millisecond, RedialMaxInterval: 20 * time.Millisecond, DefaultContextAge: age,
			}, d)
			var s erpc.Session
			addr := tcp.place(t)
			for i := range 3 {
				server := tcp.peer(t, erpc.PeerConfig{ListenAddress: addr})
				erpc.HandleCall(server, "/add", addUp)
				servesAt(t, server)
				if i == 0 {
					s = opens(t, client, addr)
				}
				recovers(t, s)
				_ = server.Close()
			}
			if want := []string{"dialed", "redialed", "redialed"}; !slices.Equal(d.noted(), want) {
				t.Errorf("hooks ran in the order %q, want %q", d.noted(), want)
			}
		})
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
