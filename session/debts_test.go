package session

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/goerpc/erpc/message"
)

func refusal(seq int32) debt {
	return debt{what: debtRefusal, code: message.CodeExhausted, seq: seq, cause: errTooManyHandlers}
}

// TestRefusalsOfAFloodAreFewDebts: calls that are refused roughly in the order of
// their numbers take almost no memory, and each is refused once.
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

// TestDebtsWhilePaid adds and pays debts at random, and compares them with a plain
// list.
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

// TestRefusalsThatDiffer: they are not merged.
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

// TestManyCancellationsKeepTheConnection: debts that this side causes itself do
// not end the connection.
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

// A fakePayer settles debts as long as it has room.
type fakePayer struct {
	room    int
	settled []debt
	wake    func() // called when there is room again; nil: nobody waits for that
	late    bool   // room comes just before whenRoom
	during  func() // called while the next debt is settled; may be nil
	flushes int
}

func (p *fakePayer) settle(d debt) bool {
	if p.room == 0 {
		return false
	}
	p.room--
	p.settled = append(p.settled, d)
	if f := p.during; f != nil {
		p.during = nil
		f()
	}
	return true
}

func (p *fakePayer) whenRoom(f func()) bool {
	if p.late {
		p.late, p.room = false, 1
		return false
	}
	p.wake = f
	return true
}

func (p *fakePayer) flush() { p.flushes++ }

// TestDebtsArePaid: debts are paid at once if there is room, else when there is
// room again.
func TestDebtsArePaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var o debts
		p := &fakePayer{room: 2}
		owe := func(from, to int32) {
			for seq := from; seq <= to; seq++ {
				if !o.owe(debt{what: debtCancel, seq: seq}, p) {
					t.Fatalf("no place for debt %d", seq)
				}
			}
		}
		paid := func(n int) {
			t.Helper()
			for i, d := range p.settled {
				if d.seq != int32(i+1) {
					t.Errorf("debt %d is paid in place of %d", d.seq, i+1)
				}
			}
			if len(p.settled) != n {
				t.Errorf("%d debts are paid, want %d", len(p.settled), n)
			}
		}
		owe(1, 2)
		paid(2)
		if !o.empty() || p.wake != nil {
			t.Error("something is owed")
		}
		owe(3, 5)
		paid(2)
		if o.empty() || p.wake == nil {
			t.Fatal("nobody waits for room")
		}
		p.room = 2
		p.wake()
		synctest.Wait()
		paid(4)
		if p.flushes != 1 {
			t.Errorf("%d flushes of what is paid later, want one", p.flushes)
		}
		p.room = 10
		p.wake()
		synctest.Wait()
		paid(5)
		p.room, p.late, p.wake = 0, true, nil
		owe(6, 6) // room comes while it begins to wait
		paid(6)
		if !o.empty() || p.wake != nil {
			t.Error("something is owed still")
		}
	})
}

// TestDebtsOfOthersAreFlushed: a goroutine that pays what others owe meanwhile also
// flushes it. The one that reads owes a refusal, sees that another goroutine pays, and
// may have flushed already when that settles it.
func TestDebtsOfOthersAreFlushed(t *testing.T) {
	var o debts
	p := &fakePayer{room: 10}
	p.during = func() { o.owe(refusal(1), p) }
	o.owe(debt{what: debtGoAway}, p)
	if len(p.settled) != 2 || p.flushes != 1 {
		t.Errorf("%d debts are paid and %d times flushed, want 2 and once", len(p.settled), p.flushes)
	}
	o.owe(refusal(2), p)
	if len(p.settled) != 3 || p.flushes != 1 {
		t.Errorf("%d debts are paid and %d times flushed: a goroutine that pays its own flushes itself", len(p.settled), p.flushes)
	}
}

// TestTooManyDebts: whoever owes one too many is told.
func TestTooManyDebts(t *testing.T) {
	var o debts
	p := new(fakePayer)
	for n := range int32(maxDebts) {
		if !o.owe(debt{what: debtHello, seq: n}, p) {
			t.Fatalf("no place for debt %d", n)
		}
	}
	if o.owe(debt{what: debtHello}, p) {
		t.Error("there is a place above the bound")
	}
}
