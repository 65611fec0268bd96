package session

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/goerpc/erpc/message"
)

// TestWaitlistAgainstAQueue takes the same steps on a waitlist and on a plain
// queue.
func TestWaitlistAgainstAQueue(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		var w waitlist
		var queue []*CallCmd
		sending := false
		for range 500 {
			switch r.IntN(4) {
			case 0, 1:
				cmd := newAsyncCall(nil, nil, nil)
				ok, start := w.add(waitingCall{cmd: cmd})
				if !ok || start == sending {
					t.Fatalf("seed %d: ok %v, start %v while sending is %v", seed, ok, start, sending)
				}
				sending = true
				queue = append(queue, cmd)
			case 2:
				if !sending {
					continue
				}
				c, ok := w.next()
				if ok != (len(queue) > 0) || ok && c.cmd != queue[0] {
					t.Fatalf("seed %d: out of order", seed)
				}
				if sending = ok; ok {
					queue = queue[1:]
				}
			default:
				if len(queue) == 0 {
					continue
				}
				i := r.IntN(len(queue))
				cmd := queue[i]
				if c, ok := w.remove(cmd); !ok || c.cmd != cmd {
					t.Fatalf("seed %d: a call that waits was not removed", seed)
				}
				if _, ok := w.remove(cmd); ok {
					t.Fatalf("seed %d: removed twice", seed)
				}
				queue = append(queue[:i:i], queue[i+1:]...)
			}
			if w.len() != len(queue) || w.busy() != sending {
				t.Fatalf("seed %d: %d wait, want %d; busy %v, want %v", seed, w.len(), len(queue), w.busy(), sending)
			}
		}
	}
}

func TestWaitlistIsBounded(t *testing.T) {
	var w waitlist
	for i := range maxWaitingCalls {
		if ok, _ := w.add(waitingCall{cmd: newAsyncCall(nil, nil, nil)}); !ok {
			t.Fatalf("no room for call %d", i)
		}
	}
	if ok, start := w.add(waitingCall{cmd: newAsyncCall(nil, nil, nil)}); ok || start {
		t.Error("there is room above the bound")
	}
}

// A fakeSender notes the calls that it gets. It ends its goroutine at those of exit.
type fakeSender struct {
	sent chan *CallCmd
	exit map[*CallCmd]bool
	hold chan struct{} // not nil: a call is sent when it is closed
}

func (s *fakeSender) sendAsync(cmd *CallCmd, x *exchange, _ sendMode) *conn {
	if s.hold != nil {
		<-s.hold
	}
	s.sent <- cmd
	if s.exit[cmd] {
		runtime.Goexit()
	}
	return nil
}

// TestWaitlistSends: calls are sent one after another, in their order, also when a
// hook ends the goroutine that sends.
func TestWaitlistSends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const calls = 10
		by := &fakeSender{sent: make(chan *CallCmd, calls), exit: map[*CallCmd]bool{}, hold: make(chan struct{})}
		var w waitlist
		var want []*CallCmd
		for i := range calls {
			cmd := newAsyncCall(nil, nil, nil)
			by.exit[cmd] = i%3 == 0
			want = append(want, cmd)
			w.sendLater(cmd, getExchange(&conn{shared: new(Shared)}, roleOutgoing), by)
		}
		close(by.hold)
		synctest.Wait()
		close(by.sent)
		var got []*CallCmd
		for cmd := range by.sent {
			got = append(got, cmd)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d calls were sent, or not in their order", len(got))
		}
		if w.busy() || w.len() != 0 {
			t.Errorf("busy is %v, %d calls wait", w.busy(), w.len())
		}
	})
}

// TestAbortedWhileItWaits: a call that is aborted leaves the list and ends; one
// that was aborted before it joins does not stay.
func TestAbortedWhileItWaits(t *testing.T) {
	var w waitlist
	w.sending = true // as if by a goroutine that has not come to them yet
	outgoing := func() *exchange { return getExchange(&conn{shared: new(Shared)}, roleOutgoing) }
	waits, aborted := newAsyncCall(nil, nil, nil), newAsyncCall(nil, nil, nil)
	w.sendLater(waits, outgoing(), nil)
	waits.async.aborted = statusCanceled()
	w.abort(waits)
	w.abort(waits) // does nothing
	aborted.async.aborted = statusCanceled()
	w.sendLater(aborted, outgoing(), nil)
	for name, cmd := range map[string]*CallCmd{"aborted in the list": waits, "aborted before": aborted} {
		if st := cmd.Status(); st.Code() != message.CodeCanceled {
			t.Errorf("%s: %v", name, st)
		}
	}
	if w.len() != 0 {
		t.Errorf("%d calls wait", w.len())
	}
}
