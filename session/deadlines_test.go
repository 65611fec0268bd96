package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
)

// TestWhoseDeadline: which inbound message gets a deadline, when it ends, and
// whether a cancel message reaches it.
func TestWhoseDeadline(t *testing.T) {
	for _, c := range []struct {
		name       string
		mtype      byte
		age        time.Duration
		timeout    string        // of the caller; "-": none sent
		ends       time.Duration // 0: never by itself
		none       bool          // it gets no deadline
		cancelable bool
	}{
		{name: "a call", mtype: message.TypeCall, timeout: "-", none: true},
		{name: "a call that can be cancelled", mtype: message.TypeCall, timeout: "0", cancelable: true},
		{name: "a call with a timeout", mtype: message.TypeCall, timeout: "1500", ends: 1500 * time.Millisecond, cancelable: true},
		{name: "a call of a session with an age", mtype: message.TypeCall, timeout: "-", age: time.Second, ends: time.Second},
		{name: "an age that is sooner", mtype: message.TypeCall, timeout: "1500", age: time.Second, ends: time.Second, cancelable: true},
		{name: "an age that is later", mtype: message.TypeCall, timeout: "500", age: time.Second, ends: 500 * time.Millisecond, cancelable: true},
		{name: "an invalid timeout", mtype: message.TypeCall, timeout: "soon", none: true},
		{name: "a push with a timeout", mtype: message.TypePush, timeout: "1500", ends: 1500 * time.Millisecond},
		{name: "a push of a session with an age", mtype: message.TypePush, timeout: "-", age: time.Second, ends: time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				u := newUnit(t, callRoute{}, nil)
				u.told.age = c.age
				x := u.inbound(c.mtype, 5, "/h", 1)
				x.role = roleInbound
				if c.timeout != "-" {
					x.in.Meta().Set(MetaTimeout, c.timeout)
				}
				x.deadline = newDeadline(u.conn, &x.in)
				if (x.deadline == nil) != c.none {
					t.Fatalf("the deadline is %v", x.deadline)
				}
				if c.none {
					return
				}
				d := x.deadline
				if c.ends > 0 {
					time.Sleep(c.ends - 1)
					synctest.Wait()
					if err := d.ctx.Err(); err != nil {
						t.Errorf("it ended before its time: %v", err)
					}
					time.Sleep(time.Nanosecond)
					synctest.Wait()
					if err := d.ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("at its time: %v", err)
					}
				} else {
					time.Sleep(1000 * time.Hour)
					if d.ctx.Err() != nil {
						t.Error("it ended by itself")
					}
					u.deadlines.get().cancel(5)
					if canceled := errors.Is(context.Cause(d.ctx), errCanceled); canceled != c.cancelable {
						t.Errorf("after the cancel: %v", context.Cause(d.ctx))
					}
				}
				if _, ok := u.deadlines.get().calls[5]; ok != c.cancelable {
					t.Errorf("it can be cancelled: %v", ok)
				}
				d.end()
				d.end() // a second time does nothing
				if u.deadlines.get().length != 0 || len(u.deadlines.get().calls) != 0 {
					t.Errorf("%d deadlines are left, %d of calls", u.deadlines.get().length, len(u.deadlines.get().calls))
				}
			})
		})
	}
}

// TestAgeAnswersForTheHandler: the age answers for a handler that takes longer,
// once, with the filters of the call. What the handler returns afterwards is not
// sent.
func TestAgeAnswersForTheHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		u := newUnit(t, callRoute{call: callHandler(func(CallCtx, int) (any, *message.Status) {
			<-release
			return 1, nil
		})}, nil)
		u.told.age = time.Second
		u.accept(message.TypeCall, 3, "/h", 1)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		u.sentNothing("there is time")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if m := u.sentOne(); m.Seq() != 3 || m.Status().Code() != message.CodeHandleTimeout {
			t.Errorf("the answer is %v", m)
		}
		close(release)
		synctest.Wait()
		u.sentNothing("the call is answered")
		if n := u.places.handlers.Load(); n != 0 {
			t.Errorf("%d handlers", n)
		}
	})
}

