package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// TestProofAgainstItsModel takes random steps on a proof: one caller at a time
// makes an offer, the first proof is reported once, and the cancellations that
// could not be sent before are returned once, at most as many as are kept.
func TestProofAgainstItsModel(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var p proof
		state, offered := proofNone, int32(0)
		var cancels []int32
		for step := range 300 {
			switch rnd.IntN(6) {
			case 0:
				if got, want := p.begin(), state == proofNone; got != want {
					t.Fatalf("seed %d, step %d: begin is %v in %v", seed, step, got, state)
				} else if want {
					state = proofOffering
				}
			case 1:
				if p.queued != nil {
					offered = minProofSeq + rnd.Int32N(100)
					p.offer(offered)
				}
			case 2:
				if p.queued != nil {
					sent := rnd.IntN(3) > 0
					p.finish(sent)
					if state == proofOffering {
						state = map[bool]proofState{true: proofOffered, false: proofNone}[sent]
					}
				}
			case 3:
				seq := minProofSeq + rnd.Int32N(100)
				if got, want := p.answers(seq), offered != 0 && seq == offered; got != want {
					t.Fatalf("seed %d, step %d: %d answers %d: %v", seed, step, seq, offered, got)
				}
			case 4:
				seq := rnd.Int32()
				if got, want := p.cancel(seq), state == proofGiven; got != want {
					t.Fatalf("seed %d, step %d: cancel is %v in %v", seed, step, got, state)
				} else if !want && len(cancels) < maxUnsentCancels {
					cancels = append(cancels, seq)
				}
			case 5:
				if rnd.IntN(40) > 0 {
					continue
				}
				got, first := p.give()
				if first != (state != proofGiven) || !slices.Equal(got, cancels) {
					t.Fatalf("seed %d, step %d: first is %v in %v, cancels %v, want %v", seed, step, first, state, got, cancels)
				}
				state, cancels = proofGiven, nil
			}
			if p.state.state() != state || p.given() != (state == proofGiven) {
				t.Fatalf("seed %d, step %d: it is %v, want %v", seed, step, p.state.state(), state)
			}
		}
	}
}

// TestOneOffer: one of many callers offers. The others wait until its call is
// queued or their context ends.
func TestOneOffer(t *testing.T) {
	var p proof
	var offers atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if p.begin() {
				offers.Add(1)
				return
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			p.await(ctx) // returns, though the offer is never sent
		})
	}
	within(t, "the callers", wg.Wait)
	if offers.Load() != 1 {
		t.Fatalf("%d offers", offers.Load())
	}
	released := make(chan struct{})
	go func() {
		defer close(released)
		p.await(context.Background())
	}()
	select {
	case <-released:
		t.Error("a call overtakes the offer")
	case <-time.After(10 * time.Millisecond):
	}
	p.finish(true)
	receive(t, released)
	p.await(context.Background()) // nothing is left to wait for
}

// TestWhoOffers: which call on a connection carries the offer.
func TestWhoOffers(t *testing.T) {
	marked := message.New(WithTimeout(time.Hour))
	forwarded := func() *message.Message {
		return message.New(WithTimeout(time.Hour), message.WithSetMeta(metaHello, "17000000"))
	}
	for _, c := range []struct {
		name        string
		m           *message.Message
		state       func(*proof)
		replaceable bool
		offers      bool
	}{
		{"a call without a deadline", message.New(), nil, false, false},
		{"one of a session that redials", message.New(), nil, true, true},
		{"a call with a deadline", marked, nil, false, true},
		{"one that was sent before", forwarded(), nil, false, true},
		{"after the offer", marked, func(p *proof) { p.begin(); p.finish(true) }, true, false},
		{"after an offer that was not sent", marked, func(p *proof) { p.begin(); p.finish(false) }, false, true},
		{"after the proof", marked, func(p *proof) { p.give() }, true, false},
		{"one that was sent before, after the proof", forwarded(), func(p *proof) { p.give() }, true, false},
	} {
		u := newUnit(t, callRoute{}, nil)
		u.setReplaceable(c.replaceable)
		if c.state != nil {
			c.state(u.proof.get())
		}
		if got := u.offerProof(c.m); got != c.offers {
			t.Errorf("%s: offers %v", c.name, got)
		}
		if c.m.Meta().Has(metaHello) {
			t.Errorf("%s: somebody else's offer is sent", c.name)
		}
		if seq := u.pending.get().Next(); c.offers != (seq >= minProofSeq) {
			t.Errorf("%s: the number is %d", c.name, seq)
		}
	}
}

