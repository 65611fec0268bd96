package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A server accepts sessions on a port of its own.
type server struct {
	t        *testing.T
	lis      net.Listener
	shared   *Shared
	accepted chan *Engine
	before   atomic.Pointer[func(context.Context) *message.Status] // of each dial; nil: none
	wg       sync.WaitGroup
}

// onDial makes f be called before each dial from now on. The dial fails if f does.
func (s *server) onDial(f func(context.Context) *message.Status) { s.before.Store(&f) }

func startServer(t *testing.T, routes Routes, set func(*Shared)) *server {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, lis: lis, shared: fakeShared(routes), accepted: make(chan *Engine, 10_000)}
	if set != nil {
		set(s.shared)
	}
	s.wg.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

func (s *server) accept() {
	for {
		nc, err := s.lis.Accept()
		if err != nil {
			return
		}
		if e, st := Accept(s.shared, nc, rawproto.New, nc.RemoteAddr().String()); st.OK() {
			s.accepted <- e
		}
	}
}

func (s *server) stop() {
	_ = s.lis.Close() // perhaps a second time
	s.wg.Wait()
	for {
		select {
		case e := <-s.accepted:
			_ = e.Close()
		default:
			return
		}
	}
}

func (s *server) next() *Engine {
	s.t.Helper()
	return receive(s.t, s.accepted)
}

func (s *server) dial(ctx context.Context) (net.Conn, *message.Status) {
	if f := s.before.Load(); f != nil {
		if st := (*f)(ctx); !st.OK() {
			return nil, st
		}
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", s.lis.Addr().String())
	if err != nil {
		return nil, newStatus(message.CodeDialFailed, err)
	}
	return nc, nil
}

// connect returns a session with the server. times is how often it redials.
func (s *server) connect(times int, set func(*Shared)) *Engine {
	s.t.Helper()
	sh := fakeShared(oneRoute{})
	sh.RedialTimes, sh.RedialFirst, sh.RedialLongest = times, 10*time.Millisecond, 40*time.Millisecond
	if set != nil {
		set(sh)
	}
	nc, st := s.dial(s.t.Context())
	if !st.OK() {
		s.t.Fatal(st)
	}
	e, st := Dialed(sh, nc, rawproto.New, "client", s.dial)
	if !st.OK() {
		s.t.Fatal(st)
	}
	s.t.Cleanup(func() { _ = e.Close() })
	return e
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(longest):
		t.Fatal("nothing came")
		panic("not reached")
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(longest); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it was never so: %s", what)
		}
	}
}

func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(longest):
		t.Fatalf("it did not return: %s", what)
	}
}

// callRoute routes calls and pushes to one handler each.
type callRoute struct{ call, push *Handler }

func (r callRoute) Dispatch(call bool, _ string) (*Handler, bool) {
	h := r.push
	if call {
		h = r.call
	}
	return h, h != nil
}
func (callRoute) DispatchStream(string) (*Handler, bool) { return nil, false }

func callHandler(f func(CallCtx, int) (any, *message.Status)) *Handler {
	return NewHandler(Spec{
		Name: "/h", Kind: RouteCall, NewArg: func() any { return new(int) },
		Call: func(ctx CallCtx, arg any) (any, *message.Status) { return f(ctx, *arg.(*int)) },
	})
}

func pushHandler(f func(int)) *Handler {
	return NewHandler(Spec{
		Name: "/h", Kind: RoutePush, NewArg: func() any { return new(int) },
		Push: func(_ PushCtx, arg any) *message.Status {
			f(*arg.(*int))
			return nil
		},
	})
}

