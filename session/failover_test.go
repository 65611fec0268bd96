package session

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A dyingConn is a connection that its other side can close: from then on writes fail,
// and what came before can still be read.
type dyingConn struct {
	*sink
	broken atomic.Bool
	unread chan []byte // closed at the end of what came before
}

func newDyingConn() *dyingConn { return &dyingConn{sink: newSink(), unread: make(chan []byte, 300)} }

func (c *dyingConn) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.EPIPE
	}
	return c.sink.Write(p)
}

func (c *dyingConn) Read(p []byte) (int, error) {
	select {
	case b, ok := <-c.unread:
		if !ok {
			return 0, io.EOF
		}
		return copy(p, b), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// A failover is a session that redials, in a bubble. Its first connection is in the
// hands of the test; every other one leads to a peer with the routes far.
type failover struct {
	*testing.T
	s     *Engine
	first *dyingConn
	ask   func() // called once, in front of the question whether the other side has streams; nil: not called
}

// An askingProto is the raw protocol that can't say at once whether it carries streams.
type askingProto struct {
	proto.Proto
	f *failover
}

func (f *failover) proto() proto.Proto { return askingProto{rawproto.New(), f} }

// CarriesType implements [proto.Limited].
func (p askingProto) CarriesType(byte) bool {
	ask := p.f.ask
	p.f.ask = nil
	if ask != nil {
		ask()
	}
	return true
}

func failsOver(t *testing.T, far Routes, test func(t *failover), settings ...func(near *Shared)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		sh := fakeShared(far)
		dial := func(context.Context) (net.Conn, *message.Status) {
			a, b := net.Pipe()
			go func() {
				there, st := Accept(sh, b, rawproto.New, "there")
				if !st.OK() {
					t.Error(st)
					return
				}
				t.Cleanup(func() { _ = there.Close() }) // it may have ended
			}()
			return a, nil
		}
		near := fakeShared(oneRoute{})
		for _, set := range settings {
			set(near)
		}
		near.RedialTimes, near.RedialFirst, near.RedialLongest = -1, time.Millisecond, time.Millisecond
		first := newDyingConn()
		f := &failover{T: t, first: first}
		var st *message.Status
		f.s, st = Dialed(near, first, f.proto, "here", dial)
		if !st.OK() {
			t.Fatal(st)
		}
		defer f.s.Close()
		test(f)
	})
}

// breakFirst makes a write on the first connection fail.
func (f *failover) breakFirst() {
	f.Helper()
	c := f.s.conns.current()
	f.first.broken.Store(true)
	if st := f.s.Push("/h", 0); !st.OK() { // it is queued
		f.Fatal(st)
	}
	synctest.Wait()
	if c.sock.Err() == nil || f.s.conns.current() != c {
		f.Fatalf("the connection still takes messages: %v", c.sock.Err())
	}
}

// written returns the one message that was written on the first connection since the
// last call.
func (f *failover) written() *message.Message {
	f.Helper()
	synctest.Wait()
	all := f.first.messages(f.T)
	if len(all) != 1 {
		f.Fatalf("%d messages were written, want one", len(all))
	}
	return all[0]
}

// arrive makes m arrive on the first connection.
func (f *failover) arrive(mtype byte, seq int32, method string, body any) {
	f.Helper()
	m := message.New()
	m.SetMtype(mtype)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	m.SetBodyCodec('j')
	m.SetBody(body)
	b, err := f.s.conns.current().sock.Pack(m)
	if err != nil {
		f.Fatal(err)
	}
	f.first.unread <- b
}

// When a write shows that the connection is broken, the session moves to another one,
// and calls whose replies have come get them.
func TestRepliesThatCameBeforeAFailedWrite(t *testing.T) {
	for _, c := range []struct {
		name string
		send func(*Engine) *message.Status
	}{
		{"call", func(s *Engine) *message.Status { return s.Call("/h", 1, new(int)).Status() }},
		{"async", func(s *Engine) *message.Status { return s.AsyncCall("/h", 1, new(int), nil).Status() }},
		{"push", func(s *Engine) *message.Status { return s.Push("/h", 1) }},
		{"batch", func(s *Engine) *message.Status {
			b := NewBatch(s)
			b.Push("/h", 1)
			b.Call("/h", 1, new(int))
			return b.Do(context.Background())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			there := routes{
				call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil }),
				push: pushHandler(func(int) {}),
			}
			failsOver(t, there, func(t *failover) {
				result := new(int)
				answered := t.s.AsyncCall("/h", 1, result, nil)
				seq := t.written().Seq()
				unanswered := t.s.AsyncCall("/h", 1, new(int), nil)
				t.written()
				t.breakFirst()
				if st := c.send(t.s); !st.OK() {
					t.Errorf("over the next connection: %v", st)
				}
				if !t.s.Connected() {
					t.Error("the session is not connected again")
				}
				if err := t.s.Flush(t.Context()); err != nil {
					t.Errorf("Flush, while the former connection is read: %v", err)
				}
				t.arrive(message.TypeReply, seq, "", 7)
				close(t.first.unread)
				if st := answered.Status(); !st.OK() || *result != 7 {
					t.Errorf("the call whose reply had come: %v, result %d", st, *result)
				}
				if st := unanswered.Status(); st.Code() != message.CodeConnClosed {
					t.Errorf("the other call: %v", st)
				}
				synctest.Wait()
				if left := t.s.conns.all(); len(left) != 1 || left[0].isClosed() {
					t.Errorf("the session still has %d connections", len(left))
				}
			})
		})
	}
}

