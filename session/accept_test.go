package session

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

// A lane is where a message is handled.
type lane string

const (
	laneInline  lane = "inline"  // on the goroutine that reads
	laneWorker  lane = "worker"  // on another one
	laneInTurn  lane = "in turn" // on the goroutine that reads, before the next message
	laneRefused lane = "refused"
	laneHeld    lane = "held" // not answered
	laneNone    lane = "none"
)

// TestWhereAMessageIsHandled is the table of what the goroutine that reads does
// with a CALL.
func TestWhereAMessageIsHandled(t *testing.T) {
	quick := func(h *Handler) { h.pace.credit.Store(maxCredit) }
	for _, c := range []struct {
		name   string
		h      func(*Handler)
		shared func(*Shared)
		conn   func(*unit)
		loop   func(*readLoop)
		set    message.Setting
		want   lane
		code   int32
	}{
		{name: "a new handler", want: laneWorker},
		{name: "a quick one", h: quick, want: laneInline},
		{name: "a quick one of a goroutine that has taken over", h: quick, loop: func(l *readLoop) { l.warmUp = 1 }, want: laneWorker},
		{name: "the last of those", h: quick, loop: func(l *readLoop) { l.warmUp = 0 }, want: laneInline},
		{name: "a quick one with a limit", h: func(h *Handler) { quick(h); h.SetLimit(5) }, want: laneWorker},
		{name: "a quick one in order", h: func(h *Handler) { quick(h); h.SetOrdered(true) }, want: laneWorker},
		{name: "a quick one with a backlog", h: func(h *Handler) { quick(h); h.SetLimit(1); h.SetQueue(1, time.Minute) }, want: laneWorker},
		{name: "a quick one while a former reader is stuck", h: quick, conn: func(u *unit) { u.countBlocked() }, want: laneInline},
		{name: "a quick one while two former readers are stuck", h: quick, conn: func(u *unit) { u.countBlocked(); u.countBlocked() }, want: laneWorker},
		{name: "a quick one with the session at its limit", h: quick, shared: func(sh *Shared) { sh.MaxSessionHandlers = 1 }, conn: func(u *unit) { u.occupy() }, want: laneRefused, code: message.CodeExhausted},
		{name: "a quick one with the peer at its limit", h: quick, shared: func(sh *Shared) { sh.MaxHandlers = 1 }, conn: func(u *unit) { u.occupy() }, want: laneRefused, code: message.CodeExhausted},
		{name: "below these limits", shared: func(sh *Shared) { sh.MaxHandlers, sh.MaxSessionHandlers = 2, 2 }, conn: func(u *unit) { u.occupy() }, want: laneWorker},
		{name: "a handler at its limit", h: func(h *Handler) { h.SetLimit(1); h.running.Add(1) }, want: laneRefused, code: message.CodeExhausted},
		{name: "a protocol that answers in turn", set: func(m *message.Message) { m.SetInTurn(true) }, want: laneInTurn},
		{name: "a quick one there", h: quick, set: func(m *message.Message) { m.SetInTurn(true) }, want: laneInTurn},
		{name: "a connection that drains", conn: func(u *unit) { u.prove(); u.goaway.local.move(localServing, localDraining) }, want: laneRefused, code: message.CodeShuttingDown},
		{name: "a quick one there", h: quick, conn: func(u *unit) { u.prove(); u.goaway.local.move(localServing, localDraining) }, want: laneRefused, code: message.CodeShuttingDown},
		{name: "a connection that drains, and a call that has a deadline", conn: func(u *unit) { u.goaway.local.move(localServing, localDraining) }, set: message.WithSetMeta(MetaTimeout, "60000"), want: laneRefused, code: message.CodeShuttingDown},
		{name: "a connection that drains, of a side that can't be told", conn: func(u *unit) { u.goaway.local.move(localServing, localDraining) }, want: laneHeld},
		{name: "a quick one there, in turn", h: quick, conn: func(u *unit) { u.goaway.local.move(localServing, localDraining) }, set: func(m *message.Message) { m.SetInTurn(true) }, want: laneHeld},
		{name: "bytes in flight above the limit, and a connection that ends", shared: func(sh *Shared) { sh.InflightLimit = 10 }, conn: func(u *unit) { u.budget.add(11); _ = u.close(nil) }, want: laneNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran := make(chan lane, 1)
			var reader string
			h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
				on := laneWorker
				if goroutine() == reader {
					on = laneInline
					if ctx.Input().InTurn() {
						on = laneInTurn
					}
				}
				ran <- on
				return n, nil
			})
			if c.h != nil {
				c.h(h)
			}
			u := newUnit(t, callRoute{call: h}, c.shared)
			u.unwatched()
			if c.conn != nil {
				c.conn(u)
			}
			x := u.inbound(message.TypeCall, 7, "/h", 1)
			if c.set != nil {
				c.set(&x.in)
			}
			l := &readLoop{c: u.conn, x: x}
			if c.loop != nil {
				c.loop(l)
			}
			reader = goroutine()
			out := l.accept()
			if keeps := c.want != laneWorker; out.keep != keeps || !out.read {
				t.Errorf("the exchange is kept %v, reading goes on %v", out.keep, out.read)
			}
			switch c.want {
			case laneNone:
				if len(ran) > 0 || u.places.handlers.Load() > 0 {
					t.Errorf("%d handlers ran, %d hold a place", len(ran), u.places.handlers.Load())
				}
				return
			case laneHeld:
				u.sentNothing("the call is held")
				if u.goaway.local.state() != localHolding || len(ran) > 0 || u.places.handlers.Load() > 0 {
					t.Errorf("the connection is %v, %d handlers ran, %d hold a place", u.goaway.local.state(), len(ran), u.places.handlers.Load())
				}
				return
			case laneRefused:
				if m := u.sentOne(); m.Status().Code() != c.code || m.Seq() != 7 {
					t.Errorf("answered %v, want code %d", m, c.code)
				}
				if len(ran) > 0 {
					t.Error("refused, and handled")
				}
				return
			}
			if got := receive(t, ran); got != c.want {
				t.Errorf("handled: %s, want %s", got, c.want)
			}
			eventually(t, "the reply", func() bool { return u.sock.Stats().MessagesOut == 1 })
			if m := u.sentOne(); !m.StatusOK() || m.Seq() != 7 {
				t.Errorf("answered %v", m)
			}
		})
	}
}