func TestContextThatHasEndedSendsNothing(t *testing.T) {
	var handled atomic.Int64
	srv := startServer(t, callRoute{
		callHandler(func(CallCtx, int) (any, *message.Status) { handled.Add(1); return 1, nil }),
		pushHandler(func(int) { handled.Add(1) }),
	}, nil)
	s := srv.connect(0, nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelLate()
	for _, c := range []struct {
		ctx  context.Context
		code int32
	}{{ended, message.CodeCanceled}, {late, message.CodeHandleTimeout}} {
		with := message.WithContext(c.ctx)
		for name, do := range map[string]func() *message.Status{
			"call":  func() *message.Status { return s.Call("/h", 1, nil, with).Status() },
			"async": func() *message.Status { return s.AsyncCall("/h", 1, nil, nil, with).Status() },
			"push":  func() *message.Status { return s.Push("/h", 1, with) },
			"batch": func() *message.Status {
				b := NewBatch(s)
				b.Call("/h", 1, nil)
				e := b.Push("/h", 1)
				_ = b.Do(c.ctx)
				return e.Status()
			},
			"broadcast": func() *message.Status {
				frame, st := s.Pack("/h", 1)
				if !st.OK() {
					return st
				}
				return s.Send(c.ctx, frame, false)
			},
			"typed": func() *message.Status {
				_, err := Call[int](c.ctx, s, "/h", 1)
				return message.FromError(err)
			},
		} {
			if st := do(); st.Code() != c.code {
				t.Errorf("%s: %v, want code %d", name, st, c.code)
			}
		}
	}
	if st := s.Call("/h", 1, nil).Status(); !st.OK() || handled.Load() != 1 {
		t.Errorf("%v after %d handlers, want 1", st, handled.Load())
	}
}

func TestSettingsAreAppliedOnce(t *testing.T) {
	srv := startServer(t, callRoute{call: callHandler(func(ctx CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
	s := srv.connect(1, nil)
	for _, async := range []bool{false, true} {
		applied := 0 // no lock: the settings run on this goroutine
		once := func(m *message.Message) {
			applied++
			m.Meta().Set("k", "v")
		}
		var result int
		var cmd *CallCmd
		if async {
			cmd = s.AsyncCall("/h", 7, &result, nil, once)
		} else {
			cmd = s.Call("/h", 7, &result, once)
		}
		st := cmd.Status()
		out := cmd.Output()
		if !st.OK() || result != 7 || cmd.Context() == nil || out.Meta().Get("k") != "v" || out.ServiceMethod() != "/h" || out.Seq() == 0 {
			t.Errorf("async %v: %v, result %d, output %v", async, st, result, out)
		}
		if applied != 1 {
			t.Errorf("async %v: applied %d times", async, applied)
		}
	}
}

// timeoutError is that of a network that gives a connection up.
type timeoutError struct{}

func (timeoutError) Error() string   { return "connection timed out" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return false }

func TestTimeoutOfTheNetworkIsNotTheAge(t *testing.T) {
	for name, err := range map[string]error{
		"ETIMEDOUT": &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)},
		"idle":      timeoutError{},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t, callRoute{}, nil)
			s := srv.connect(-1, func(sh *Shared) { sh.SessionAge = time.Hour })
			srv.next()
			c := s.conns.current()
			c.end(err, nil)
			eventually(t, "another connection", func() bool { return s.conns.current() != c && s.State() == Open })
		})
	}
	srv := startServer(t, callRoute{}, nil)
	s := srv.connect(-1, nil)
	s.SetSessionAge(10 * time.Millisecond)
	receive(t, s.CloseNotify())
	if !errors.Is(s.Err(), ErrAge) {
		t.Errorf("the age ends the session with %v", s.Err())
	}
}

func TestAgeGoesOnOverARedial(t *testing.T) {
	srv := startServer(t, callRoute{}, nil)
	s := srv.connect(-1, nil)
	s.SetSessionAge(300 * time.Millisecond)
	late := time.After(longest)
	for ended := false; !ended; {
		select {
		case c := <-srv.accepted:
			c.End(nil) // or it would live longer with each of these
		case <-s.CloseNotify():
			ended = true
		case <-late:
			t.Fatalf("the session is %v after %v", s.State(), longest)
		}
	}
	if !errors.Is(s.Err(), ErrAge) {
		t.Errorf("ended with %v", s.Err())
	}
}

func TestOrderSurvivesARedial(t *testing.T) {
	const messages = 300
	var mu sync.Mutex
	var got []int
	running := 0
	all := make(chan struct{})
	h := pushHandler(func(n int) {
		mu.Lock()
		running++
		if running > 1 {
			t.Error("two ordered handlers of one session run")
		}
		mu.Unlock()
		time.Sleep(50 * time.Microsecond)
		mu.Lock()
		defer mu.Unlock()
		running--
		got = append(got, n)
		if n == messages-1 {
			close(all)
		}
	})
	h.SetOrdered(true)
	// The client has the handler, the server pushes: only a client redials.
	srv := startServer(t, callRoute{}, nil)
	s := srv.connect(-1, func(sh *Shared) { sh.Routes = callRoute{push: h} })
	peer := srv.next()
	for n := range messages {
		if n%100 == 50 {
			c := s.conns.current()
			_ = peer.Flush(t.Context()) // an error is one of the connection, which is about to end
			eventually(t, "everything read", func() bool { return int(c.sock.Stats().MessagesIn) >= 50 })
			peer.End(nil)
			peer = srv.next()
		}
		if st := peer.Push("/h", n); !st.OK() {
			t.Fatal(st)
		}
	}
	receive(t, all)
	mu.Lock()
	defer mu.Unlock()
	if !slices.IsSorted(got) {
		t.Errorf("out of order: %v", got)
	}
}

