package limit_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/session"
)

// A gate is a handler that reports what it has begun and waits to be released.
type gate struct {
	begun chan int
	let   chan struct{}
}

func (g *gate) handle(_ context.Context, arg *int) (*int, error) {
	g.begun <- *arg
	<-g.let
	return arg, nil
}

// serve returns a session with a server whose handler /work is bounded.
func serve(t *testing.T, plugins ...erpc.Plugin) (*gate, erpc.Session) {
	t.Helper()
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
	g := &gate{make(chan int, 100), make(chan struct{}, 100)}
	t.Cleanup(sync.OnceFunc(func() { close(g.let) }))
	erpc.HandleCall(srv, "/work", g.handle, plugins...)
	erpc.HandleCall(srv, "/free", func(_ context.Context, arg *int) (*int, error) { return arg, nil })
	return g, connect(t, srv)
}

func call(sess erpc.Session, n int, settings ...erpc.MessageSetting) erpc.CallCmd {
	return sess.AsyncCall("/work", &n, new(int), nil, settings...)
}

// settle returns once the server has read everything that was sent before it.
func settle(t *testing.T, sess erpc.Session) {
	t.Helper()
	arg := 0
	if st := sess.Call("/free", &arg, &arg).Status(); !st.OK() {
		t.Fatal(st)
	}
}

func overflowed(t *testing.T, what string, cmd erpc.CallCmd) {
	t.Helper()
	await(t, what, cmd.Done())
	if st := cmd.Status(); st.Code() != erpc.CodeExhausted || st.Cause() == nil || st.Cause().Error() != session.ErrOverflow.Error() {
		t.Errorf("%s: %v", what, st)
	}
}

func TestHandlers(t *testing.T) {
	g, sess := serve(t, limit.Handlers(2))
	a, b := call(sess, 1), call(sess, 2)
	await(t, "the first", g.begun)
	await(t, "the second", g.begun)
	c := call(sess, 3)
	await(t, "the third", c.Done())
	if st := c.Status(); st.Code() != erpc.CodeExhausted || strings.Contains(st.String(), "overflow") {
		t.Errorf("above the bound: %v", st)
	}
	settle(t, sess) // others are not bounded
	g.let <- struct{}{}
	g.let <- struct{}{}
	if !a.StatusOK() || !b.StatusOK() {
		t.Errorf("within the bound: %v, %v", a.Status(), b.Status())
	}
	g.let <- struct{}{}
	if d := call(sess, 4); !d.StatusOK() {
		t.Errorf("after that: %v", d.Status())
	}
}

// Under overload the newest goes first, and the oldest is refused at once when the
// queue is full.
func TestNewBeforeOld(t *testing.T) {
	g, sess := serve(t, limit.New(limit.Config{Handlers: 1, Queue: 3, Wait: time.Hour}))
	var cmds []erpc.CallCmd
	for n := range 6 { // 0 is handled; 1 and 2 have to wait
		cmds = append(cmds, call(sess, n))
		settle(t, sess)
	}
	overflowed(t, "the oldest", cmds[1])
	overflowed(t, "the second oldest", cmds[2])
	var order []int
	for range 4 {
		order = append(order, await(t, "a handler", g.begun))
		g.let <- struct{}{}
	}
	if !slices.Equal(order, []int{0, 5, 4, 3}) {
		t.Errorf("handled %v", order)
	}
	for _, n := range order {
		if !cmds[n].StatusOK() {
			t.Errorf("call %d: %v", n, cmds[n].Status())
		}
	}
	g.let <- struct{}{}
	if cmd := call(sess, 6); !cmd.StatusOK() { // nothing is left behind
		t.Errorf("after the overload: %v", cmd.Status())
	}
}

func TestWaitIsBounded(t *testing.T) {
	const wait = 30 * time.Millisecond
	g, sess := serve(t, limit.New(limit.Config{Handlers: 1, Queue: 10, Wait: wait}))
	first := call(sess, 0)
	await(t, "the first", g.begun)
	start := time.Now()
	late := []erpc.CallCmd{call(sess, 1), call(sess, 2)}
	for _, cmd := range late {
		overflowed(t, "one that waited too long", cmd)
	}
	if took := time.Since(start); took < wait {
		t.Errorf("refused after %v", took)
	}
	g.let <- struct{}{}
	if !first.StatusOK() || len(g.begun) > 0 {
		t.Errorf("the first: %v; %d others were handled", first.Status(), len(g.begun))
	}
}