// A broadcast does not wait for a redial, but it begins one.
func TestBroadcastFrameOnABrokenConnection(t *testing.T) {
	got := make(chan int, 2)
	failsOver(t, routes{push: pushHandler(func(n int) { got <- n })}, func(t *failover) {
		frame, st := t.s.Pack("/h", 7)
		if !st.OK() {
			t.Fatal(st)
		}
		t.breakFirst()
		if st := t.s.Send(t.Context(), frame, true); st.Code() != message.CodeConnClosed {
			t.Errorf("on the broken connection: %v", st)
		}
		time.Sleep(100 * time.Millisecond) // less than a broken connection is kept for its reader
		if st := t.s.Send(t.Context(), frame, true); !st.OK() {
			t.Fatalf("after the redial: %v", st)
		}
		synctest.Wait()
		select {
		case n := <-got:
			if n != 7 {
				t.Errorf("%d arrived", n)
			}
		default:
			t.Error("nothing arrived")
		}
	})
}

// Connected changes when a write fails, though the session does not redial before its
// next message, or before everything is read.
func TestFailedWriteIsAChange(t *testing.T) {
	failsOver(t, routes{}, func(t *failover) {
		changed := t.s.Changed()
		if !t.s.Connected() {
			t.Fatal("not connected")
		}
		t.breakFirst()
		if !isEnded(changed) {
			t.Error("nobody is told of the failed write")
		}
		changed = t.s.Changed()
		if t.s.Connected() || !t.s.Health() {
			t.Errorf("connected %v, healthy %v", t.s.Connected(), t.s.Health())
		}
		close(t.first.unread)
		time.Sleep(100 * time.Millisecond) // less than a broken connection is kept for its reader
		if !isEnded(changed) || !t.s.Connected() {
			t.Errorf("after the redial: told %v, connected %v", isEnded(changed), t.s.Connected())
		}
	})
}

func isEnded(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// streamEnds counts the ends of streams.
type streamEnds struct{ n atomic.Int32 }

func (*streamEnds) Name() string                 { return "ends" }
func (p *streamEnds) PostEndStream(StreamEndCtx) { p.n.Add(1) }

// A stream whose opening was not sent is opened over the next connection, as a call
// is sent there.
func TestStreamsAreOpenedOverTheNextConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(*failover) (*Stream, *message.Status)
	}{
		{"the question fails", func(t *failover) (*Stream, *message.Status) {
			t.breakFirst()
			return t.s.OpenStream(t.Context(), "/s")
		}},
		{"the opening fails", func(t *failover) (*Stream, *message.Status) {
			t.s.conns.current().streamTable().caps.prove(capStreams)
			t.breakFirst()
			return t.s.OpenStream(t.Context(), "/s")
		}},
		{"the question gets no answer", func(t *failover) (s *Stream, st *message.Status) {
			opened := make(chan struct{})
			go func() {
				defer close(opened)
				s, st = t.s.OpenStream(t.Context(), "/s")
			}()
			if m := t.written(); m.ServiceMethod() != controlCaps {
				t.Errorf("it asks %v", m)
			}
			close(t.first.unread)
			<-opened
			return s, st
		}},
		{"the other side leaves before the question", func(t *failover) (*Stream, *message.Status) {
			t.ask = func() { t.s.connLeaving(t.s.conns.current()) }
			return t.s.OpenStream(t.Context(), "/s")
		}},
		{"the other side leaves before the opening", func(t *failover) (*Stream, *message.Status) {
			t.s.conns.current().streamTable().caps.prove(capStreams)
			t.ask = func() { t.s.connLeaving(t.s.conns.current()) }
			return t.s.OpenStream(t.Context(), "/s")
		}},
		{"the other side leaves while streams are open", func(t *failover) (*Stream, *message.Status) {
			t.s.conns.current().streamTable().caps.prove(capStreams)
			open, st := t.s.OpenStream(t.Context(), "/s")
			if !st.OK() {
				return nil, st
			}
			t.Cleanup(func() { _ = open.Close() }) // it may have ended
			t.ask = func() { t.s.connLeaving(t.s.conns.current()) }
			return t.s.OpenStream(t.Context(), "/s")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ends streamEnds
			failsOver(t, routes{stream: streamHandler(echo)}, func(t *failover) {
				first := t.s.conns.current()
				s, st := c.open(t)
				if !st.OK() {
					t.Fatal(st)
				}
				if s.conn == first {
					t.Fatal("it is on the first connection")
				}
				if err := s.Send(5); err != nil {
					t.Error(err)
				}
				var got int
				if err := s.Recv(&got); err != nil || got != 5 {
					t.Errorf("got %d, %v", got, err)
				}
				synctest.Wait()
				if n := ends.n.Load(); n > 0 {
					t.Errorf("%d ends before that of the stream", n)
				}
				_ = s.Close()
				synctest.Wait()
				if n := ends.n.Load(); n != 1 {
					t.Errorf("%d ends of one stream", n)
				}
			}, func(near *Shared) { near.Hooks.Store(NewHooks([]plugin.Plugin{&ends})) })
		})
	}
}

