package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

// TestWireConstants: these must never change.
func TestWireConstants(t *testing.T) {
	for got, want := range map[string]string{
		MetaTimeout: "X-Erpc-Timeout", metaHello: "X-Erpc-Hello", metaRefused: "X-Erpc-Refused", metaCaps: "X-Erpc-Caps", metaEnd: "X-Erpc-End",
		controlHello: "/erpc.control/hello", controlCancel: "/erpc.control/cancel", controlGoAway: "/erpc.control/goaway",
		controlBye: "/erpc.control/bye", controlEnd: "/erpc.control/end", controlCaps: "/erpc.control/caps",
		fmt.Sprint(minProofSeq, " ", maxProofSeq): "16777216 1073741824",
		seqText(16777217):                         "16777217",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for range 1000 {
		if n := drawSeq(); n < minProofSeq || n >= maxProofSeq {
			t.Fatalf("drew %d", n)
		}
	}
}

func TestNamesSeq(t *testing.T) {
	for _, c := range []struct {
		value string
		seq   int32
		want  bool
	}{
		{"16777217", 16777217, true},
		{"16777217 streams", 16777217, true}, // of a later version
		{"16777217", 16777218, false},
		{"", 0, false}, {"0", 0, false}, {"-5", -5, false}, {"x", 1, false},
		{"4311744513", 16777217, false}, // the same modulo 2³²
		{strings.Repeat("0", 70) + "1", 1, false},
	} {
		if got := namesSeq([]byte(c.value), c.seq); got != c.want {
			t.Errorf("%q names %d: %v", c.value, c.seq, got)
		}
	}
}

// An otherSide is the other side of a session, message by message.
type otherSide struct {
	t    *testing.T
	sock *socket.Socket
}

func (w otherSide) send(mtype byte, seq int32, method string, set ...message.Setting) {
	w.t.Helper()
	m := message.New(set...)
	m.SetMtype(mtype)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	if err := w.sock.Send(m, socket.ByPolicy, socket.FlushInline); err != nil {
		w.t.Error(err)
	}
}

func (w otherSide) receive() *message.Message {
	w.t.Helper()
	_ = w.sock.Conn().SetReadDeadline(time.Now().Add(longest)) // fails only on a closed connection; the next read reports that
	m := message.New()
	if err := w.sock.Read(m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// silent fails the test if a message arrives within a short time.
func (w otherSide) silent() {
	w.t.Helper()
	_ = w.sock.Conn().SetReadDeadline(time.Now().Add(30 * time.Millisecond)) // fails only on a closed connection; the next read reports that
	m := message.New()
	if err := w.sock.Read(m); !isTimeout(err) {
		w.t.Errorf("got %v, %v", m, err)
	}
}

// onWire returns a session and its other side. dialed says which of them dialed.
func onWire(t *testing.T, sh *Shared, dial Dial) (*Engine, otherSide) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	a, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s, st := Dialed(sh, a, rawproto.New, "s", dial)
	if !st.OK() {
		t.Fatal(st)
	}
	w := otherSide{t, socket.New(b, rawproto.New(), socket.Config{}.Complete())}
	t.Cleanup(func() {
		_ = s.Close()
		_ = w.sock.Close()
	})
	return s, w
}

func TestUnmarkedCallsAreAsBefore(t *testing.T) {
	s, w := onWire(t, fakeShared(oneRoute{}), nil)
	for seq := range int32(3) {
		s.AsyncCall("/x", 1, nil, nil)
		if m := w.receive(); m.Seq() != seq+1 || m.Meta().Len() != 0 {
			t.Errorf("got %v", m)
		}
	}
}

func TestProofOfTheCallee(t *testing.T) {
	s, w := onWire(t, fakeShared(oneRoute{}), nil)
	call := func() *message.Message {
		s.AsyncCall("/x", 1, nil, nil, WithTimeout(time.Hour))
		return w.receive()
	}
	first := call()
	seq := first.Seq()
	if seq < minProofSeq || first.Meta().Get(metaHello) != seqText(seq) {
		t.Fatalf("the first call is %v", first)
	}
	if m := call(); m.Seq() != seq+1 || m.Meta().Peek(metaHello) != nil {
		t.Errorf("the second call is %v", m)
	}
	hello := func(wireSeq, named int32) {
		w.send(message.TypePush, wireSeq, controlHello, message.WithSetMeta(metaHello, seqText(named)))
	}
	given := func() bool {
		w.send(message.TypeCall, 1, "/nothing") // its reply comes after what was sent before
		w.receive()
		return s.conns.current().proof.peek().given()
	}
	hello(5, seq) // what a proxy makes of it
	hello(5, 5)
	hello(seq, 5)
	hello(seq+1, seq+1)
	w.send(message.TypePush, seq, controlHello)
	w.send(message.TypePush, 0, controlGoAway)
	if given() || s.conns.current().goaway.remote.state() != remoteServing {
		t.Fatal("proven by what a proxy could have passed on")
	}
	cmd := s.AsyncCall("/x", 1, nil, nil)
	cancelled := w.receive().Seq()
	cmd.Cancel()
	w.silent() // not before the proof
	hello(seq, seq)
	if m := w.receive(); m.ServiceMethod() != controlCancel || m.Seq() != cancelled {
		t.Errorf("got %v, want the cancel", m)
	}
	if !given() {
		t.Error("a hello that answers proves nothing")
	}
}

func TestProofOfTheCaller(t *testing.T) {
	sh := fakeShared(callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })})
	for _, c := range []struct {
		name       string
		seq, named int32
		want       bool
	}{
		{"a proxy's number", 17, 1 << 25, false},
		{"a small number", 17, 17, false},
		{"its own number", 1 << 25, 1 << 25, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := onWire(t, sh, nil)
			for range 2 {
				w.send(message.TypeCall, c.seq, "/h", message.WithSetMeta(MetaTimeout, "0"), message.WithSetMeta(metaHello, seqText(c.named)), message.WithBody(1), message.WithBodyCodec('j'))
				if c.want {
					if m := w.receive(); m.ServiceMethod() != controlHello || m.Seq() != c.seq || m.Meta().Get(metaHello) != seqText(c.seq) {
						t.Errorf("got %v, want a hello", m)
					}
					c.want = false // once
				}
				if m := w.receive(); m.Mtype() != message.TypeReply || !m.StatusOK() {
					t.Errorf("got %v", m)
				}
			}
			_, _ = s.Drain()
			if given := s.conns.current().proof.peek().given(); given {
				if m := w.receive(); m.ServiceMethod() != controlGoAway {
					t.Errorf("got %v, want a goaway", m)
				}
			} else {
				w.silent()
			}
		})
	}
}