// goroutine returns the number of the goroutine that calls it.
func goroutine() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(stack()), "goroutine "), " ")
	return name
}

// TestMessagesThatMayNotCome: such messages end the connection.
func TestMessagesThatMayNotCome(t *testing.T) {
	for _, mtype := range []byte{message.TypeUndefined, message.TypeAuthCall, message.TypeAuthReply, 99, 255} {
		u := newUnit(t, callRoute{}, nil)
		if out := u.accept(mtype, 1, "/x", 1); out.read {
			t.Errorf("type %d: reading goes on", mtype)
		}
		eventually(t, "the end", func() bool { return u.isClosed() })
		events := u.told.told()
		if len(events) == 0 || !strings.HasPrefix(events[0], "down: ") || !strings.Contains(events[0], fmt.Sprint("(", mtype, ")")) {
			t.Errorf("type %d: the session was told %q", mtype, events)
		}
	}
}

func TestUnaskedReplyIsPassedOver(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	if out := u.accept(message.TypeReply, 5, "", 1); !out.keep || !out.read {
		t.Errorf("outcome %+v", out)
	}
	u.want()
	u.sentNothing("a reply is not answered")
}

// TestPushesAreHandledWhileDraining: their sender would not learn of a refusal.
func TestPushesAreHandledWhileDraining(t *testing.T) {
	handled := make(chan int, 1)
	u := newUnit(t, callRoute{push: pushHandler(func(n int) { handled <- n })}, nil)
	u.drain()
	if out := u.accept(message.TypePush, 1, "/h", 42); !out.read {
		t.Errorf("outcome %+v", out)
	}
	if n := receive(t, handled); n != 42 {
		t.Errorf("handled %d", n)
	}
}

// TestRefusedPushIsNotAnswered: whatever refuses it.
func TestRefusedPushIsNotAnswered(t *testing.T) {
	u := newUnit(t, callRoute{push: pushHandler(func(int) { t.Error("handled") })}, func(sh *Shared) { sh.MaxHandlers = 1 })
	s := u.occupy()
	if out := u.accept(message.TypePush, 1, "/h", 1); !out.keep || !out.read {
		t.Errorf("outcome %+v", out)
	}
	u.sentNothing("a push has no reply")
	s.free()
}

// TestOrderOfTheOrdered: messages of an ordered handler run one after another;
// those of another handler run at the same time.
func TestOrderOfTheOrdered(t *testing.T) {
	const messages = 50
	var mu sync.Mutex
	var got []int
	first := make(chan struct{})
	h := pushHandler(func(n int) {
		if n == 0 {
			<-first
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, n)
	})
	h.SetOrdered(true)
	beside := make(chan struct{})
	u := newUnit(t, callRoute{push: h, call: callHandler(func(CallCtx, int) (any, *message.Status) { close(beside); return 0, nil })}, nil)
	for n := range messages {
		u.accept(message.TypePush, int32(n+1), "/h", n)
	}
	u.accept(message.TypeCall, 1000, "/h", 0)
	receive(t, beside)
	if n := u.places.handlers.Load(); n < messages {
		t.Errorf("%d messages that wait for their turn are counted, want %d", n, messages)
	}
	close(first)
	eventually(t, "all of them", func() bool { return u.places.handlers.Load() == 0 })
	for i, n := range got {
		if i != n {
			t.Fatalf("the order is %v", got)
		}
	}
	if len(got) != messages {
		t.Errorf("%d were handled", len(got))
	}
}

