package session

import (
	"context"
	"slices"
	"sync"

	"github.com/goerpc/erpc/message"
)

const (
	// maxDebts is how many small messages are kept for a side that does not read.
	// A debt takes 64 bytes, without the status of a stream.
	maxDebts = 1 << 15
	// maxOwedCancels is the number of debts from which cancellations are dropped.
	// They are optional, and a program that cancels very many calls at once must
	// not lose the connection because of them.
	maxOwedCancels = maxDebts / 2
	// mergeLook is how many of the last debts are searched for one that a refusal
	// can join. Calls that several goroutines send arrive nearly in the order of
	// their numbers.
	mergeLook = 8
	// maxRun is how many calls one debt may refuse, at least.
	maxRun = 1 << 30
)

// debtKind is the kind of a message that is owed.
type debtKind uint8

const (
	debtRefusal debtKind = iota // the reply to a call that is not executed
	debtHello
	debtCancel
	debtGoAway
	debtBye
	debtEnd
	debtCaps
	debtStreamEnd
	debtDrain
	debtCredit
)

// A debt is a small message to the other side that is kept while the queue is
// full, so that the goroutine that reads, or any other that owes it, never waits
// for room.
type debt struct {
	what  debtKind
	code  int32 // of a refusal
	seq   int32
	more  int32           // of a refusal: how many calls with the next numbers are refused, too
	cause error           // of a refusal; may be compared
	text  string          // of an end or a credit
	st    *message.Status // of a stream
}

// sameRefusal reports whether both refuse calls for the same reason.
func (d *debt) sameRefusal(e *debt) bool {
	return d.what == debtRefusal && e.what == debtRefusal && d.code == e.code && d.cause == e.cause
}

// last returns the last of the numbers that d is about.
func (d *debt) last() int64 { return int64(d.seq) + int64(d.more) }

// debts are the messages that are owed, oldest first. Refusals of calls with
// consecutive numbers share one debt. Otherwise a side that calls far more than it
// may would cost memory: its calls are shorter than their refusals, which would
// pile up on a connection that is full in both directions. The zero value is ready.
type debts struct {
	mu     sync.Mutex // guards the following
	list   []debt
	paying bool // a goroutine pays, or will when there is room
}

// add queues d. ok is false if there are too many; if pay is true the caller must
// pay.
func (o *debts) add(d debt) (ok, pay bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.mergeLocked(d):
	case len(o.list) >= maxDebts:
		return false, false
	case d.what == debtCancel && len(o.list) >= maxOwedCancels:
		return true, false
	default:
		o.list = append(o.list, d)
	}
	pay = !o.paying
	o.paying = true
	return true, pay
}

// mergeLocked joins a refusal with one that is owed already, if it can. It leaves
// the oldest debt alone, which may be in payment.
func (o *debts) mergeLocked(d debt) bool {
	for i := len(o.list) - 1; i >= max(1, len(o.list)-mergeLook); i-- {
		r := &o.list[i]
		if !r.sameRefusal(&d) || r.more >= maxRun {
			continue
		}
		switch {
		case r.last()+1 == int64(d.seq):
			r.more++
		case d.last()+1 == int64(r.seq):
			r.seq--
			r.more++
		default:
			continue
		}
		o.joinLocked(i)
		return true
	}
	return false
}

// joinLocked joins the refusals at i, which were extended, with those whose
// numbers are adjacent.
func (o *debts) joinLocked(i int) {
	for j := len(o.list) - 1; j >= max(1, len(o.list)-mergeLook); j-- {
		r, s := &o.list[i], &o.list[j]
		if j == i || !r.sameRefusal(s) || r.more+s.more >= maxRun || r.last()+1 != int64(s.seq) && s.last()+1 != int64(r.seq) {
			continue
		}
		into, from := min(i, j), max(i, j)
		joined := o.list[into]
		joined.seq, joined.more = min(r.seq, s.seq), r.more+s.more+1
		o.list[into] = joined
		o.list = slices.Delete(o.list, from, from+1)
		return // it was adjacent to no other before
	}
}

// next returns the oldest debt, or the first refusal of it. If there is none, the
// goroutine that pays must stop.
func (o *debts) next() (debt, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.list) == 0 {
		o.list, o.paying = nil, false
		return debt{}, false
	}
	return o.list[0], true
}

// paid removes the debt that next has returned.
func (o *debts) paid() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d := &o.list[0]; d.more > 0 {
		d.seq++
		d.more--
		return
	}
	o.list[0] = debt{}
	o.list = o.list[1:]
}

// empty reports whether nothing is owed; o may be nil.
func (o *debts) empty() bool {
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.list) == 0 && !o.paying
}

// A payer sends what is owed; it is the connection. Its methods don't block.
type payer interface {
	// settle sends the debt. It reports false if there is no room. On a connection
	// that can't send any more it drops the debt and reports true.
	settle(d debt) bool
	// whenRoom makes f be called as soon as there is room; f must not block. If there
	// is room now, it returns false and f is not called.
	whenRoom(f func()) bool
	// flush sends what waits for a flush.
	flush()
}

// owe sends a small message, now or as soon as there is room for it. It reports
// false if too many are owed. The caller flushes what it owes; what other goroutines
// owe meanwhile is flushed here, because they may have flushed already.
func (o *debts) owe(d debt, by payer) bool {
	ok, pay := o.add(d)
	if pay && o.pay(by) > 1 {
		by.flush()
	}
	return ok
}

// pay sends what is owed, and returns how many messages that were. If there is no
// more room, another goroutine sends the rest later.
func (o *debts) pay(by payer) (paid int) {
	for {
		d, ok := o.next()
		if !ok {
			return paid
		}
		if by.settle(d) {
			o.paid()
			paid++
			continue
		}
		if by.whenRoom(func() { go o.payLater(by) }) {
			return paid
		}
	}
}

func (o *debts) payLater(by payer) {
	o.pay(by)
	by.flush()
}

// fill turns m, which is empty, into the message that is owed.
func (d *debt) fill(m *message.Message) {
	m.SetSeq(d.seq)
	m.SetMtype(message.TypePush)
	switch d.what {
	case debtRefusal:
		m.SetMtype(message.TypeReply)
		m.SetStatus(newStatus(d.code, d.cause))
	case debtHello:
		m.SetServiceMethod(controlHello)
		m.Meta().Set(metaHello, seqText(d.seq))
	case debtCancel:
		m.SetServiceMethod(controlCancel)
	case debtGoAway:
		m.SetServiceMethod(controlGoAway)
	case debtBye:
		m.SetServiceMethod(controlBye)
	case debtEnd:
		m.SetServiceMethod(controlEnd)
		m.Meta().Set(metaEnd, d.text)
	case debtCaps:
		m.SetMtype(message.TypeReply)
		m.Meta().Set(metaCaps, formatCaps(supportedByUs, d.seq))
	case debtStreamEnd:
		m.SetMtype(message.TypeStreamEnd)
		m.SetStatus(d.st)
	case debtDrain:
		m.SetServiceMethod(controlDrain)
	case debtCredit:
		m.SetMtype(message.TypeStreamCredit)
		m.SetServiceMethod(d.text)
	}
	m.SetContext(context.Background())
}