// A call whose caller has gone while it waited is not handled.
func TestDesertedAreNotHandled(t *testing.T) {
	g, sess := serve(t, limit.New(limit.Config{Handlers: 1, Queue: 10, Wait: time.Hour}))
	first := call(sess, 0, erpc.WithCancel())
	await(t, "the first", g.begun)
	settle(t, sess)
	gone, brief, stays := call(sess, 1, erpc.WithCancel()), call(sess, 2, erpc.WithTimeout(20*time.Millisecond)), call(sess, 3)
	settle(t, sess)
	gone.Cancel()
	if st := brief.Status(); st.Code() != erpc.CodeHandleTimeout {
		t.Errorf("out of time: %v", st)
	}
	time.Sleep(20 * time.Millisecond) // the server started its clock later
	settle(t, sess)
	g.let <- struct{}{}
	g.let <- struct{}{}
	if !first.StatusOK() || !stays.StatusOK() {
		t.Errorf("the others: %v, %v", first.Status(), stays.Status())
	}
	if n := await(t, "the other", g.begun); n != 3 || len(g.begun) > 0 {
		t.Errorf("%d was handled, and %d more", n, len(g.begun))
	}
}

func TestOrdered(t *testing.T) {
	g, sess := serve(t, limit.Ordered())
	const n = 5
	for i := range n {
		call(sess, i)
	}
	for i := range n {
		if got := await(t, "a handler", g.begun); got != i {
			t.Errorf("message %d came in place %d", got, i)
		}
		settle(t, sess)
		if len(g.begun) > 0 {
			t.Fatal("two at the same time")
		}
		g.let <- struct{}{}
	}
}

func TestDefaultWait(t *testing.T) {
	g, sess := serve(t, limit.New(limit.Config{Handlers: 1, Queue: 1}))
	a, b := call(sess, 0), call(sess, 1)
	await(t, "the first", g.begun)
	g.let <- struct{}{}
	g.let <- struct{}{}
	if !a.StatusOK() || !b.StatusOK() {
		t.Errorf("with the default time to wait: %v, %v", a.Status(), b.Status())
	}
}

func TestMistakes(t *testing.T) {
	for _, cfg := range []limit.Config{
		{Handlers: -1}, {Queue: 1}, {Handlers: 1, Queue: -1}, {Wait: -1}, {Handlers: 1, Queue: 1, Ordered: true},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v makes a plugin", cfg)
				}
			}()
			limit.New(cfg)
		}()
	}
	if limit.Handlers(1).Name() == limit.Handlers(2).Name() {
		t.Error("two bounds with one name were accepted")
	}
}

// A place is free as soon as the handler returns: a caller that has its reply may call again,
// and one whose reply can't be written keeps nobody from the handler.
func TestPlaceIsFreeBeforeTheReply(t *testing.T) {
	for name, cfg := range map[string]limit.Config{"refuses": {Handlers: 1}, "queues": {Handlers: 1, Queue: 1, Wait: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			var replies atomic.Int32
			writing, release := make(chan struct{}), make(chan struct{})
			srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
			erpc.HandleCall(srv, "/work", func(_ context.Context, n *int) (*int, error) { return n, nil }, limit.New(cfg), &erpc.PluginImpl{PluginName: "slow", OnPreWriteReply: func(erpc.WriteCtx) *erpc.Status {
				if replies.Add(1) == 1 {
					close(writing)
					<-release
				}
				return nil
			}})
			sess := connect(t, srv)
			slow := call(sess, 1)
			await(t, "the reply of the first", writing)
			next := call(sess, 2)
			await(t, "the second", next.Done())
			if st := next.Status(); !st.OK() {
				t.Errorf("while the reply of the first is written: %v", st)
			}
			close(release)
			await(t, "the first", slow.Done())
			for n := range 500 {
				if cmd := call(sess, n); !cmd.StatusOK() {
					t.Fatalf("call %d, one after another: %v", n, cmd.Status())
				}
			}
		})
	}
}