// TestHandlerInTimeIsAnsweredOnce: its age sends nothing afterwards.
func TestHandlerInTimeIsAnsweredOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnit(t, callRoute{call: callHandler(func(CallCtx, int) (any, *message.Status) {
			time.Sleep(time.Second / 2)
			return 1, nil
		})}, nil)
		u.told.age = time.Second
		u.accept(message.TypeCall, 3, "/h", 1)
		time.Sleep(time.Second / 2)
		synctest.Wait()
		if m := u.sentOne(); !m.StatusOK() {
			t.Errorf("the answer is %v", m)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		u.sentNothing("the call is answered")
	})
}

// TestTimeoutOverTheWire: a timeout that was sent is shorter by at most the
// rounding, and never 0.
func TestTimeoutOverTheWire(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 5))
	check := func(d time.Duration) {
		m := message.New()
		m.Meta().Set(MetaTimeout, timeoutText(d))
		left, marked := callerTimeout(m)
		want := min(max(d, time.Millisecond), maxTimeout)
		if !marked || left < want || left-want >= time.Millisecond {
			t.Errorf("%v arrives as %v, marked %v", d, left, marked)
		}
	}
	for _, d := range []time.Duration{1<<63 - 1, maxTimeout, maxTimeout - 1, maxTimeout + 1, -1 << 63, -1, 0, 1, time.Millisecond, time.Millisecond + 1} {
		check(d)
	}
	for range 10_000 {
		check(time.Duration(rnd.Int64() >> rnd.IntN(60)))
	}
}

