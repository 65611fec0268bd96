package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/session"
)

func double(_ context.Context, arg *int) (*int, error) {
	n := 2 * *arg
	return &n, nil
}

func TestBatch(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleCall(srv, "/double", double)
	pushed := make(chan int, 10)
	erpc.HandlePush(srv, "/note", func(_ context.Context, arg *int) error {
		pushed <- *arg
		return nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	b := erpc.NewBatch(sess)
	fewest := uint64(100)
	for range 6 { // it can be used again
		var results [20]int
		entries := make([]*erpc.BatchEntry, len(results))
		for i := range results {
			entries[i] = b.Call("/double", &i, &results[i])
		}
		note := 7
		pushing := b.Push("/note", &note)
		if n := b.Len(); n != len(results)+1 {
			t.Errorf("%d entries are prepared", n)
		}
		before := sess.Stats()
		if st := b.Do(t.Context()); !st.OK() {
			t.Fatal(st)
		}
		fewest = min(fewest, sess.Stats().Writes-before.Writes)
		for i, n := range results {
			if n != 2*i || !entries[i].Status().OK() || !entries[i].Cmd().StatusOK() {
				t.Errorf("call %d: %d, %v", i, n, entries[i].Status())
			}
		}
		if got := kit.Await(t, "the push", pushed); got != note || !pushing.Status().OK() || pushing.Cmd() != nil {
			t.Errorf("pushed %d: %v", got, pushing.Status())
		}
	}
	// The reading goroutine also writes queued messages before it waits, so on a
	// busy machine some batches take more writes.
	if fewest != 1 {
		t.Errorf("a batch took %d writes", fewest)
	}
	if st := b.Do(t.Context()); !st.OK() {
		t.Errorf("an empty batch: %v", st)
	}
}

// Each entry has its own status, and its own time.
func TestBatchOutcomes(t *testing.T) {
	srv, addr, _, _ := gated(t, erpc.PeerConfig{})
	erpc.HandleCall(srv, "/double", double)
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	b := erpc.NewBatch(sess)
	arg, text, res := 4, "x", 0
	good := b.Call("/double", &arg, &res)
	none := b.Call("/nothing", &arg, nil)
	slow := b.Call("/wait", &text, &text, erpc.WithTimeout(20*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	if st := b.Do(ctx); st.Code() != erpc.CodeNotFound {
		t.Errorf("the batch says %v", st)
	}
	if !good.Status().OK() || res != 8 {
		t.Errorf("the good call: %v, %d", good.Status(), res)
	}
	if none.Status().Code() != erpc.CodeNotFound || slow.Status().Code() != erpc.CodeHandleTimeout {
		t.Errorf("the others: %v, %v", none.Status(), slow.Status())
	}
	b.Call("/wait", &text, &text)
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if st := b.Do(ctx); st.Code() != erpc.CodeHandleTimeout {
		t.Errorf("a batch that waits too long: %v", st)
	}
	_ = sess.Close()
	closed, pushed := b.Call("/double", &arg, &res), b.Push("/double", &arg)
	_ = b.Do(t.Context())
	if closed.Status().Code() != erpc.CodeConnClosed || pushed.Status().Code() != erpc.CodeConnClosed {
		t.Errorf("on a closed session: %v, %v", closed.Status(), pushed.Status())
	}
}

// standIn is a caller that is not one of our sessions.
type standIn struct{ methods []string }

func (s *standIn) Call(method string, arg, result any, _ ...erpc.MessageSetting) erpc.CallCmd {
	s.methods = append(s.methods, "call "+method)
	return erpc.NewFakeCallCmd(method, arg, result, erpc.NewStatus(9, "refused"))
}

func (s *standIn) AsyncCall(method string, arg, result any, _ chan<- erpc.CallCmd, set ...erpc.MessageSetting) erpc.CallCmd {
	return s.Call(method, arg, result, set...)
}

func (s *standIn) Push(method string, _ any, _ ...erpc.MessageSetting) *erpc.Status {
	s.methods = append(s.methods, "push "+method)
	return nil
}

func TestBatchOfAStandIn(t *testing.T) {
	var s standIn
	b := erpc.NewBatch(&s)
	b.Push("/a", nil)
	call := b.Call("/b", nil, nil)
	if st := b.Do(t.Context()); st.Code() != 9 || call.Status().Code() != 9 {
		t.Errorf("the batch says %v", st)
	}
	call.Cmd().Cancel() // it has ended
	if len(s.methods) != 2 || s.methods[0] != "push /a" || s.methods[1] != "call /b" {
		t.Errorf("sent: %q", s.methods)
	}
}

func TestCancel(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	begun, ended := make(chan struct{}, 1), make(chan error, 1)
	erpc.HandleCall(srv, "/wait", func(ctx context.Context, _ *int) (*int, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	erpc.HandleCall(srv, "/double", double)
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	arg, res := 1, 0
	if st := sess.Call("/double", &arg, &res, erpc.WithCancel()).Status(); !st.OK() { // the sides exchange hellos
		t.Fatal(st)
	}
	done := make(chan erpc.CallCmd, 2)
	cmd := sess.AsyncCall("/wait", &arg, &res, done, erpc.WithCancel())
	kit.Await(t, "the handler to begin", begun)
	cmd.Cancel()
	cmd.Cancel()
	if got := kit.Await(t, "the call to end", done); got != cmd || cmd.Status().Code() != erpc.CodeCanceled {
		t.Errorf("a cancelled call: %v", cmd.Status())
	}
	if err := kit.Await(t, "the handler to end", ended); err == nil {
		t.Error("the context of the handler has no cause")
	}
	if n := sess.Stats().Pending; n != 0 {
		t.Errorf("%d calls are pending", n)
	}
	cmd = sess.AsyncCall("/double", &arg, &res, nil)
	if st := cmd.Status(); !st.OK() {
		t.Fatal(st)
	}
	cmd.Cancel() // too late to matter
	if st := cmd.Status(); !st.OK() || len(done) > 0 {
		t.Errorf("a call that was cancelled after its end: %v", st)
	}
	sess.Call("/double", &arg, &res).Cancel() // nothing to do
}

// A call that waits for a redial can be cancelled too.
func TestCancelWhileRedialing(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Minute})
	_ = srv.Close()
	arg := 1
	for end := time.Now().Add(kit.Bound); sess.(*session.Engine).State() != session.Redialing; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the session does not redial")
		}
	}
	cmd := sess.AsyncCall("/double", &arg, nil, nil)
	select {
	case <-cmd.Done():
		t.Fatalf("it does not wait: %v", cmd.Status())
	case <-time.After(20 * time.Millisecond):
	}
	cmd.Cancel()
	kit.Await(t, "the cancelled call", cmd.Done())
	if cmd.Status().Code() != erpc.CodeCanceled {
		t.Errorf("status %v", cmd.Status())
	}
}

func TestCallTimeouts(t *testing.T) {
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	cases := []struct {
		name     string
		settings []erpc.MessageSetting
		least    time.Duration
		most     time.Duration
	}{
		{"of the peer", nil, 0, 50 * time.Millisecond},
		{"shorter", []erpc.MessageSetting{erpc.WithTimeout(10 * time.Millisecond)}, 0, 10 * time.Millisecond},
		{"longer", []erpc.MessageSetting{erpc.WithTimeout(80 * time.Millisecond)}, 51 * time.Millisecond, 80 * time.Millisecond},
		{"of the context", []erpc.MessageSetting{erpc.WithContext(soon)}, 0, 100 * time.Millisecond},
		{"of the context, which is sooner", []erpc.MessageSetting{erpc.WithContext(soon), erpc.WithTimeout(time.Hour)}, 0, 100 * time.Millisecond},
	}
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleCall(srv, "/wait", func(ctx context.Context, i *int) (*int, error) {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > cases[*i].most {
			t.Errorf("%s: the handler has until %v", cases[*i].name, end)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{CallTimeout: 50 * time.Millisecond})
	for i, c := range cases {
		start := time.Now()
		st := sess.Call("/wait", &i, nil, c.settings...).Status()
		if took := time.Since(start); st.Code() != erpc.CodeHandleTimeout || took < c.least {
			t.Errorf("%s: %v after %v", c.name, st, took)
		}
	}
	arg := 0 // the peer's
	async := sess.AsyncCall("/wait", &arg, nil, nil)
	kit.Await(t, "the end of an asynchronous call", async.Done())
	if st := async.Status(); st.Code() != erpc.CodeHandleTimeout {
		t.Errorf("asynchronous, of the peer: %v", st)
	}
	if st := sess.Push("/nobody", &arg, erpc.WithTimeout(time.Nanosecond)); !st.OK() && !errors.Is(st.Err(), context.DeadlineExceeded) {
		t.Errorf("a push: %v", st)
	}
}
