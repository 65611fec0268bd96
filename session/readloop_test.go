package session

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A feed is a sink from which the test lets something come. It notes when it was
// written to.
type feed struct {
	*sink
	in    chan []byte
	left  []byte // of the goroutine that reads
	begun time.Time

	mu     sync.Mutex // guards writes
	writes []time.Duration
}

func (f *feed) Read(p []byte) (int, error) {
	if len(f.left) == 0 {
		select {
		case f.left = <-f.in:
		case <-f.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}

// deliver lets b arrive, so that it is read at once: behind its first byte, for which
// the socket waits without a buffer.
func (f *feed) deliver(b []byte) {
	f.in <- b[:1]
	f.in <- b[1:]
}

func (f *feed) Write(p []byte) (int, error) {
	f.mu.Lock()
	f.writes = append(f.writes, time.Since(f.begun))
	f.mu.Unlock()
	return f.sink.Write(p)
}

// written returns when something was written, since the feed was made.
func (f *feed) written() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes)
}

// newFeedUnit returns a unit whose connection is a feed. The watchdog looks away.
func newFeedUnit(t *testing.T, h *Handler, p proto.Func) (*unit, *feed) {
	t.Helper()
	f := &feed{sink: newSink(), in: make(chan []byte), begun: time.Now()}
	u := &unit{t: t, net: f.sink, told: new(fakeUpstream)}
	u.conn = newEngine(fakeShared(callRoute{call: h}), f, p, "unit", nil).conns.current()
	u.conn.up = u.told
	u.unwatched()
	t.Cleanup(func() { _ = u.conn.close(nil) }) // perhaps a second time
	return u, f
}

// quickHandler is a handler that runs on the goroutine that reads.
func quickHandler(f func()) *Handler {
	h := callHandler(func(CallCtx, int) (any, *message.Status) {
		f()
		return 1, nil
	})
	h.pace.credit.Store(maxCredit)
	return h
}

// The replies to calls that were read together leave together, but none of them waits
// much longer than maxUnflushed for the others.
func TestRepliesWaitForOneAnother(t *testing.T) {
	const each = 200 * time.Microsecond
	for _, c := range []struct {
		calls int
		want  []time.Duration
	}{
		{1, []time.Duration{each}},
		{3, []time.Duration{3 * each}},
		{10, []time.Duration{4 * each, 8 * each, 10 * each}},
	} {
		bubble(t, func(t *testing.T) {
			u, f := newFeedUnit(t, quickHandler(func() { time.Sleep(each) }), rawproto.New)
			go read(u.conn, 0)
			f.deliver(callFrames(t, c.calls))
			time.Sleep(time.Second)
			if got := f.written(); !slices.Equal(got, c.want) {
				t.Errorf("%d calls: written after %v, want %v", c.calls, got, c.want)
			}
			if n := len(u.sent()); n != c.calls {
				t.Errorf("%d replies to %d calls", n, c.calls)
			}
		})
	}
}

// A silence belongs to neither the handler that runs after it nor to the replies that
// wait.
func TestSilenceIsNotMeasured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := quickHandler(func() {})
		h.pace.credit.Store(inlineCredit)
		u, f := newFeedUnit(t, h, rawproto.New)
		go read(u.conn, 0)
		for range 2 {
			f.deliver(callFrames(t, 3))
			time.Sleep(time.Second)
		}
		if got := h.pace.credit.Load(); got != inlineCredit+6 {
			t.Errorf("six quick runs changed the credit from %d to %d", inlineCredit, got)
		}
		if got := f.written(); len(got) != 2 {
			t.Errorf("written after %v, want one write for each three calls", got)
		}
	})
}

// A goroutine that takes over leaves some messages to workers. Then it runs quick
// handlers itself again.
func TestReaderWarmsUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var inline atomic.Bool
		var u *unit
		h := quickHandler(func() { inline.Store(u.handoff.inUserCode()) })
		u, f := newFeedUnit(t, h, rawproto.New)
		u.readOn()
		for n := range warmUp + 2 {
			f.deliver(callFrames(t, 1))
			synctest.Wait()
			if got := inline.Load(); got != (n >= warmUp) {
				t.Errorf("call %d ran inline: %t", n, got)
			}
		}
	})
}

