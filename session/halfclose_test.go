package session

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

// An endingConn delivers some bytes and then the end, and swallows what is written.
// It has no deadlines.
type endingConn struct {
	net.Conn // for the methods that nobody calls
	in       []byte
	once     sync.Once
	closed   chan struct{}
}

func newEndingConn(in []byte) *endingConn { return &endingConn{in: in, closed: make(chan struct{})} }

func (c *endingConn) Read(p []byte) (int, error) {
	n := copy(p, c.in)
	c.in = c.in[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
func (c *endingConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *endingConn) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *endingConn) SetDeadline(time.Time) error      { return nil }
func (c *endingConn) SetReadDeadline(time.Time) error  { return nil }
func (c *endingConn) SetWriteDeadline(time.Time) error { return nil }
func (c *endingConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *endingConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// A halfConn can be closed in one direction.
type halfConn struct{ *endingConn }

func (halfConn) CloseWrite() error { return nil }

// A wrapConn is one around another.
type wrapConn struct{ halfConn }

func (c wrapConn) NetConn() net.Conn { return c.endingConn }

func callFrames(t *testing.T, calls int) []byte {
	t.Helper()
	return frames(t, message.TypeCall, calls)
}

// frames returns n messages to /h.
func frames(t *testing.T, mtype byte, n int) (b []byte) {
	t.Helper()
	p := rawproto.New()
	for seq := range int32(n) {
		m := message.New(message.WithBodyCodec('j'), message.WithBody(seq))
		m.SetMtype(mtype)
		m.SetSeq(seq + 1)
		m.SetServiceMethod("/h")
		var err error
		b, err = p.Pack(b, m)
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestHalfClosedSideIsWaitedFor: a half-closed connection stays open as long as
// handlers end and a while beyond that, but only if it can be half-closed.
func TestHalfClosedSideIsWaitedFor(t *testing.T) {
	stuck := func(ctx context.Context) { <-ctx.Done() }
	second := func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	half := func(c *endingConn) net.Conn { return halfConn{c} }
	for _, c := range []struct {
		name   string
		conn   func(*endingConn) net.Conn
		calls  int
		handle func(context.Context)
		set    func(*conn)
		after  time.Duration // the connection is closed
		pushes bool          // in place of calls
	}{
		{"handler that ends", half, 1, second, nil, time.Second, false},
		{"one that never ends", half, 1, stuck, nil, maxHalfClosed, false},
		{"eight one after another", half, 8, second, nil, 8 * time.Second, false},
		{"eight of pushes", half, 8, second, nil, 8 * time.Second, true},
		{"one of a push that never ends", half, 1, stuck, nil, maxHalfClosed, true},
		{"no handler", half, 0, nil, nil, 0, false},
		{"no half end", func(c *endingConn) net.Conn { return c }, 1, second, nil, 0, false},
		{"no half end below", func(c *endingConn) net.Conn { return wrapConn{halfConn{c}} }, 1, second, nil, 0, false},
		{"proven", half, 1, second, func(c *conn) { c.proof.get().give() }, 0, false},
		{"to be redialed", half, 1, second, func(c *conn) { c.sess.conns.redials = new(redials) }, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := 0
				cut := 0
				handle := func(ctx context.Context) {
					c.handle(ctx)
					if ctx.Err() != nil {
						cut++
					}
					ended++
				}
				call := callHandler(func(ctx CallCtx, _ int) (any, *message.Status) {
					handle(ctx.Context())
					return 1, nil
				})
				push := NewHandler(Spec{
					Name: "/h", Kind: RoutePush, NewArg: func() any { return new(int) },
					Push: func(ctx PushCtx, _ any) *message.Status {
						handle(ctx.Context())
						return nil
					},
				})
				for _, h := range []*Handler{call, push} {
					h.SetOrdered(true)
					h.pace.credit.Store(minCredit)
				}
				mtype := byte(message.TypeCall)
				if c.pushes {
					mtype = message.TypePush
				}
				nc := newEndingConn(frames(t, mtype, c.calls))
				s := newEngine(fakeShared(callRoute{call, push}), c.conn(nc), rawproto.New, "s", nil)
				if c.set != nil {
					c.set(s.conns.current())
				}
				begun := time.Now()
				if _, st := s.open(func(*Hooks, PreSession) *message.Status { return nil }); !st.OK() {
					t.Fatal(st)
				}
				<-nc.closed
				if d := time.Since(begun); d < c.after || d > c.after+100*time.Millisecond {
					t.Errorf("closed after %v, want %v", d, c.after)
				}
				synctest.Wait()
				end := Closed
				if s.conns.redialable() {
					end = Lost
				}
				if s.State() != end || s.Stats().Handlers != 0 {
					t.Errorf("the session is %v, with %d handlers", s.State(), s.Stats().Handlers)
				}
				if c.after > 0 && ended != c.calls {
					t.Errorf("%d of %d handlers ended", ended, c.calls)
				}
				if c.after > maxHalfClosed && cut > 0 {
					t.Errorf("%d handlers were cut off", cut)
				}
				time.Sleep(time.Minute) // until workers and timers have gone
			})
		})
	}
}

// TestStallWatch: it ends only what has made no progress for a while.
func TestStallWatch(t *testing.T) {
	const longest = 3 * time.Second
	for _, c := range []struct {
		name  string
		steps []time.Duration // when it gets on
		over  time.Duration   // when it has ended; 0: never
		want  time.Duration   // when it is ended; 0: never
	}{
		{name: "none", want: longest},
		{name: "one", steps: []time.Duration{time.Second}, want: 2 * longest},
		{name: "just in time", steps: []time.Duration{longest - 1, 2*longest - 1}, want: 3 * longest},
		{name: "too late", steps: []time.Duration{longest + 1}, want: longest},
		{name: "it ends before", over: longest - 1},
		{name: "it gets on, and ends", steps: []time.Duration{time.Second}, over: 2*longest - 1},
	} {
		bubble(t, func(t *testing.T) {
			began := time.Now()
			var steps atomic.Uint64
			var ended atomic.Int64
			for _, at := range c.steps {
				time.AfterFunc(at, func() { steps.Add(1) })
			}
			w := stallWatch{
				longest: longest, progress: steps.Load,
				over:    func() bool { return c.over > 0 && time.Since(began) >= c.over },
				stalled: func() { ended.Add(int64(time.Since(began))) },
			}
			w.start()
			time.Sleep(10 * longest)
			if got := time.Duration(ended.Load()); got != c.want {
				t.Errorf("%s: it is ended after %v, want %v", c.name, got, c.want)
			}
		})
	}
}

// A halfSink is a sink one direction of which may end.
type halfSink struct{ *sink }

func (halfSink) CloseWrite() error { return nil }

// halfUnit is a unit on such a connection.
func halfUnit(t *testing.T) *unit {
	t.Helper()
	k := newSink()
	return halfUnitOn(t, fakeShared(callRoute{}), k, halfSink{k})
}

// halfUnitOn is a unit on nc, which writes to k.
func halfUnitOn(t *testing.T, sh *Shared, k *sink, nc net.Conn) *unit {
	t.Helper()
	u := &unit{t: t, net: k, told: new(fakeUpstream)}
	u.conn = newEngine(sh, nc, rawproto.New, "unit", nil).conns.current()
	u.conn.up = u.told
	t.Cleanup(func() { _ = u.conn.close(nil) }) // perhaps a second time
	return u
}

// With nothing at work the end of what the other side sends is the end.
func TestHalfCloseWithNothingAtWork(t *testing.T) {
	u := halfUnit(t)
	if u.halfClose() || u.goaway.remote.state() != remoteServing {
		t.Errorf("it is half closed: %v", u.goaway.remote.state())
	}
	handler := u.occupy()
	defer handler.free()
	if !u.halfClose() || u.goaway.remote.state() != remoteHalfClosed {
		t.Errorf("a handler is at work: %v", u.goaway.remote.state())
	}
	if u.halfClose() {
		t.Error("it is half closed a second time")
	}
}

// What nothing can answer any more ends at once: calls, and streams that wait for
// the other side. A stream whose opener has sent everything goes on.
func TestWhatEndsWithTheOtherHalf(t *testing.T) {
	u := halfUnit(t)
	u.streamTable().caps.prove(capStreams)
	handler := u.occupy()
	defer handler.free()
	cmd := &CallCmd{sess: u.sess, wake: make(chan struct{}, 1)}
	if _, inFlight, _ := cmd.enter(u.conn); inFlight != 1 {
		t.Fatalf("%d in flight", inFlight)
	}
	opened := openOn(t, u)
	accepted := func(key int32, all bool) *Stream {
		s, err := newStream(u.conn, "/s", 'j', nil)
		if err != nil {
			t.Fatal(err)
		}
		s.key = key
		s.hooks = new(Hooks)
		s.ctx, s.cancel = context.WithCancelCause(t.Context())
		if all {
			s.life.Move(stream.RecvClosed)
		}
		if err := u.streamTable().accept(s, 0, false); err != nil {
			t.Fatal(err)
		}
		return s
	}
	receiving, complete := accepted(1, false), accepted(2, true)
	defer complete.finish(nil, false)
	if !u.halfClose() {
		t.Fatal("it is not half closed")
	}
	receive(t, cmd.wake)
	if cmd.Status().Code() != message.CodeConnClosed {
		t.Errorf("the call ends with %v", cmd.Status())
	}
	for name, s := range map[string]*Stream{"opened here": opened, "that still receives": receiving} {
		if s.outcome.Load() == nil || s.Status().Code() != message.CodeConnClosed {
			t.Errorf("a stream %s goes on", name)
		}
	}
	if complete.outcome.Load() != nil {
		t.Errorf("a stream that has received everything ends with %v", complete.Status())
	}
}

// The replies to a half-closed side are written before the connection ends, even if the
// other side takes a while to read them.
func TestHalfClosedSideGetsWhatWasQueued(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := halfUnit(t)
		handler := u.occupy()
		if !u.halfClose() {
			t.Fatal("it is not half closed")
		}
		u.net.block()
		m := message.New(message.WithBodyCodec('j'), message.WithBody(1))
		m.SetMtype(message.TypeReply)
		m.SetSeq(1)
		if err := u.sock.Send(m, socket.Reserved, socket.FlushLater); err != nil {
			t.Fatal(err)
		}
		handler.free()
		time.Sleep(2 * maxHalfClosed) // the write timeout alone bounds it
		u.want()
		u.net.unblock()
		time.Sleep(time.Second)
		u.want("down: "+errConnClosed.Error(), "closed")
		if got := u.net.messages(t); len(got) != 1 || got[0].Seq() != 1 {
			t.Errorf("written: %v, want the reply", got)
		}
	})
}