func TestBatchBegunWhileRedialing(t *testing.T) {
	var mu sync.Mutex
	var got []int
	note := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, n)
	}
	call := callHandler(func(_ CallCtx, n int) (any, *message.Status) { note(n); return n, nil })
	push := pushHandler(note)
	call.SetOrdered(true)
	push.SetOrdered(true)
	srv := startServer(t, callRoute{call, push}, nil)
	gate := make(chan struct{})
	s := srv.connect(-1, nil)
	srv.onDial(func(context.Context) *message.Status {
		<-gate
		return nil
	})
	srv.next().End(nil)
	eventually(t, "redialing", func() bool { return s.State() == Redialing })
	b := NewBatch(s)
	for n := range 20 {
		if n%3 == 2 {
			b.Push("/h", n)
		} else {
			b.Call("/h", n, nil)
		}
	}
	done := make(chan *message.Status, 1)
	go func() { done <- b.Do(t.Context()) }()
	time.Sleep(5 * time.Millisecond)
	close(gate)
	if st := receive(t, done); !st.OK() {
		t.Fatal(st)
	}
	eventually(t, "all handled", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 20 })
	if !slices.IsSorted(got) {
		t.Errorf("out of order: %v", got)
	}
}

func TestCallsThatWaitForARedialAreBounded(t *testing.T) {
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
	s := srv.connect(-1, nil)
	gate := make(chan struct{})
	srv.onDial(func(ctx context.Context) *message.Status {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return nil
	})
	srv.next().End(nil)
	eventually(t, "redialing", func() bool { return s.State() == Redialing })
	before := runtime.NumGoroutine()
	cmds := make([]*CallCmd, maxWaitingCalls+10)
	for i := range cmds {
		cmds[i] = s.AsyncCall("/h", i, nil, nil)
	}
	if n := runtime.NumGoroutine() - before; n > 20 {
		t.Errorf("%d goroutines wait", n)
	}
	if n := s.Stats().Pending; n < maxWaitingCalls-1 || n > maxWaitingCalls {
		t.Errorf("%d calls are pending, want %d", n, maxWaitingCalls)
	}
	for i, cmd := range cmds[maxWaitingCalls+1:] {
		if st := cmd.Status(); st.Code() != message.CodeExhausted || !NotExecuted(st) {
			t.Errorf("call %d above the bound: %v", i, st)
		}
	}
	within(t, "the calls that are cancelled", func() {
		for _, i := range []int{0, 5} { // whose turn it is to be sent, and one behind it
			cmds[i].Cancel()
			if st := cmds[i].Status(); st.Code() != message.CodeCanceled {
				t.Errorf("call %d is cancelled: %v", i, st)
			}
		}
	})
	close(gate)
	within(t, "the calls", func() {
		for i, cmd := range cmds[:maxWaitingCalls] {
			if st := cmd.Status(); i != 0 && i != 5 && !st.OK() {
				t.Errorf("call %d: %v", i, st)
				return
			}
		}
	})
	eventually(t, "nothing pending", func() bool { return s.Stats().Pending == 0 })
}

// exits is a plugin whose hooks call runtime.Goexit left times.
type exits struct {
	where string
	left  atomic.Int32
}

func (p *exits) Name() string { return "exits" }
func (p *exits) at(where string) *message.Status {
	if p.where == where && p.left.Add(-1) >= 0 {
		runtime.Goexit()
	}
	return nil
}
func (p *exits) PreReadHeader(PreCtx) error                  { p.at("PreReadHeader"); return nil }
func (p *exits) PostReadCallHeader(ReadCtx) *message.Status  { return p.at("PostReadCallHeader") }
func (p *exits) PreReadCallBody(ReadCtx) *message.Status     { return p.at("PreReadCallBody") }
func (p *exits) PostReadCallBody(ReadCtx) *message.Status    { return p.at("PostReadCallBody") }
func (p *exits) PreWriteReply(WriteCtx) *message.Status      { return p.at("PreWriteReply") }
func (p *exits) PostWriteReply(WriteCtx) *message.Status     { return p.at("PostWriteReply") }
func (p *exits) PostHandle(ReadCtx)                          { p.at("PostHandle") }
func (p *exits) PostReadReplyHeader(ReadCtx) *message.Status { return p.at("PostReadReplyHeader") }
func (p *exits) PostReadReplyBody(ReadCtx) *message.Status   { return p.at("PostReadReplyBody") }
func (p *exits) hooks() *Hooks                               { return NewHooks([]plugin.Plugin{p}) }
func (p *exits) use(sh *Shared)                              { sh.Hooks.Store(p.hooks()) }

