package session

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/message"
)

// A cancellation that arrives right after its call, before a worker has started on
// it, still ends the handler.
func TestCancelRightAfterTheCall(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		var running atomic.Int32
		h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
			if n < 0 {
				return n, nil
			}
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Context().Done()
			return n, nil
		})
		h.SetOrdered(ordered)
		srv := startServer(t, callRoute{call: h}, nil)
		s := srv.connect(0, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if st := s.Call("/h", -1, new(int), message.WithContext(ctx)).Status(); !st.OK() { // both sides are proven now
			t.Fatal(st)
		}
		for n := range 300 {
			ctx, cancel := context.WithCancel(t.Context())
			cmd := s.AsyncCall("/h", n, new(int), nil, message.WithContext(ctx))
			cancel()
			<-cmd.Done()
		}
		eventually(t, "the end of all handlers", func() bool {
			return running.Load() == 0 && srv.shared.places.handlers.Load() == 0
		})
	}
}

// The watchdog may replace a goroutine that reads as soon as it runs a handler:
// the next one, which may read the cancellation, finds the call.
func TestInlineCallCanBeCancelledFromTheBeginning(t *testing.T) {
	for _, draining := range []bool{false, true} {
		h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
			<-ctx.Context().Done()
			return n, nil
		})
		h.pace.credit.Store(inlineCredit)
		u := newUnit(t, callRoute{call: h}, nil)
		list := &u.shared.watchdog.lists[0]
		list.mu.Lock() // the goroutine that reads stands still when it has said that user code begins
		x := u.inbound(message.TypeCall, 5, "/h", 1, message.WithSetMeta(MetaTimeout, "0"))
		served := make(chan outcome, 1)
		go func() {
			l := &readLoop{c: u.conn, x: x}
			out := l.serveInline(h)
			x.reset()
			served <- out
		}()
		eventually(t, "the beginning", u.handoff.inUserCode)
		u.deadlines.get().cancel(5)
		if draining {
			u.goaway.local.move(localServing, localDraining)
		}
		list.mu.Unlock()
		receive(t, served)
		u.deadlines.get().mu.Lock()
		left := u.deadlines.get().length
		u.deadlines.get().mu.Unlock()
		if m := u.sentOne(); m.Seq() != 5 || left != 0 {
			t.Errorf("draining %v: answered with %v, %d deadlines are left", draining, m, left)
		}
	}
}

// A call that was cancelled while it waited behind others is not executed.
func TestCancelledWhileItWaitsInOrder(t *testing.T) {
	var executed atomic.Int32
	begun, release := make(chan struct{}, 1), make(chan struct{})
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		executed.Add(1)
		if n == 0 {
			begun <- struct{}{}
			<-release
		}
		return n, nil
	})
	h.SetOrdered(true)
	srv := startServer(t, callRoute{call: h}, nil)
	s := srv.connect(0, nil)
	first := s.AsyncCall("/h", 0, new(int), nil, message.WithContext(t.Context()))
	receive(t, begun)
	eventually(t, "the proof, or the cancellation would wait for it", s.conns.current().proof.get().given)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := s.AsyncCall("/h", 1, new(int), nil, message.WithContext(ctx))
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-waiting.Done()
	// The server has read the cancellation when it has refused what comes after.
	last := s.AsyncCall("/h", 2, new(int), nil)
	eventually(t, "the cancellation read", func() bool { return srv.shared.places.handlers.Load() == 3 })
	close(release)
	<-first.Done()
	if <-last.Done(); !last.Status().OK() || executed.Load() != 2 {
		t.Errorf("%v, %d executed, want 2", last.Status(), executed.Load())
	}
}