// TestOfferedNumber: the metadata of an offer has the number of the call, and a
// timeout even if the call has none.
func TestOfferedNumber(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	for _, c := range []struct {
		m       *message.Message
		timeout string
	}{
		{message.New(), "0"},
		{message.New(WithTimeout(time.Second)), "1000"},
	} {
		u.proof.get().carry(c.m, 20_000_000)
		if hello, timeout := c.m.Meta().Get(metaHello), c.m.Meta().Get(MetaTimeout); hello != "20000000" || timeout != c.timeout {
			t.Errorf("hello %q, timeout %q, want %q", hello, timeout, c.timeout)
		}
		if !u.proof.get().answers(20_000_000) || u.proof.get().answers(20_000_001) {
			t.Error("the offer is not that number")
		}
	}
}

// TestAcceptedOffers: a callee says hello once, to a call whose metadata has its
// number, and not to one that may be forged or passed on.
func TestAcceptedOffers(t *testing.T) {
	for _, c := range []struct {
		name  string
		seq   int32
		hello string
		given bool
	}{
		{"no offer", minProofSeq, "", false},
		{"an offer", minProofSeq, "16777216", true},
		{"with more behind a space", minProofSeq + 7, "16777223 x", true},
		{"of another call", minProofSeq + 1, "16777216", false},
		{"of a number that calls have that are counted", 12, "12", false},
		{"the largest that may be counted on from an offer", maxProofSeq + minProofSeq - 1, "1090519039", true},
		{"above", maxProofSeq + minProofSeq, "1090519040", false},
	} {
		u := newUnit(t, callRoute{}, nil)
		m := message.New()
		m.SetSeq(c.seq)
		if c.hello != "" {
			m.Meta().Set(metaHello, c.hello)
		}
		u.acceptOffer(m)
		u.acceptOffer(m) // a second time says nothing
		if u.proof.peek().given() != c.given {
			t.Errorf("%s: given is %v", c.name, u.proof.peek().given())
		}
		if !c.given {
			u.sentNothing(c.name)
			continue
		}
		if h := u.sentOne(); h.ServiceMethod() != controlHello || h.Mtype() != message.TypePush || h.Seq() != c.seq || h.Meta().Get(metaHello) != seqText(c.seq) {
			t.Errorf("%s: hello is %v", c.name, h)
		}
	}
}

// TestControlOfAStranger: nothing but a hello that answers an offer has an effect
// before the proof.
func TestControlOfAStranger(t *testing.T) {
	for _, method := range []string{controlCancel, controlGoAway, controlBye, controlEnd, controlPrefix + "later", controlPrefix} {
		u := newUnit(t, callRoute{}, nil)
		d := &deadline{conn: u.conn, seq: 5}
		d.ctx, d.cancel = context.WithCancelCause(t.Context())
		u.deadlines.get().add(d, true)
		u.goaway.local.move(localServing, localDraining)
		u.goaway.local.move(localDraining, localTold)
		if out := u.accept(message.TypePush, 5, method, nil, message.WithSetMeta(metaEnd, "1 102 x")); !out.keep || !out.read {
			t.Errorf("%s: outcome %+v", method, out)
		}
		u.want()
		u.sentNothing(method)
		if d.ctx.Err() != nil || u.goaway.local.state() != localTold {
			t.Errorf("%s: context %v, state %v", method, d.ctx.Err(), u.goaway.local.state())
		}
		d.end()
	}
}