// TestMarkedByItsContext: the metadata of a call has the time that its context
// leaves.
func TestMarkedByItsContext(t *testing.T) {
	timed, cancelTimed := context.WithTimeout(t.Context(), time.Hour)
	defer cancelTimed()
	cancelable, cancel := context.WithCancel(t.Context())
	defer cancel()
	past, cancelPast := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancelPast()
	for _, c := range []struct {
		name string
		ctx  context.Context
		want func(string) bool
	}{
		{"no end", context.Background(), func(s string) bool { return s == "" }},
		{"no deadline", cancelable, func(s string) bool { return s == "0" }},
		{"an hour", timed, func(s string) bool { return strings.HasPrefix(s, "3599") || s == "3600000" }},
		{"the past", past, func(s string) bool { return s == "1" }},
	} {
		m := message.New()
		markTimeout(m, c.ctx)
		if got := m.Meta().Get(MetaTimeout); !c.want(got) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestCallLimit: what bounds a call of this side.
func TestCallLimit(t *testing.T) {
	deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	const s = time.Second
	for _, c := range []struct {
		name               string
		age, peer, timeout time.Duration // 0: none
		ctx                context.Context
		want               time.Duration
	}{
		{name: "nothing"},
		{name: "the age", age: s, want: s},
		{name: "the timeout", timeout: 2 * s, want: 2 * s},
		{name: "the sooner: the age", age: s, timeout: 2 * s, want: s},
		{name: "the sooner: the timeout", age: 3 * s, timeout: 2 * s, want: 2 * s},
		{name: "the peer's", peer: 5 * s, want: 5 * s},
		{name: "the peer's yields to the age", age: 9 * s, peer: 5 * s, want: 9 * s},
		{name: "and to the timeout", timeout: 9 * s, peer: 5 * s, want: 9 * s},
		{name: "and to a deadline of the context", ctx: deadline, peer: 5 * s},
		{name: "not to a context that can only be cancelled", ctx: t.Context(), peer: 5 * s, want: 5 * s},
	} {
		m := message.New()
		if c.timeout > 0 {
			m.Apply([]message.Setting{WithTimeout(c.timeout)})
		}
		if c.ctx != nil {
			m.SetContext(c.ctx)
		}
		if got := callLimit(m, c.age, c.peer); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestComposedMessages: settings, codec and limits in time of what this side sends.
func TestComposedMessages(t *testing.T) {
	u := newUnit(t, callRoute{}, func(sh *Shared) { sh.BodyCodec = 'p' })
	ended, cancelEnded := context.WithCancel(t.Context())
	cancelEnded()
	for _, c := range []struct {
		name    string
		mtype   byte
		age     time.Duration
		set     []message.Setting
		codec   byte
		bounded bool
		code    int32
	}{
		{name: "as it is", mtype: message.TypeCall, codec: 'p'},
		{name: "another codec", mtype: message.TypeCall, set: []message.Setting{message.WithBodyCodec('j')}, codec: 'j'},
		{name: "a timeout", mtype: message.TypeCall, set: []message.Setting{WithTimeout(time.Hour)}, codec: 'p', bounded: true},
		{name: "a push ignores that", mtype: message.TypePush, set: []message.Setting{WithTimeout(time.Hour)}, codec: 'p'},
		{name: "an age", mtype: message.TypePush, age: time.Hour, codec: 'p', bounded: true},
		{name: "a context that has ended", mtype: message.TypeCall, set: []message.Setting{message.WithContext(ended)}, code: message.CodeCanceled},
	} {
		u.told.age = c.age
		x := getExchange(u.conn, roleOutgoing)
		cancel, st := x.compose(c.mtype, "/m", 7, c.set)
		if st.Code() != c.code {
			t.Errorf("%s: %v", c.name, st)
		}
		if st.OK() {
			if x.out.BodyCodec() != c.codec || x.out.ServiceMethod() != "/m" || x.out.Body() != 7 || x.out.Mtype() != c.mtype {
				t.Errorf("%s: composed %v", c.name, &x.out)
			}
			if _, bounded := x.out.Context().Deadline(); bounded != c.bounded || (cancel != nil) != c.bounded {
				t.Errorf("%s: bounded %v, to be released %v", c.name, bounded, cancel != nil)
			}
		}
		if cancel != nil {
			cancel()
		}
		putExchange(x)
	}
}

// TestRequestIsKeptWhole: a call that is sent again is the one that was asked for,
// without changes to the first message.
func TestRequestIsKeptWhole(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := message.New(message.WithContext(ctx), message.WithSetMeta("k", "v"), message.WithBodyCodec('x'))
	m.SetServiceMethod("/m")
	m.SetBody("body")
	var r request
	r.record(m)
	m.Meta().Set("k", "changed")
	m.SetServiceMethod("/changed")
	for range 2 {
		again := message.New()
		r.fill(again)
		if again.ServiceMethod() != "/m" || again.Body() != "body" || again.BodyCodec() != 'x' || again.Context() != ctx || again.Meta().Get("k") != "v" {
			t.Errorf("sent again: %v", again)
		}
		again.Meta().Set("k", "changed too")
	}
	if (&request{}).context() != context.Background() {
		t.Error("no context is not the background")
	}
}

// The timeout of the caller bounds the handler wherever that runs.
func TestTheDeadlineHoldsInEveryLane(t *testing.T) {
	quick := func(h *Handler) { h.pace.credit.Store(maxCredit) }
	for _, c := range []struct {
		name   string
		h      func(*Handler)
		inTurn bool
	}{
		{name: "on a worker", h: func(*Handler) {}},
		{name: "inline", h: quick},
		{name: "in order", h: func(h *Handler) { h.SetOrdered(true) }},
		{name: "behind a backlog", h: func(h *Handler) { h.SetLimit(1); h.SetQueue(1, time.Minute) }},
		{name: "in turn", h: quick, inTurn: true},
	} {
		bounded := make(chan bool, 1)
		h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
			_, ok := ctx.Context().Deadline()
			bounded <- ok
			return n, nil
		})
		c.h(h)
		u := newUnit(t, callRoute{call: h}, nil)
		u.unwatched()
		l := &readLoop{c: u.conn, x: u.inbound(message.TypeCall, 7, "/h", 1, message.WithSetMeta(MetaTimeout, "60000"))}
		l.x.in.SetInTurn(c.inTurn)
		l.accept()
		if !receive(t, bounded) {
			t.Errorf("%s: the context of the handler has no deadline", c.name)
		}
		eventually(t, "the reply", func() bool { return u.sock.Stats().MessagesOut == 1 })
	}
}
