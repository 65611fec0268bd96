package session

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
)

func testDeadline(seq int32) *deadline {
	d := &deadline{seq: seq}
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	return d
}

// TestDeadlinesAgainstAMap adds, removes and cancels deadlines at random, and then
// closes the table: removed deadlines live on, all others have ended, and none is
// kept.
func TestDeadlinesAgainstAMap(t *testing.T) {
	errEnd := errors.New("the end")
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		var table deadlines
		model := map[*deadline]bool{} // cancelable
		for i := range 400 {
			switch r.IntN(4) {
			case 0, 1:
				d := testDeadline(int32(i + 1))
				cancelable := r.IntN(2) == 0
				table.add(d, cancelable)
				model[d] = cancelable
			case 2:
				for d := range model {
					table.remove(d)
					if d.ctx.Err() != nil && context.Cause(d.ctx) != errCanceled {
						t.Fatalf("seed %d: remove ended it: %v", seed, context.Cause(d.ctx))
					}
					delete(model, d)
					break
				}
			default:
				for d, cancelable := range model {
					was := d.ctx.Err()
					table.cancel(d.seq)
					if ended := d.ctx.Err() != nil; ended != (cancelable || was != nil) {
						t.Fatalf("seed %d: cancelable %v, ended %v", seed, cancelable, ended)
					}
					break
				}
			}
			if table.length != len(model) {
				t.Fatalf("seed %d: %d in the list, want %d", seed, table.length, len(model))
			}
		}
		table.close(errEnd)
		for d := range model {
			if d.ctx.Err() == nil {
				t.Fatalf("seed %d: a deadline outlived the connection", seed)
			}
			table.remove(d) // does nothing any more
		}
		late := testDeadline(1)
		if table.add(late, true); context.Cause(late.ctx) != errEnd {
			t.Fatalf("seed %d: one of a closed connection has cause %v", seed, context.Cause(late.ctx))
		}
	}
}

// TestTwoCallsWithOneNumber: two calls of a broken client have the same number.
// Each ends with the connection; after the first is removed, the second can still
// be cancelled.
func TestTwoCallsWithOneNumber(t *testing.T) {
	var table deadlines
	first, second := testDeadline(7), testDeadline(7)
	table.add(first, true)
	table.add(second, true)
	table.remove(first)
	table.cancel(7)
	if first.ctx.Err() != nil || second.ctx.Err() == nil {
		t.Errorf("first %v, second %v", first.ctx.Err(), second.ctx.Err())
	}
}

func TestBurstOfDeadlinesLeavesNothing(t *testing.T) {
	var table deadlines
	var all []*deadline
	for i := range 10_000 {
		d := testDeadline(int32(i + 1))
		table.add(d, true)
		all = append(all, d)
	}
	for _, d := range all {
		table.remove(d)
		d.cancel(nil)
	}
	if table.calls != nil || table.head != nil {
		t.Errorf("%d calls are kept, head %v", len(table.calls), table.head)
	}
}