// TestControlOfAProvenSide: what each control message does.
func TestControlOfAProvenSide(t *testing.T) {
	for _, c := range []struct {
		method string
		meta   string
		told   []string
	}{
		{controlCancel, "", nil},
		{controlGoAway, "", []string{"leaving"}},
		{controlBye, "", nil},
		{controlEnd, "1 102 too many", []string{"ended: too many"}},
		{controlEnd, "garbage", nil},
		{controlEnd, "", nil},
		{controlPrefix + "later", "", nil},
	} {
		u := newUnit(t, callRoute{}, nil)
		u.prove()
		d := &deadline{conn: u.conn, seq: 5}
		d.ctx, d.cancel = context.WithCancelCause(t.Context())
		u.deadlines.get().add(d, true)
		u.goaway.local.move(localServing, localDraining)
		u.goaway.local.move(localDraining, localTold)
		u.accept(message.TypePush, 5, c.method, nil, message.WithSetMeta(metaEnd, c.meta))
		var got []string
		if len(c.told) > 0 {
			eventually(t, "the session is told", func() bool {
				got = append(got, u.told.told()...)
				return len(got) >= len(c.told)
			})
		}
		if got = append(got, u.told.told()...); !slices.Equal(got, c.told) {
			t.Errorf("%s %q: the session was told %q, want %q", c.method, c.meta, got, c.told)
		}
		if canceled := errors.Is(context.Cause(d.ctx), errCanceled); canceled != (c.method == controlCancel) {
			t.Errorf("%s: the handler's context ended with %v", c.method, context.Cause(d.ctx))
		}
		if got, want := u.goaway.local.state() == localAcknowledged, c.method == controlBye; got != want {
			t.Errorf("%s: acknowledged is %v", c.method, got)
		}
		d.end()
	}
}

// TestHelloThatNobodyAskedFor: it proves nothing; the answer to an offer does.
func TestHelloThatNobodyAskedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		offer int32
		seq   int32
		meta  string
		given bool
	}{
		{"without an offer", 0, 0, "0", false},
		{"another number", minProofSeq, minProofSeq + 1, seqText(minProofSeq + 1), false},
		{"another number in its metadata", minProofSeq, minProofSeq, seqText(minProofSeq + 1), false},
		{"no metadata", minProofSeq, minProofSeq, "", false},
		{"the answer", minProofSeq, minProofSeq, seqText(minProofSeq), true},
	} {
		u := newUnit(t, callRoute{}, nil)
		if c.offer != 0 {
			u.proof.get().begin()
			u.proof.get().offer(c.offer)
			u.proof.get().finish(true)
		}
		u.cancelRemote(3)
		u.sentNothing("a side that is not proven")
		u.accept(message.TypePush, c.seq, controlHello, nil, message.WithSetMeta(metaHello, c.meta))
		if u.proof.peek().given() != c.given {
			t.Errorf("%s: given is %v", c.name, u.proof.peek().given())
		}
		if !c.given {
			u.sentNothing(c.name)
			continue
		}
		if m := u.sentOne(); m.ServiceMethod() != controlCancel || m.Seq() != 3 {
			t.Errorf("the cancellation that waited is %v", m)
		}
	}
}

// TestDebtsAgainstAQueue takes the same random steps on debts and on a plain queue.
func TestDebtsAgainstAQueue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 4))
	var o debts
	var model []int32
	paying := false
	for step := range 5000 {
		switch {
		case rnd.IntN(2) == 0:
			ok, pay := o.add(debt{seq: int32(step)})
			if !ok || pay == paying {
				t.Fatalf("step %d: ok %v, pay %v while somebody pays: %v", step, ok, pay, paying)
			}
			paying = true
			model = append(model, int32(step))
		case paying:
			d, ok := o.next()
			if ok != (len(model) > 0) {
				t.Fatalf("step %d: next is %v with %d owed", step, ok, len(model))
			}
			if !ok {
				paying = false
				continue
			}
			if d.seq != model[0] {
				t.Fatalf("step %d: %d is paid, want %d", step, d.seq, model[0])
			}
			o.paid()
			model = model[1:]
		}
		if o.empty() != (len(model) == 0 && !paying) {
			t.Fatalf("step %d: empty is %v", step, o.empty())
		}
	}
}

func TestDebtsAreBounded(t *testing.T) {
	var o debts
	for n := range maxDebts {
		if ok, pay := o.add(debt{}); !ok || pay != (n == 0) {
			t.Fatalf("debt %d: ok %v, pay %v", n, ok, pay)
		}
	}
	if ok, pay := o.add(debt{}); ok || pay {
		t.Errorf("one more: ok %v, pay %v", ok, pay)
	}
}

