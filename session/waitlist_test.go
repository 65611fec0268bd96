package session

import (
	"math/rand/v2"
	"testing"
)

// TestWaitlistAgainstAQueue does the same to a waitlist and to a plain queue.
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

func TestDebtsAreAQueue(t *testing.T) {
	var o debts
	if _, ok := o.next(); ok || !o.empty() {
		t.Error("something is owed from the beginning")
	}
	for i := range int32(maxDebts) {
		ok, pay := o.add(debt{what: debtHello, seq: i})
		if !ok || pay != (i == 0) {
			t.Fatalf("debt %d: ok %v, pay %v", i, ok, pay)
		}
	}
	if ok, pay := o.add(debt{}); ok || pay {
		t.Error("there is room above the bound")
	}
	for i := range int32(maxDebts) {
		if d, ok := o.next(); !ok || d.seq != i {
			t.Fatalf("debt %d is %v, %v", i, d, ok)
		}
		o.paid()
	}
	if _, ok := o.next(); ok || !o.empty() {
		t.Error("something is owed still")
	}
	if _, pay := o.add(debt{}); !pay {
		t.Error("nobody pays")
	}
}