// TestGoexitLosesNothing ends goroutines in handlers and hooks: each call gets an
// outcome, the connection is read on, and no place stays taken.
func TestGoexitLosesNothing(t *testing.T) {
	for _, c := range []struct {
		where   string
		client  bool // the hook is the caller's
		ordered bool
		inline  bool
	}{
		{where: "handler"}, {where: "handler", ordered: true}, {where: "handler", inline: true}, {where: "handler after a while", inline: true},
		{where: "PostReadCallHeader"}, {where: "PreReadCallBody"}, {where: "PostReadCallBody"},
		{where: "PreWriteReply"}, {where: "PostWriteReply"}, {where: "PostHandle"},
		{where: "PreWriteReply", inline: true}, {where: "PostHandle", ordered: true},
		{where: "PostReadReplyHeader", client: true}, {where: "PostReadReplyBody", client: true},
	} {
		t.Run(fmt.Sprintf("%s/ordered=%v/inline=%v", c.where, c.ordered, c.inline), func(t *testing.T) {
			p := &exits{where: c.where}
			p.left.Store(3)
			h := callHandler(func(_ CallCtx, n int) (any, *message.Status) {
				p.at("handler")
				if c.where == "handler after a while" && p.left.Add(-1) >= 0 {
					time.Sleep(20 * time.Millisecond) // another goroutine reads meanwhile
					runtime.Goexit()
				}
				return n, nil
			})
			h.SetOrdered(c.ordered)
			h.SetHooks(p.hooks())
			if c.inline {
				h.pace.credit.Store(maxCredit)
			}
			srv := startServer(t, callRoute{call: h}, func(sh *Shared) {
				sh.MaxHandlers = 4
				if !c.client {
					p.use(sh)
				}
			})
			s := srv.connect(0, func(sh *Shared) {
				if c.client {
					p.use(sh)
				}
			})
			there := srv.next()
			within(t, "calls", func() {
				for n := range 20 {
					cmd := s.AsyncCall("/h", n, new(int), nil)
					if st := cmd.Status(); !st.OK() && st.Code() != message.CodeInternalServerError {
						t.Errorf("call %d: %v", n, st)
					}
				}
			})
			if p.left.Load() > 0 {
				t.Fatal("no goroutine was ended")
			}
			if st := s.Call("/h", 1, new(int)).Status(); !st.OK() {
				t.Errorf("afterwards: %v", st)
			}
			eventually(t, "no handler counted", func() bool {
				c := there.conns.current()
				return srv.shared.Handlers() == 0 && c.places.handlers.Load() == 0 && c.places.blocked.Load() == 0 &&
					srv.shared.places.working.Load() == 0 && c.places.working.Load() == 0
			})
		})
	}
}

func TestGoexitInFrontOfAHeaderEndsTheConnection(t *testing.T) {
	p := &exits{where: "PreReadHeader"}
	p.left.Store(1)
	srv := startServer(t, callRoute{}, p.use)
	s := srv.connect(0, nil)
	within(t, "a call", func() {
		if st := s.Call("/h", 1, nil).Status(); st.Code() != message.CodeConnClosed {
			t.Errorf("status %v", st)
		}
	})
}

func TestInlineHandlersAreBounded(t *testing.T) {
	const most = 4
	var at, peak atomic.Int64
	release := make(chan struct{})
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		peak.Store(max(peak.Load(), at.Add(1)))
		defer at.Add(-1)
		<-release
		return n, nil
	})
	srv := startServer(t, callRoute{call: h}, func(sh *Shared) { sh.MaxHandlers, sh.MaxSessionHandlers = most, most })
	s := srv.connect(0, nil)
	srv.next()
	var cmds []*CallCmd
	for n := range 200 {
		h.pace.credit.Store(maxCredit) // as if it had been quick all the time
		cmds = append(cmds, s.AsyncCall("/h", n, new(int), nil))
		if n%20 == 0 {
			time.Sleep(time.Millisecond) // for the watchdog
		}
	}
	refused := func() (n int) {
		for _, cmd := range cmds {
			select {
			case <-cmd.Done():
				n++
			default:
			}
		}
		return n
	}
	eventually(t, "all but a few refused", func() bool { return refused() >= len(cmds)-most-1 })
	close(release)
	within(t, "the rest", func() {
		for _, cmd := range cmds {
			cmd.Status()
		}
	})
	if peak.Load() > most+1 { // one more in the place of the goroutine that reads
		t.Errorf("%d handlers were at work, with a limit of %d", peak.Load(), most)
	}
}