// TestForwardedRefusalIsNotOne: whatever a handler passes on, only the session
// itself says that a call was not executed.
func TestForwardedRefusalIsNotOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler func(CallCtx) *message.Status
		hook    *message.Status // of a hook in front of the handler
		want    bool
	}{
		{name: "a status with the code of a shutdown", handler: func(CallCtx) *message.Status {
			return message.NewStatusByCodeText(message.CodeShuttingDown, ErrShutdown, false)
		}},
		{name: "one that is marked", handler: func(CallCtx) *message.Status {
			return Refusal(message.NewStatusByCodeText(message.CodeShuttingDown, ErrShutdown, false))
		}},
		{name: "the mark itself", handler: func(ctx CallCtx) *message.Status {
			ctx.SetMeta(metaRefused, seqText(ctx.Seq()))
			return message.NewStatusByCodeText(message.CodeShuttingDown, ErrShutdown, false)
		}},
		{name: "a hook's refusal", hook: Refusal(message.NewStatus(message.CodeExhausted, "busy", "")), want: true},
		{name: "a hook's other status", hook: message.NewStatus(message.CodeExhausted, "busy", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var executed atomic.Int64
			h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
				executed.Add(1)
				return nil, c.handler(ctx)
			})
			srv := startServer(t, callRoute{call: h}, func(sh *Shared) {
				if c.hook != nil {
					sh.Hooks.Load().postReadCallHeader = []PostReadCallHeaderPlugin{refusing{c.hook}}
				}
			})
			s := srv.connect(1, nil)
			for _, async := range []bool{false, true} {
				cmd := s.AsyncCall
				st := func() *message.Status {
					if async {
						return cmd("/h", 1, nil, nil).Status()
					}
					return s.Call("/h", 1, nil).Status()
				}()
				if st.OK() || NotExecuted(st) != c.want {
					t.Errorf("async %v: %v, not executed %v", async, st, NotExecuted(st))
				}
			}
			if want := int64(2); c.handler != nil && executed.Load() != want {
				t.Errorf("executed %d times, want %d", executed.Load(), want)
			}
		})
	}
}