// An endingProto is a protocol that ends the reading after some messages.
type endingProto struct {
	proto.Proto
	left int // of the goroutine that reads
}

func (p *endingProto) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	p.left--
	return p.Proto.Unpack(r, m, limit)
}

func (p *endingProto) Ended() bool { return p.left <= 0 }

// A protocol ends the reading when the message was answered, although the other side
// keeps the connection.
func TestProtocolEndsReading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &endingProto{Proto: rawproto.New(), left: 2}
		u, f := newFeedUnit(t, quickHandler(func() {}), func() proto.Proto { return p })
		go read(u.conn, 0)
		f.deliver(callFrames(t, 1))
		synctest.Wait()
		u.want()
		f.deliver(callFrames(t, 1))
		synctest.Wait()
		u.want("down: "+errConnClosed.Error(), "closed")
		if n := len(f.written()); n != 2 {
			t.Errorf("%d replies were written, want 2", n)
		}
	})
}

// An upstreamThatLooks calls look when a connection is about to be left.
type upstreamThatLooks struct {
	*fakeUpstream
	look func()
}

func (u upstreamThatLooks) connLeaving(c *conn) {
	u.look()
	u.fakeUpstream.connLeaving(c)
}

// A caller that has the last reply of a connection may call again at once, so the
// session leaves the connection before that, if it can have another.
func TestSessionLeavesBeforeTheLastReply(t *testing.T) {
	for _, c := range []struct {
		name        string
		replaceable bool
		left        int
		want        []string
	}{
		{"last reply", true, 1, []string{"leaving"}},
		{"others will follow", true, 2, nil},
		{"only connection", false, 1, nil},
	} {
		bubble(t, func(t *testing.T) {
			p := &endingProto{Proto: rawproto.New(), left: c.left}
			u, f := newFeedUnit(t, nil, func() proto.Proto { return p })
			u.setReplaceable(c.replaceable)
			cmd := &CallCmd{sess: u.sess, wake: make(chan struct{}, 1)}
			u.conn.up = upstreamThatLooks{u.told, func() {
				if len(cmd.wake) > 0 {
					t.Errorf("%s: the caller has its reply already", c.name)
				}
			}}
			m := message.New(message.WithBodyCodec('j'), message.WithBody(1))
			m.SetMtype(message.TypeReply)
			seq, _, _ := cmd.enter(u.conn)
			m.SetSeq(seq)
			reply, err := p.Pack(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			go f.deliver(reply)
			if l := (readLoop{c: u.conn, ender: p}); !l.next() {
				t.Errorf("%s: the goroutine no longer reads", c.name)
			}
			receive(t, cmd.wake)
			u.want(c.want...)
		})
	}
}

// A connection that has fallen off the list of the watchdog, because its messages were
// in the buffer already, is on it again while a handler runs on its reader.
func TestHandlerOnTheReaderIsWatched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var u *unit
		watched := false
		u = newUnit(t, callRoute{call: quickHandler(func() { watched = u.handoff.watched.Load() })}, nil)
		u.accept(message.TypeCall, 1, "/h", 1)
		if !watched {
			t.Error("the watchdog does not watch the handler")
		}
	})
}

// A handler that blocks the reader counts as at work from the moment when another
// goroutine reads until it is done, and as blocked until its goroutine notices,
// however often it is told that it is done.
func TestPlacesOfABlockedReader(t *testing.T) {
	for _, takenOver := range []bool{false, true} {
		for done := range 3 {
			bubble(t, func(t *testing.T) {
				u := newUnit(t, callRoute{}, nil)
				u.unwatched()
				l := readLoop{c: u.conn, x: getExchange(u.conn, roleNone)}
				check := func(when string, working, blocked int32) {
					t.Helper()
					all := u.shared.places.working.Load()
					if w, b := u.places.working.Load(), u.places.blocked.Load(); w != working || all != int64(working) || b != blocked {
						t.Errorf("taken over %t, %s: %d at work (%d in all), %d blocked; want %d and %d", takenOver, when, w, all, b, working, blocked)
					}
				}
				l.enter(clock())
				turn := l.turn
				count := int32(0)
				if takenOver {
					time.Sleep(2 * maxUserCode)
					(&watchedConn{h: &u.handoff, w: u.conn}).look(clock())
					count = 1
				}
				check("in the handler", count, count)
				for n := range done {
					turn.handlerDone()
					check(fmt.Sprint("done ", n+1, " times"), 0, count)
				}
				if reads := l.exit(); reads == takenOver {
					t.Errorf("taken over %t, done %d times: it reads on: %t", takenOver, done, reads)
				}
				check(fmt.Sprint("out after ", done), 0, 0)
				if u.handoff.inUserCode() {
					t.Errorf("taken over %t, done %d times: it is still in user code", takenOver, done)
				}
			})
		}
	}
}