// TestWhatIsOwed: each kind of debt as the other side gets it.
func TestWhatIsOwed(t *testing.T) {
	for _, c := range []struct {
		d      debt
		mtype  byte
		method string
		meta   string // key=value
	}{
		{debt{what: debtRefusal, code: message.CodeExhausted, seq: 9, cause: errTooManyHandlers}, message.TypeReply, "", metaRefused + "=9"},
		{debt{what: debtHello, seq: 9}, message.TypePush, controlHello, metaHello + "=9"},
		{debt{what: debtCancel, seq: 9}, message.TypePush, controlCancel, ""},
		{debt{what: debtGoAway}, message.TypePush, controlGoAway, ""},
		{debt{what: debtBye}, message.TypePush, controlBye, ""},
		{debt{what: debtEnd, text: "1 102 why"}, message.TypePush, controlEnd, metaEnd + "=1 102 why"},
		{debt{what: debtCaps, seq: 9}, message.TypeReply, "", metaCaps + "=" + formatCaps(supportedByUs, 9)},
		{debt{what: debtStreamEnd, seq: -9, st: newStatus(message.CodeExhausted, errTooManyStreams)}, message.TypeStreamEnd, "", ""},
		{debt{what: debtDrain, seq: -9}, message.TypePush, controlDrain, ""},
	} {
		u := newUnit(t, callRoute{}, nil)
		u.prove()
		u.owe(c.d)
		m := u.sentOne()
		if m.Mtype() != c.mtype || m.ServiceMethod() != c.method || m.Seq() != c.d.seq {
			t.Errorf("%+v is %v", c.d, m)
		}
		if key, value, ok := strings.Cut(c.meta, "="); ok && m.Meta().Get(key) != value || !ok && m.Meta().Len() > 0 {
			t.Errorf("%+v has the metadata %v", c.d, m.Meta())
		}
		if c.d.what == debtRefusal && (m.Status().Code() != c.d.code || m.Status().Cause().Error() != c.d.cause.Error()) {
			t.Errorf("the refusal is %v", m.Status())
		}
		if !u.debts.get().empty() {
			t.Errorf("%+v is owed still", c.d)
		}
	}
}

// TestDebtsWaitForRoom: debts to a side that does not read are kept in order, and
// sent when it reads.
func TestDebtsWaitForRoom(t *testing.T) {
	u := newUnit(t, callRoute{}, func(sh *Shared) { sh.Socket = socket.Config{QueueLimit: 4 << 10}.Complete() })
	u.net.block()
	const owed = 2000
	for n := range owed {
		u.owe(debt{what: debtCancel, seq: int32(n + 1)})
	}
	if u.debts.get().empty() {
		t.Fatal("everything found room")
	}
	u.net.unblock()
	eventually(t, "the debts are paid", u.debts.get().empty)
	got := u.sent()
	if len(got) != owed {
		t.Fatalf("%d of %d were sent", len(got), owed)
	}
	for n, m := range got {
		if m.Seq() != int32(n+1) {
			t.Fatalf("number %d is that of %d", n, m.Seq())
		}
	}
}

// TestTooMuchIsOwed: a side that takes nothing, and makes this side owe more and
// more, loses the connection.
func TestTooMuchIsOwed(t *testing.T) {
	u := newUnit(t, callRoute{}, func(sh *Shared) { sh.Socket = socket.Config{QueueLimit: 4 << 10}.Complete() })
	u.net.block()
	for n := 0; n < maxDebts+10_000 && !u.isClosed(); n++ {
		u.owe(debt{what: debtRefusal, seq: int32(2 * n)})
	}
	eventually(t, "the end", u.isClosed)
	if events := u.told.told(); len(events) == 0 || events[0] != fmt.Sprint("down: ", socket.ErrSlowReader) {
		t.Errorf("the session was told %q", events)
	}
	u.net.unblock()
}

// TestNothingIsOwedOnADeadConnection: debts are dropped, not kept.
func TestNothingIsOwedOnADeadConnection(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	_ = u.conn.close(nil)
	for n := range 10 {
		u.owe(debt{what: debtCancel, seq: int32(n)})
	}
	if !u.debts.get().empty() {
		t.Error("debts are kept for nobody")
	}
}

// TestReserved: the methods of erpc's own messages are reserved.
func TestReserved(t *testing.T) {
	for method, want := range map[string]bool{
		"/erpc.control/hello": true, "/erpc.control/": true, "/erpc.control/later": true,
		"/erpc.control": false, "/erpc": false, "": false, "/a/erpc.control/": false, "/Erpc.control/hello": false,
	} {
		if Reserved(method) != want {
			t.Errorf("%q: reserved is %v", method, !want)
		}
	}
}