type refusing struct{ st *message.Status }

func (refusing) Name() string                                 { return "refusing" }
func (r refusing) PostReadCallHeader(ReadCtx) *message.Status { return r.st }

func TestRefusalIsSeenAndResent(t *testing.T) {
	var executed atomic.Int64
	srv := startServer(t, callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { executed.Add(1); return n, nil })}, nil)
	s := srv.connect(-1, nil)
	old := srv.next()
	if st := s.Call("/h", 1, new(int)).Status(); !st.OK() {
		t.Fatal(st)
	}
	c := old.conns.current()
	c.goaway.local.move(localServing, localDraining) // without a goaway, as if that were on its way
	if st := s.Call("/h", 2, new(int)).Status(); !st.OK() {
		t.Errorf("a call that was refused: %v", st)
	}
	if executed.Load() != 2 {
		t.Errorf("executed %d times", executed.Load())
	}
	if srv.next(); s.conns.current().sock.Stats().MessagesIn == 0 {
		t.Error("it was not sent over another connection")
	}
}

func TestRefusalsAreMarked(t *testing.T) {
	block := make(chan struct{})
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { <-block; return n, nil })
	srv := startServer(t, callRoute{call: h}, func(sh *Shared) { sh.MaxHandlers = 1 })
	s := srv.connect(1, nil)
	srv.next()
	first := s.AsyncCall("/h", 1, new(int), nil)
	eventually(t, "the handler", func() bool { return srv.shared.Handlers() == 1 })
	cmd := s.Call("/h", 2, nil)
	if st := cmd.Status(); st.Code() != message.CodeExhausted || !NotExecuted(st) {
		t.Errorf("refused with %v, not executed %v", st, NotExecuted(st))
	}
	if cmd.InputMeta().Peek(metaRefused) != nil {
		t.Error("the mark is left for somebody to pass on")
	}
	close(block)
	if st := first.Status(); !st.OK() {
		t.Error(st)
	}
}

func TestNotExecuted(t *testing.T) {
	cause := errors.New("why")
	st := Refusal(message.NewStatus(message.CodeExhausted, "busy", cause))
	if !NotExecuted(st) || !errors.Is(st.Cause(), cause) || st.Cause().Error() != "why" || st.Code() != message.CodeExhausted {
		t.Errorf("%v", st)
	}
	if NotExecuted(nil) || NotExecuted(message.NewStatus(message.CodeExhausted, "busy", cause)) || Refusal(nil) != nil || Refusal(st) != st {
		t.Error("nil or an unmarked status counts as marked")
	}
	bare := message.NewStatus(message.CodeExhausted, "busy")
	if st := Refusal(bare); !NotExecuted(st) || string(plain(st).AppendQuery(nil)) != string(bare.AppendQuery(nil)) {
		t.Errorf("without a cause: %v", st)
	}
	if got := plain(st); got.Cause() != cause || NotExecuted(got) {
		t.Errorf("on the wire: %v", got)
	}
}