// A session that does not redial opens no stream while the other side leaves, and makes
// no call; the status is the same.
func TestNoStreamToASideThatLeaves(t *testing.T) {
	for _, proven := range []bool{false, true} {
		duets(t, routes{stream: streamHandler(echo)}, func(d *duet) {
			if proven {
				if err := d.open(d.Context()).Close(); err != nil {
					d.Error(err)
				}
			}
			d.here.conns.current().leave()
			call := d.here.Call("/h", 1, nil).Status()
			_, st := d.here.OpenStream(d.Context(), "/s")
			if st.Code() != message.CodeShuttingDown || !NotExecuted(st) || st.Code() != call.Code() {
				d.Errorf("known to have streams: %v; a stream gets %v, a call %v", proven, st, call)
			}
		})
	}
}

// The end of a connection while a stream is opened on it is told once, or not at all if
// the opening was not sent.
func TestEndWhileAStreamIsOpened(t *testing.T) {
	for _, sent := range []bool{false, true} {
		var ends streamEnds
		bubble(t, func(t *testing.T) {
			u := streamUnit(t, nil, func(sh *Shared) { sh.Hooks.Store(NewHooks([]plugin.Plugin{&ends})) })
			u.net.block()
			x := getExchange(u.conn, roleOutgoing)
			defer putExchange(x)
			o := streamOpening{x, u.shared.Hooks.Load()}
			if st := o.compose(t.Context(), "/s", nil); !st.OK() {
				t.Fatal(st)
			}
			if sent {
				s, st := o.on(u.conn)
				if !st.OK() {
					t.Fatal(st)
				}
				u.streams.Load().end(nil)
				if code := s.Status().Code(); code != message.CodeConnClosed {
					t.Errorf("the stream ended with %d", code)
				}
			} else {
				_ = u.sock.Close() // before the stream is told
				if _, st := o.on(u.conn); st.Code() != message.CodeConnClosed {
					t.Errorf("it was opened: %v", st)
				}
			}
			synctest.Wait()
			want := int32(0)
			if sent {
				want = 1
			}
			if n := ends.n.Load(); n != want {
				t.Errorf("sent %v: %d ends were told", sent, n)
			}
		})
	}
}

// What arrives above the limit in flight can't be answered on a broken connection, but
// replies behind it are read.
func TestRepliesBehindWhatIsRefusedOnABrokenConnection(t *testing.T) {
	failsOver(t, routes{}, func(t *failover) {
		result := new(int)
		call := t.s.AsyncCall("/h", 1, result, nil)
		seq := t.written().Seq()
		t.s.conns.current().budget.add(2) // something is at work
		t.breakFirst()
		for n := range int32(200) {
			t.arrive(message.TypeCall, n+1, "/h", n)
		}
		t.arrive(message.TypeReply, seq, "", 7)
		close(t.first.unread)
		if st := call.Status(); !st.OK() || *result != 7 {
			t.Errorf("%v, result %d", st, *result)
		}
	}, func(near *Shared) { near.InflightLimit = 1 })
}
