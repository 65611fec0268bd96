package overloader_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/overloader"
)

// TestMain looks for goroutines that a test left behind; those that kcp-go starts as
// it is imported were there before.
func TestMain(m *testing.M) { wait.Main(m) }

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wiretest.Limit):
		t.Fatalf("waited %v for %s", wiretest.Limit, what)
		panic("not reached")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wiretest.Limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", wiretest.Limit, what)
		}
	}
}

func add(sess erpc.Session) *erpc.Status { return sess.Call("/math/add", []int{1}, nil).Status() }

// TestGolden: the second call within a second gets the answer of v7.
func TestGolden(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, overloader.New(overloader.LimitConfig{
		V7Status: true, QPSInterval: 100 * time.Millisecond,
		MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/math/fail", MaxQPS: 1}},
	}))
	var call, reply []byte
	for _, v := range wiretest.Golden(t, "raw") {
		if v.Name == "overloader/handler-qps" && v.Dir == wiretest.ToServer {
			call = v.Bytes
		} else if v.Name == "overloader/handler-qps" {
			reply = v.Bytes
		}
	}
	s := wiretest.DialScript(t, "tcp", srv.Addr)
	s.Send(call)
	s.Frame(false) // the handler's
	s.Send(call)
	s.Want(reply)
}

// TestStatus: a caller can tell a refusal from a failure, except for v7's.
func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		v7    bool
		limit overloader.LimitConfig
		code  int32
		msg   string
	}{
		{false, overloader.LimitConfig{MaxTotalQPS: 1}, erpc.CodeExhausted, "overload: qps overload, total_limit=1"},
		{true, overloader.LimitConfig{MaxTotalQPS: 1}, 500, "qps overload, total_limit=1"},
		{false, overloader.LimitConfig{MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/math/boom", MaxQPS: 1}}},
			erpc.CodeExhausted, "overload: qps overload, handler_limit=1"},
	} {
		tc.limit.V7Status = tc.v7
		srv := wiretest.Serve(t, erpc.PeerConfig{}, overloader.New(tc.limit))
		sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
		failed := sess.Call("/math/boom", []int{1}, nil).Status()
		if failed.Code() != 500 || overloader.IsOverload(failed) {
			t.Errorf("a failure: %v, overload: %t", failed, overloader.IsOverload(failed))
		}
		st := sess.Call("/math/boom", []int{1}, nil).Status()
		if st.Code() != tc.code || st.Msg() != tc.msg || !overloader.IsOverload(st) {
			t.Errorf("a refusal: %v, overload: %t, want %d %s", st, overloader.IsOverload(st), tc.code, tc.msg)
		}
	}
	if overloader.IsOverload(nil) {
		t.Error("success is an overload")
	}
}

// TestRateExact makes calls from many callers at once: exactly as many pass as the
// limits allow, and a call that one limit refuses takes nothing from the other.
func TestRateExact(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxTotalQPS: 20,
		MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/math/add", MaxQPS: 5}}, Except: []string{"/enc/str"}})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, o)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	start := time.Now()
	passed := func(method string, arg any) int {
		var n atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if sess.Call(method, arg, nil).StatusOK() {
					n.Add(1)
				}
			})
		}
		wg.Wait()
		return int(n.Load())
	}
	limited, others, free := passed("/math/add", []int{1}), passed("/math/gz", []int{1}), passed("/enc/str", "x")
	spare := int(time.Since(start)/(50*time.Millisecond)) + 1 // permits that were earned meanwhile
	if limited < 5 || limited > 5+spare {
		t.Errorf("%d passed to the limited method, want 5", limited)
	}
	if all := limited + others; all < 20 || all > 20+spare {
		t.Errorf("%d passed in all, want 20", all)
	}
	if free != 50 {
		t.Errorf("%d of 50 passed to the excepted method", free)
	}
	c := o.Counts()
	if got := int(c.TotalQPS + c.HandlerQPS); got != 100-limited-others || c.HandlerQPS == 0 || c.TotalQPS == 0 {
		t.Errorf("counted %+v", c)
	}
}

// A gate is a method whose handlers wait to be released.
type gate struct {
	at      atomic.Int32
	most    atomic.Int32
	entered chan int
	leave   chan struct{}
}

func newGate(p erpc.Peer) *gate {
	g := &gate{entered: make(chan int, 1000), leave: make(chan struct{})}
	erpc.HandleCall(p, "/gate", func(_ context.Context, n *int) (*int, error) { return n, g.enter(*n) })
	erpc.HandlePush(p, "/gate", func(_ context.Context, n *int) error { return g.enter(*n) })
	return g
}

func (g *gate) enter(n int) error {
	now := g.at.Add(1)
	for old := g.most.Load(); now > old && !g.most.CompareAndSwap(old, now); old = g.most.Load() {
	}
	g.entered <- n
	<-g.leave
	g.at.Add(-1)
	return nil
}