// A half-closed connection that is closed is not watched any more: its session is not
// told a second time that it is down.
func TestClosedHalfIsNotWatched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := halfUnit(t)
		handler := u.occupy()
		defer handler.free()
		if !u.halfClose() {
			t.Fatal("it is not half closed")
		}
		if err := u.conn.close(nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * maxHalfClosed)
		u.want("closed")
	})
}

// Bytes that the other side takes are progress, too: replies may be long.
func TestHalfClosedSideThatReadsSlowly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := halfUnit(t)
		handler := u.occupy()
		defer handler.free()
		if !u.halfClose() {
			t.Fatal("it is not half closed")
		}
		for range 4 {
			time.Sleep(maxHalfClosed - time.Second)
			u.want()
			m := message.New(message.WithBodyCodec('j'), message.WithBody(1))
			m.SetMtype(message.TypeReply)
			if err := u.sock.Send(m, socket.Reserved, socket.FlushInline); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * maxHalfClosed)
		u.want("down: "+errConnClosed.Error(), "closed")
	})
}

// So are messages for which there was no room in the queue.
func TestHalfClosedSideGetsWhatIsOwed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sh := fakeShared(callRoute{})
		sh.Socket = socket.Config{QueueLimit: 1 << 10}.Complete()
		k := newSink()
		u := halfUnitOn(t, sh, k, halfSink{k})
		handler := u.occupy()
		if !u.halfClose() {
			t.Fatal("it is not half closed")
		}
		u.net.block()
		const calls = 200 // several queues full
		for seq := range int32(calls) {
			u.owe(debt{what: debtRefusal, code: message.CodeExhausted, seq: 2*seq + 1, cause: errTooManyHandlers})
		}
		if u.debts.peek().empty() {
			t.Fatal("nothing waits for room")
		}
		handler.free()
		time.Sleep(time.Second)
		u.want()
		u.net.unblock()
		time.Sleep(time.Second)
		u.want("down: "+errConnClosed.Error(), "closed")
		if got := u.net.messages(t); len(got) != calls {
			t.Errorf("%d of %d refusals were written", len(got), calls)
		}
	})
}

// A wrapping connection calls asked when it is asked for the connection below.
type wrapping struct {
	halfSink
	asked func()
}

func (c wrapping) NetConn() net.Conn {
	c.asked()
	return c.halfSink
}

// The last handler may end while the connection becomes half-closed.
func TestLastHandlerEndsWhileHalfClosing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var handler slot
		k := newSink()
		u := halfUnitOn(t, fakeShared(callRoute{}), k, wrapping{halfSink{k}, func() { handler.free() }})
		handler = u.occupy()
		if !u.halfClose() {
			t.Fatal("it is not half closed")
		}
		synctest.Wait()
		u.want("down: "+errConnClosed.Error(), "closed")
	})
}
