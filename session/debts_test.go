package session

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goerpc/erpc/message"
)

func refusal(seq int32) debt {
	return debt{what: debtRefusal, code: message.CodeExhausted, seq: seq, cause: errTooManyHandlers}
}

// TestRefusalsOfAFloodAreFewDebts: calls that are refused in about the order of
// their numbers take next to no memory, and each is refused once.
func TestRefusalsOfAFloodAreFewDebts(t *testing.T) {
	for _, c := range []struct {
		name   string
		spread int // how far a call may come from its place
		most   int // debts
	}{
		{"in order", 1, 2},
		{"two senders", 2, 4},
		{"several senders", 6, 400},
	} {
		rnd := rand.New(rand.NewPCG(uint64(c.spread), 1))
		const calls = 100_000
		seqs := make([]int32, calls)
		for i := range seqs {
			seqs[i] = int32(i + 1)
		}
		for at := 0; at+c.spread <= calls; at += c.spread {
			rnd.Shuffle(c.spread, func(i, j int) { seqs[at+i], seqs[at+j] = seqs[at+j], seqs[at+i] })
		}
		var o debts
		for _, seq := range seqs {
			if ok, _ := o.add(refusal(seq)); !ok {
				t.Fatalf("%s: no room", c.name)
			}
		}
		if n := len(o.list); n > c.most {
			t.Errorf("%s: %d debts", c.name, n)
		}
		var paid [calls + 1]bool
		for range calls {
			d, ok := o.next()
			if !ok || paid[d.seq] {
				t.Fatalf("%s: %d is refused: %v, before: %v", c.name, d.seq, ok, paid[d.seq])
			}
			paid[d.seq] = true
			o.paid()
		}
		if _, ok := o.next(); ok {
			t.Errorf("%s: more is owed", c.name)
		}
	}
}

// TestDebtsWhilePaid adds and pays at random, next to a list of what is owed.
func TestDebtsWhilePaid(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var o debts
		model := map[debt]int{}
		owed := 0
		causes := []error{errTooManyHandlers, errTooManyBytes}
		for step := range 20_000 {
			if rnd.IntN(5) > 0 || owed == 0 {
				d := debt{what: debtKind(rnd.IntN(2)), seq: int32(step/3 + rnd.IntN(10))}
				if d.what == debtRefusal {
					d.code, d.cause = message.CodeExhausted, causes[rnd.IntN(20)/19]
				}
				if ok, _ := o.add(d); !ok {
					t.Fatal("no room")
				}
				model[d]++
				owed++
				continue
			}
			for range 1 + rnd.IntN(10) {
				d, ok := o.next() // somebody pays, and more is owed meanwhile
				if !ok {
					break
				}
				e := refusal(d.seq + 1)
				if d.what == debtRefusal && rnd.IntN(4) == 0 {
					o.add(e)
					model[e]++
					owed++
				}
				o.paid()
				d.more = 0
				if model[d]--; model[d] < 0 {
					t.Fatalf("seed %d, step %d: %+v is paid and not owed", seed, step, d)
				}
				owed--
			}
		}
		for {
			d, ok := o.next()
			if !ok {
				break
			}
			o.paid()
			d.more = 0
			model[d]--
		}
		for d, n := range model {
			if n != 0 {
				t.Fatalf("seed %d: %+v is owed %d times still", seed, d, n)
			}
		}
	}
}

// TestRefusalsThatDiffer are not a run.
func TestRefusalsThatDiffer(t *testing.T) {
	other := refusal(3)
	other.cause = errors.New("another")
	code := refusal(4)
	code.code = message.CodeShuttingDown
	var o debts
	for _, d := range []debt{refusal(1), refusal(2), other, code, {what: debtCancel, seq: 5}, {what: debtCancel, seq: 6}, refusal(math.MaxInt32), refusal(math.MinInt32)} {
		o.add(d)
	}
	if len(o.list) != 8 {
		t.Errorf("%d debts: %+v", len(o.list), o.list)
	}
	long := refusal(1)
	long.more = maxRun
	o = debts{}
	o.add(refusal(math.MaxInt32)) // is being paid
	o.add(long)
	o.add(refusal(maxRun + 2))
	if len(o.list) != 3 {
		t.Errorf("a run has no end: %+v", o.list)
	}
}

// TestManyCancellationsKeepTheConnection: what this side owes by its own doing is
// not held against the other.
func TestManyCancellationsKeepTheConnection(t *testing.T) {
	var o debts
	for n := range int32(2 * maxDebts) {
		if ok, _ := o.add(debt{what: debtCancel, seq: n}); !ok {
			t.Fatalf("cancellation %d ends the connection", n)
		}
	}
	if ok, _ := o.add(debt{what: debtBye}); !ok || len(o.list) != maxOwedCancels+1 {
		t.Errorf("%d debts, ok %v", len(o.list), ok)
	}
}