// TestInFlightExact: calls and pushes of many callers wait in their handlers.
func TestInFlightExact(t *testing.T) {
	for name, limit := range map[string]overloader.LimitConfig{
		"all":    {MaxInFlight: 6},
		"method": {MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/gate", MaxInFlight: 6}}},
	} {
		t.Run(name, func(t *testing.T) {
			o := overloader.New(limit)
			srv := wiretest.NewServer(t, erpc.PeerConfig{}, o)
			g := newGate(srv.Peer)
			srv.Listen(t)
			sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
			for range 2 { // what was taken must be free again
				before := o.Counts().InFlight
				done := make(chan erpc.CallCmd, 40)
				for i := range 20 {
					sess.AsyncCall("/gate", i, nil, done)
					if st := sess.Push("/gate", i); !st.OK() {
						t.Fatal(st)
					}
				}
				for range 6 {
					await(t, "a handler", g.entered)
				}
				eventually(t, "the others to be refused", func() bool { return o.Counts().InFlight == before+34 })
				if st := add(sess); (name == "all") != overloader.IsOverload(st) {
					t.Errorf("another method: %v", st)
				}
				if err := o.Update(o.LimitConfig()); err != nil { // does not change the counts
					t.Fatal(err)
				}
				for range 6 {
					g.leave <- struct{}{}
				}
				for range 20 {
					await(t, "a call", done)
				}
				eventually(t, "all to be free", func() bool { return o.Counts().NowInFlight == 0 })
			}
			if n := g.most.Load(); n != 6 {
				t.Errorf("%d handlers at once, want 6", n)
			}
		})
	}
}

// TestQueue: one is handled, two wait, the next is refused at once; of those that
// wait the newest goes first.
func TestQueue(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxInFlight: 1, MaxQueue: 2, MaxQueueTime: wiretest.Limit})
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, o)
	g := newGate(srv.Peer)
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	var cmds []erpc.CallCmd
	for i := range 3 {
		cmds = append(cmds, sess.AsyncCall("/gate", i, nil, nil))
		eventually(t, "it to work or wait", func() bool { c := o.Counts(); return c.NowInFlight+c.NowWaiting == i+1 })
	}
	if st := sess.Call("/gate", 3, nil).Status(); !overloader.IsOverload(st) {
		t.Errorf("a fourth call: %v", st)
	}
	for _, want := range []int{0, 2, 1} {
		if got := await(t, "a handler", g.entered); got != want {
			t.Errorf("call %d went before %d", got, want)
		}
		g.leave <- struct{}{}
	}
	for i, cmd := range cmds {
		if st := cmd.Status(); !st.OK() {
			t.Errorf("call %d: %v", i, st)
		}
	}
	if c := o.Counts(); c.InFlight != 1 || c.QueueTime != 0 || c.NowWaiting != 0 {
		t.Errorf("counted %+v", c)
	}
}

// TestQueueTime: a call that waits is refused when its time, or that of its caller,
// is over.
func TestQueueTime(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxInFlight: 1, MaxQueue: 5, MaxQueueTime: 20 * time.Millisecond})
	srv := wiretest.NewServer(t, erpc.PeerConfig{}, o)
	g := newGate(srv.Peer)
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Both sides have to know each other before a call can be cancelled.
	if st := sess.Call("/math/add", []int{1}, nil, erpc.WithContext(ctx)).Status(); !st.OK() {
		t.Fatal(st)
	}
	working := sess.AsyncCall("/gate", 0, nil, nil)
	await(t, "a handler", g.entered)
	st := add(sess)
	if !overloader.IsOverload(st) || !strings.Contains(st.Msg(), "max_queue_time=20ms") {
		t.Errorf("waited too long: %v", st)
	}
	limit := o.LimitConfig()
	limit.MaxQueueTime = time.Hour
	if err := o.Update(limit); err != nil {
		t.Fatal(err)
	}
	gone := sess.AsyncCall("/math/add", []int{1}, nil, nil, erpc.WithContext(ctx))
	eventually(t, "it to wait", func() bool { return o.Counts().NowWaiting == 1 })
	cancel()
	eventually(t, "it to wait no longer", func() bool { return o.Counts().NowWaiting == 0 })
	if st := gone.Status(); st.Code() != erpc.CodeCanceled {
		t.Errorf("cancelled: %v", st)
	}
	waits := sess.AsyncCall("/math/add", []int{1}, nil, nil)
	eventually(t, "another to wait", func() bool { return o.Counts().NowWaiting == 1 })
	if err := o.Update(overloader.LimitConfig{}); err != nil { // no limit any more
		t.Fatal(err)
	}
	if st := waits.Status(); !st.OK() {
		t.Errorf("the limit was lifted: %v", st)
	}
	g.leave <- struct{}{}
	if st := working.Status(); !st.OK() {
		t.Error(st)
	}
	eventually(t, "nothing to be left", func() bool { c := o.Counts(); return c.NowInFlight == 0 && c.QueueTime == 2 })
}