// What ends a goroutine that no longer reads, a handler or a hook after the reply, does
// not keep the reply, although the new reader waits for the other side.
func TestGoexitOfAFormerReaderIsAnswered(t *testing.T) {
	const blocks = 10 * time.Millisecond
	for _, at := range []string{"handler", "post reply", "handled"} {
		bubble(t, func(t *testing.T) {
			p := &tracer{at: at, do: func() *message.Status {
				runtime.Goexit()
				return nil
			}}
			h := quickHandler(func() {
				time.Sleep(blocks)
				p.hook("handler")
			})
			h.SetHooks(NewRouteHooks([]plugin.Plugin{p}, nil))
			u, f := newFeedUnit(t, h, rawproto.New)
			u.handoff.watched.Store(false)
			go read(u.conn, 0)
			f.deliver(callFrames(t, 1))
			time.Sleep(time.Second)
			if got := f.written(); !slices.Equal(got, []time.Duration{blocks}) {
				t.Errorf("%s: written after %v, want %v", at, got, blocks)
			}
		})
	}
}

// A handler in turn that ends the goroutine which reads gives its place back, and
// another goroutine reads.
func TestGoexitInTurnGivesItsPlaceBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		calls := 0
		u, f := newFeedUnit(t, quickHandler(func() {
			calls++
			if calls == 1 {
				runtime.Goexit()
			}
		}), rawproto.New)
		x := u.inbound(message.TypeCall, 1, "/h", 1, func(m *message.Message) { m.SetInTurn(true) })
		l := readLoop{c: u.conn, x: x}
		go func() {
			defer l.exited()
			l.accept()
		}()
		synctest.Wait()
		if h, w := u.places.handlers.Load(), u.places.working.Load(); h != 0 || w != 0 {
			t.Errorf("%d handlers, %d at work, after the only one has ended", h, w)
		}
		u.sentOne()
		f.deliver(callFrames(t, 1))
		synctest.Wait()
		u.sentOne()
	})
}

// A call that is too large to read is refused by its number before the connection ends.
func TestTooLargeCallIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u, f := newFeedUnit(t, nil, rawproto.New)
		u.sock.LimitRead(10)
		go read(u.conn, 0)
		f.deliver(callFrames(t, 1))
		synctest.Wait()
		if m := u.sentOne(); m.Seq() != 1 || m.Status().Code() != message.CodeTooLarge {
			t.Errorf("call %d ends with %v", m.Seq(), m.Status())
		}
	})
}

// A goroutine that waits for the next message holds no exchange.
func TestWaitingLoopHoldsNoExchange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u, f := newFeedUnit(t, nil, rawproto.New)
		l := readLoop{c: u.conn, x: getExchange(u.conn, roleNone)}
		go func() { f.in <- callFrames(t, 1) }()
		if !l.wait() || l.x != nil {
			t.Error("it is held")
		}
	})
}

// A message finds nothing of the one before in the exchange that both use.
func TestExchangeIsUsedAgainEmpty(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var found []int
		h := callHandler(func(ctx CallCtx, _ int) (any, *message.Status) {
			found = append(found, ctx.Swap().Len())
			ctx.Swap().Store("k", 1)
			return 1, nil
		})
		h.pace.credit.Store(maxCredit)
		u, f := newFeedUnit(t, h, rawproto.New)
		go read(u.conn, 0)
		f.deliver(callFrames(t, 3))
		synctest.Wait()
		if !slices.Equal(found, []int{0, 0, 0}) {
			t.Errorf("handlers found %v values in their swaps", found)
		}
	})
}