// TestRefusalWithinTheTurn: a protocol that answers in order gets the refusal as
// its answer.
func TestRefusalWithinTheTurn(t *testing.T) {
	u := newUnit(t, callRoute{call: callHandler(func(CallCtx, int) (any, *message.Status) { t.Error("handled"); return 0, nil })}, nil)
	u.prove()
	u.goaway.local.move(localServing, localDraining)
	x := u.inbound(message.TypeCall, minProofSeq, "/h", 1)
	x.in.SetInTurn(true)
	(&readLoop{c: u.conn, x: x}).accept()
	m := u.sentOne()
	if m.Status().Code() != message.CodeShuttingDown || m.Meta().Get(metaRefused) != seqText(minProofSeq) {
		t.Errorf("answered %v with %v", m, m.Meta())
	}
	if !u.debts.get().empty() {
		t.Error("the refusal is owed, too")
	}
}

// TestLingerSaysWhy: a call that is too large is answered before the connection
// ends; other ends of a connection send nothing.
func TestLingerSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name  string
		mtype byte
		err   error
		said  bool
	}{
		{"a call that is too large", message.TypeCall, proto.ErrTooLarge, true},
		{"a push that is too large", message.TypePush, proto.ErrTooLarge, false},
		{"a call that is malformed", message.TypeCall, proto.ErrMalformed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUnit(t, callRoute{}, nil)
			x := u.inbound(c.mtype, 9, "/h", 1)
			x.role = roleInbound
			go func() {
				if c.said {
					eventually(t, "the answer", func() bool { return u.sock.Stats().MessagesOut == 1 })
				}
				_ = u.sock.Flush(t.Context()) // so that it is written before the other side goes
				_ = u.net.Close()             // nothing is left to read
			}()
			u.end(fmt.Errorf("reading: %w", c.err), x)
			got := u.net.messages(t)
			if said := len(got) > 0; said != c.said {
				t.Errorf("it said %v", got)
			}
			if c.said && (got[0].Status().Code() != message.CodeTooLarge || got[0].Seq() != 9) {
				t.Errorf("it said %v", got[0])
			}
			if events := u.told.told(); len(events) == 0 || !strings.Contains(events[0], c.err.Error()) {
				t.Errorf("the session was told %q", events)
			}
		})
	}
}

// TestEndOfAConnection: the session gets the reason.
func TestEndOfAConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		set  func(*unit)
		want error
	}{
		{"the other side has closed it", errors.New("EOF"), nil, errors.New("EOF")},
		{"the age has passed", timeoutError{}, func(u *unit) { u.reader.setAge(u.sock, clock()-time.Second) }, ErrAge},
		{"the network has given up", timeoutError{}, func(u *unit) { u.reader.setAge(u.sock, clock()+time.Hour) }, timeoutError{}},
	} {
		u := newUnit(t, callRoute{}, nil)
		if c.set != nil {
			c.set(u)
		}
		u.end(c.err, nil)
		u.want("down: "+c.want.Error(), "closed")
	}
}

// A brokenSink is a sink whose writes fail.
type brokenSink struct {
	*sink
	err error
}

func (b brokenSink) Write([]byte) (int, error) { return 0, b.err }

// The session is told why nothing could be written, which says more than what reading
// says after it.
func TestEndAfterAFailedWrite(t *testing.T) {
	for err, want := range map[error]string{
		errors.New("broken pipe"): "down: broken pipe",
		net.ErrClosed:             "down: the end",
	} {
		u := &unit{t: t, net: newSink(), told: new(fakeUpstream)}
		u.conn = newEngine(fakeShared(callRoute{}), brokenSink{u.net, err}, rawproto.New, "unit", nil).conns.current()
		u.conn.up = u.told
		t.Cleanup(func() { _ = u.conn.close(nil) }) // a second time
		m := message.New()
		m.SetMtype(message.TypeReply)
		_ = u.sock.Send(m, socket.Reserved, socket.FlushInline) // its error is that of the write, if it waits for that
		eventually(t, "the write has failed", func() bool { return u.sock.Err() != nil })
		u.end(errors.New("the end"), nil)
		u.want(want, "closed")
	}
}

// The session is told that the other side has ended it, and why, before the connection
// is down.
func TestEndThatTheOtherSideHasSaid(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	why := &ClosedError{Status: message.NewStatus(1001, "moved away")}
	u.closedBy.Store(why)
	u.end(errors.New("the end"), nil)
	u.want("ended: moved away", "down: "+why.Error(), "closed")
}
