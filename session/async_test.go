package session

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// TestOneEndOfAnAsyncCall: the caller, the context, the reply and the end of the
// session race to end a call. It ends once, and is delivered once.
func TestOneEndOfAnAsyncCall(t *testing.T) {
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
	for round := range 100 {
		s := srv.connect(1, nil)
		there := srv.next()
		ctx, cancel := context.WithCancel(t.Context())
		ch := make(chan *CallCmd, 3)
		cmd := s.AsyncCall("/h", 1, new(int), ch, message.WithContext(ctx))
		var wg sync.WaitGroup
		wg.Go(cmd.Cancel)
		wg.Go(cancel)
		if round%2 == 0 {
			wg.Go(func() { there.End(nil) })
		}
		within(t, "the call", func() { cmd.Status() })
		wg.Wait()
		if got := receive(t, ch); got != cmd {
			t.Fatal("another call was delivered")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(ch) > 0 {
			t.Fatal("delivered twice")
		}
	}
}

func TestResultsAreDeliveredAfterTheEnd(t *testing.T) {
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })}, nil)
	s := srv.connect(0, nil)
	const calls = 100
	ch := make(chan *CallCmd) // without room
	for n := range calls {
		s.AsyncCall("/h", n, new(int), ch)
	}
	time.Sleep(time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range calls {
		receive(t, ch)
	}
}

// asyncUnit is an asynchronous call in flight on a unit whose other side is proven.
func asyncUnit(t *testing.T) (*unit, *CallCmd, int32) {
	t.Helper()
	u := newUnit(t, callRoute{}, nil)
	u.prove()
	cmd := newAsyncCall(u.sess, nil, nil)
	seq, inFlight, aborted := cmd.enter(u.conn)
	if inFlight != 1 || aborted != nil {
		t.Fatalf("%d in flight, aborted %v", inFlight, aborted)
	}
	return u, cmd, seq
}

func hasEnded(cmd *CallCmd) bool {
	select {
	case <-cmd.Done():
		return true
	default:
		return false
	}
}

// A reply that has taken the call out of the table ends it, not whoever cancels it
// at the same time.
func TestCancelThatComesTooLate(t *testing.T) {
	u, cmd, seq := asyncUnit(t)
	if _, ours := u.pending.get().Take(seq); !ours {
		t.Fatal("the call is not in the table")
	}
	cmd.Cancel()
	if hasEnded(cmd) {
		t.Fatal("it is ended by somebody who does not have it")
	}
	u.sentNothing("the other side has answered")
	cmd.finish(nil)
	if st := cmd.Status(); !st.OK() {
		t.Errorf("it ends with %v", st)
	}
}

// The last call of a connection whose other side leaves may be one that is cancelled.
func TestCancelOfTheLastCall(t *testing.T) {
	u, cmd, seq := asyncUnit(t)
	u.leave()
	u.sentNothing("a call is in flight")
	cmd.Cancel()
	if st := cmd.Status(); st.Code() != message.CodeCanceled {
		t.Errorf("it ends with %v", st)
	}
	all := u.sent()
	if len(all) != 2 || all[0].ServiceMethod() != controlCancel || all[0].Seq() != seq || all[1].ServiceMethod() != controlBye {
		t.Errorf("sent %v, want the cancellation of %d and a bye", all, seq)
	}
}

// What bounds the call in time is released when it ends.
func TestEndOfAnAsyncCallReleasesItsContext(t *testing.T) {
	u, cmd, seq := asyncUnit(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	released := 0
	cmd.endWith(ctx, func() { released++ })
	if _, ours := u.pending.get().Take(seq); !ours {
		t.Fatal("the call is not in the table")
	}
	cmd.finish(nil)
	if released != 1 {
		t.Errorf("its context was released %d times", released)
	}
	cancel()
	if st := cmd.Status(); !st.OK() {
		t.Errorf("the end of its context changes its end: %v", st)
	}
}

// A call that was cancelled is not sent again, though it was not executed.
func TestCancelledCallIsNotResent(t *testing.T) {
	u, cmd, seq := asyncUnit(t)
	cmd.resendable = true
	if _, ours := u.pending.get().Take(seq); !ours {
		t.Fatal("the call is not in the table")
	}
	cmd.Cancel()
	cmd.finish(Refusal(newStatus(message.CodeShuttingDown, ErrShutdown)))
	if !hasEnded(cmd) {
		t.Error("it is sent again")
	}
	u.want()
}
