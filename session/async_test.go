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