func TestTimeoutsFarAway(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		text string
		back time.Duration
	}{
		{-time.Second, "1", time.Millisecond},
		{0, "1", time.Millisecond},
		{1, "1", time.Millisecond},
		{time.Millisecond, "1", time.Millisecond},
		{time.Millisecond + 1, "2", 2 * time.Millisecond},
		{100 * time.Millisecond, "100", 100 * time.Millisecond},
		{math.MaxInt64, strconv.FormatInt(int64(maxTimeout/time.Millisecond), 10), maxTimeout},
		{math.MaxInt64 - 1e6, strconv.FormatInt(int64(maxTimeout/time.Millisecond), 10), maxTimeout},
	} {
		m := message.New(WithTimeout(c.d))
		if got := m.Meta().Get(MetaTimeout); got != c.text {
			t.Errorf("%v is written as %s, want %s", c.d, got, c.text)
		}
		if left, marked := callerTimeout(m); left != c.back || !marked {
			t.Errorf("%v comes back as %v, %v", c.d, left, marked)
		}
	}
	if n, err := strconv.ParseUint(timeoutText(math.MaxInt64), 10, 40); err != nil {
		t.Errorf("peers of before read up to 40 bits: %v, %v", n, err)
	}
	for text, want := range map[string]time.Duration{
		"0": 0, "18446744073709551616": maxTimeout, "99999999999999999999999": maxTimeout, "1099511627776": maxTimeout,
	} {
		m := message.New(message.WithSetMeta(MetaTimeout, text))
		if left, marked := callerTimeout(m); left != want || !marked {
			t.Errorf("%s is %v, %v; want %v", text, left, marked, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5"} {
		m := message.New(message.WithSetMeta(MetaTimeout, text))
		if left, marked := callerTimeout(m); left != 0 || marked {
			t.Errorf("%q is %v, %v", text, left, marked)
		}
	}
}

func TestTimeoutAndCancelGoTogether(t *testing.T) {
	for name, m := range map[string]*message.Message{
		"timeout first": message.New(WithTimeout(time.Second), WithCancel()),
		"cancel first":  message.New(WithCancel(), WithTimeout(time.Second)),
	} {
		if left, marked := callerTimeout(m); left != time.Second || !marked {
			t.Errorf("%s: %v, %v", name, left, marked)
		}
	}
	if left, marked := callerTimeout(message.New(WithCancel())); left != 0 || !marked {
		t.Errorf("cancel alone: %v, %v", left, marked)
	}
}

// A deadline that ends after the connection takes nothing out of a list that others
// walk already.
func TestRemoveFromAClosedTable(t *testing.T) {
	var table deadlines
	var ds []*deadline
	for seq := range int32(3) {
		ctx, cancel := context.WithCancelCause(t.Context())
		d := &deadline{ctx: ctx, cancel: cancel, seq: seq}
		table.add(d, true)
		ds = append(ds, d)
	}
	table.close(errConnEnded)
	for _, d := range ds {
		table.remove(d)
	}
	if table.head != nil || table.length != 0 {
		t.Errorf("a closed table has %d, head %v", table.length, table.head)
	}
}

func TestAnEmptyTableOfDeadlinesKeepsASmallMap(t *testing.T) {
	for n, keeps := range map[int]bool{maxKeptDeadlines: true, maxKeptDeadlines + 1: false} {
		var table deadlines
		var ds []*deadline
		for seq := range n {
			d := &deadline{seq: int32(seq)}
			table.add(d, true)
			ds = append(ds, d)
		}
		for _, d := range ds {
			table.remove(d)
		}
		if kept := table.calls != nil; kept != keeps {
			t.Errorf("%d deadlines: the empty table keeps its map: %v", n, kept)
		}
	}
}

// Only a call that has taken too long is answered by its deadline: a push has no
// reply, and whoever cancels waits for none.
func TestWhatADeadlineAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		mtype   byte
		cancel  bool
		answers bool
	}{
		{"a call takes too long", message.TypeCall, false, true},
		{"a push takes too long", message.TypePush, false, false},
		{"a call is cancelled", message.TypeCall, true, false},
	} {
		bubble(t, func(t *testing.T) {
			u := newUnit(t, callRoute{}, nil)
			u.told.age = time.Second
			x := u.inbound(c.mtype, 7, "/h", 1, message.WithSetMeta(MetaTimeout, "0"))
			x.role = roleInbound
			defer putExchange(x)
			d := newDeadline(u.conn, &x.in)
			defer d.end()
			if c.cancel {
				u.deadlines.get().cancel(7)
			} else {
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if d.ctx.Err() == nil {
				t.Errorf("%s: its context has not ended", c.name)
			}
			all := u.sent()
			if answered := len(all) == 1 && all[0].Status().Code() == message.CodeHandleTimeout && all[0].Seq() == 7; answered != c.answers || len(all) > 1 {
				t.Errorf("%s: sent %v", c.name, all)
			}
		})
	}
}

// The context of a handler ends with it, whatever else would end it.
func TestEndOfADeadlineEndsItsContext(t *testing.T) {
	for _, age := range []time.Duration{0, time.Hour} {
		u := newUnit(t, callRoute{}, nil)
		u.told.age = age
		x := u.inbound(message.TypeCall, 7, "/h", 1, message.WithSetMeta(MetaTimeout, "3600000"))
		x.role = roleInbound
		d := newDeadline(u.conn, &x.in)
		putExchange(x)
		d.end()
		d.end() // a second time does nothing
		if d.ctx.Err() == nil {
			t.Errorf("age %v: the context is open", age)
		}
		if u.deadlines.get().length != 0 {
			t.Errorf("age %v: %d deadlines are left", age, u.deadlines.get().length)
		}
	}
}