// TestPlacesComeBack: whatever becomes of a message, its place is free again.
func TestPlacesComeBack(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxInFlight: 3})
	stop := &erpc.PluginImpl{PluginName: "stop", OnPreWriteReply: func(ctx erpc.WriteCtx) *erpc.Status {
		if ctx.Output().ServiceMethod() == "/math/gz" {
			return erpc.NewStatus(1, "stopped")
		}
		return nil
	}}
	srv := wiretest.NewServer(t, erpc.PeerConfig{DefaultContextAge: 30 * time.Millisecond}, stop, o)
	g := newGate(srv.Peer)
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for range 10 {
		for method, arg := range map[string]any{"/math/boom": []int{1}, "/math/fail": []int{1}, "/math/add": "no number", "/no/such": 1, "/math/gz": []int{1}} {
			if st := sess.Call(method, arg, nil).Status(); st.OK() || overloader.IsOverload(st) {
				t.Errorf("%s: %v", method, st)
			}
		}
	}
	late := sess.AsyncCall("/gate", 1, nil, nil)
	if st := late.Status(); st.Code() != erpc.CodeHandleTimeout { // its handler is still working
		t.Errorf("late: %v", st)
	}
	if n := o.Counts().NowInFlight; n != 1 {
		t.Errorf("%d are running, want the late one", n)
	}
	g.leave <- struct{}{}
	eventually(t, "all to be free", func() bool { return o.Counts().NowInFlight == 0 })
}

// TestFreeBeforeTheReply: a place is free once the handler has returned, so a
// client that has the reply may call again, and one whose reply can't be written
// keeps nobody out.
func TestFreeBeforeTheReply(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxInFlight: 1})
	var replies atomic.Int32
	writing, release := make(chan struct{}), make(chan struct{})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, o, &erpc.PluginImpl{PluginName: "slow", OnPreWriteReply: func(erpc.WriteCtx) *erpc.Status {
		if replies.Add(1) == 1 {
			close(writing)
			<-release
		}
		return nil
	}})
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	slow := sess.AsyncCall("/math/add", []int{1}, nil, nil)
	await(t, "the reply of the first", writing)
	if st := add(sess); !st.OK() {
		t.Errorf("while the reply of the first is written: %v", st)
	}
	close(release)
	await(t, "the first", slow.Done())
	for n := range 500 {
		if st := add(sess); !st.OK() {
			t.Fatalf("call %d, one after another: %v", n, st)
		}
	}
	if n := o.Counts().NowInFlight; n != 0 {
		t.Errorf("%d at work", n)
	}
}

func TestMistakes(t *testing.T) {
	for name, cfg := range map[string]overloader.LimitConfig{
		"twice":         {MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/a"}, {ServiceMethod: "/a"}}},
		"queue of none": {MaxQueue: 1},
	} {
		o := overloader.New(overloader.LimitConfig{MaxConn: 9})
		if err := o.Update(cfg); err == nil {
			t.Errorf("%s: let through", name)
		}
		if got := o.LimitConfig().MaxConn; got != 9 {
			t.Errorf("%s: the old limits are gone: %d", name, got)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a peer was made", name)
				}
			}()
			erpc.NewPeer(erpc.PeerConfig{}, overloader.New(cfg))
		}()
	}
}

// TestRoute: a route can have the limits of handlers and rates, and only its own
// messages count.
func TestRoute(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxInFlight: 1})
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	begun, let := make(chan struct{}, 1), make(chan struct{})
	erpc.HandleCall(srv.Peer, "/limited", func(context.Context, *int) (*int, error) {
		begun <- struct{}{}
		<-let
		return nil, nil
	}, o.Route())
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for range 2 { // its place is given back
		first := sess.AsyncCall("/limited", 1, nil, nil)
		<-begun
		if st := sess.Call("/limited", 1, nil).Status(); !overloader.IsOverload(st) {
			t.Errorf("a second call at the same time: %v", st)
		}
		if st := sess.Call("/math/add", []int{1}, nil).Status(); !st.OK() {
			t.Errorf("another route: %v", st)
		}
		let <- struct{}{}
		if st := first.Status(); !st.OK() {
			t.Error(st)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("contradictory limits were accepted for a route")
		}
	}()
	erpc.HandleCall(srv.Peer, "/mistake", func(context.Context, *int) (*int, error) { return nil, nil },
		overloader.New(overloader.LimitConfig{MaxQueue: 1}).Route())
}