// TestReaderNeverWaitsToRefuse: both sides of a session get only calls that they
// refuse, more than the queues hold. Both go on.
func TestReaderNeverWaitsToRefuse(t *testing.T) {
	small := func(sh *Shared) {
		sh.MaxHandlers = 1
		sh.Socket = socket.Config{QueueLimit: 4 << 10}.Complete()
	}
	block := make(chan struct{})
	busy := callHandler(func(_ CallCtx, n int) (any, *message.Status) { <-block; return n, nil })
	sh := fakeShared(callRoute{call: busy})
	small(sh)
	s, w := onWire(t, sh, nil)
	w.send(message.TypeCall, 1, "/h", message.WithBody(1), message.WithBodyCodec('j'))
	eventually(t, "the handler", func() bool { return sh.Handlers() == 1 })
	const calls = 20_000 // and their refusals are not read
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for seq := range int32(calls) {
			w.send(message.TypeCall, seq+2, "/h", message.WithBody(1), message.WithBodyCodec('j'))
		}
	}()
	receive(t, sent)
	eventually(t, "all read", func() bool { return s.Stats().MessagesIn == calls+1 })
	for seq := range int32(calls) {
		if m := w.receive(); m.Mtype() != message.TypeReply || m.Seq() != seq+2 || m.Status().Code() != message.CodeExhausted {
			t.Fatalf("got %v", m)
		}
	}
	close(block)
	if m := w.receive(); m.Seq() != 1 || !m.StatusOK() {
		t.Errorf("got %v", m)
	}
	eventually(t, "nothing owed", s.conns.current().debts.get().empty)
}

func TestSideThatTakesNothingIsCutOff(t *testing.T) {
	sh := fakeShared(callRoute{call: callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })})
	s, _ := onWire(t, sh, nil)
	c := s.conns.current()
	c.debts.get().mu.Lock()
	c.debts.get().paying = true // somebody waits for room
	c.debts.get().mu.Unlock()
	for range maxDebts {
		c.owe(debt{what: debtRefusal, seq: 1})
	}
	if s.State() != Open {
		t.Fatalf("cut off too early: %v", s.Err())
	}
	c.owe(debt{what: debtRefusal, seq: 1})
	receive(t, s.CloseNotify())
	if !errors.Is(s.Err(), socket.ErrSlowReader) {
		t.Errorf("ended with %v", s.Err())
	}
}

func TestPushLogHasOneLineASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		u := newUnit(t, nil, nil)
		u.shared.Logger = slog.New(slog.NewTextHandler(&out, nil))
		u.shared.print = logging.Printer{L: u.shared.Logger}
		x := getExchange(u.conn, roleInbound)
		defer putExchange(x)
		x.in.SetServiceMethod("/x")
		var l pushLog
		for range 1000 {
			l.note(x, "push refused", errAttr(errTooManyHandlers))
		}
		time.Sleep(pushLogEvery + time.Millisecond)
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "pushes=999") || !strings.Contains(out.String(), "method=/x") {
			t.Errorf("%d lines: %s", n, out.String())
		}
		time.Sleep(2 * pushLogEvery)
		synctest.Wait()
		l.note(x, "push refused", errAttr(errTooManyHandlers))
		time.Sleep(2 * pushLogEvery)
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n != 3 {
			t.Errorf("%d lines: %s", n, out.String())
		}
	})
}

// TestNoCallInFrontOfTheOffer makes many first calls at the same time. The one that
// carries the offer arrives first, so that refusals of the others can be proven.
func TestNoCallInFrontOfTheOffer(t *testing.T) {
	for range 50 {
		sh := fakeShared(oneRoute{})
		sh.RedialTimes = -1
		s, w := onWire(t, sh, func(context.Context) (net.Conn, *message.Status) {
			return nil, newStatus(message.CodeDialFailed, "not again")
		})
		const calls = 8
		var begin, wg sync.WaitGroup
		begin.Add(1)
		for range calls {
			wg.Go(func() {
				begin.Wait()
				s.AsyncCall("/x", 1, nil, nil)
			})
		}
		begin.Done()
		for i := range calls {
			if m := w.receive(); (m.Meta().Peek(metaHello) != nil) != (i == 0) {
				t.Errorf("message %d is %v", i, m)
			}
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
