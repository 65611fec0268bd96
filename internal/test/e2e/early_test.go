package e2e

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/rawproto"
)

func onAccept(f func(erpc.PreSession) *erpc.Status) erpc.Plugin {
	return &erpc.PluginImpl{PluginName: "accept", OnPostAccept: f}
}

func onDial(f func(erpc.PreSession) *erpc.Status) erpc.Plugin {
	return &erpc.PluginImpl{PluginName: "dial", OnPostDial: func(s erpc.PreSession, _ bool) *erpc.Status { return f(s) }}
}

// newText returns the value that early messages of the tests are decoded into.
func newText(erpc.Header) any { return new(string) }

// A handshake in the connect hooks of both sides, with every kind of message,
// before any handler runs.
func TestEarlyMessages(t *testing.T) {
	pushed := make(chan string, 2)
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, onAccept(func(s erpc.PreSession) *erpc.Status {
		m := s.PreReceive(newText)
		if !m.StatusOK() || m.Mtype() != erpc.TypeAuthCall || m.ServiceMethod() != "/auth" || m.BodyCodec() != codec.ID_PLAIN || string(m.Meta().Peek("k")) != "v" {
			return erpc.NewStatus(erpc.CodeBadMessage, m.String())
		}
		if token := *m.Body().(*string); token != "token" {
			return erpc.NewStatus(erpc.CodeUnauthorized, token)
		}
		if st := s.PreSend(erpc.TypeAuthReply, "/auth", "welcome", nil, erpc.WithSetMeta("r", "1")); !st.OK() {
			return st
		}
		call := s.PreReceive(newText)
		if call.Mtype() != erpc.TypeCall || *call.Body().(*string) != "ping" {
			return erpc.NewStatus(erpc.CodeBadMessage, call.String())
		}
		if st := s.PreReply(call, "pong", nil); !st.OK() {
			return st
		}
		refused := s.PreReceive(newText)
		if st := s.PreReply(refused, "not sent", erpc.NewStatus(1001, "no")); !st.OK() {
			return st
		}
		s.SetID("known")
		return s.RawPush("/note/down", "hello") // waits until the other side is ready
	}))
	srv.RouteCall(new(PlainAdder))
	cli := kit.Peer(t, erpc.PeerConfig{}, onDial(func(s erpc.PreSession) *erpc.Status {
		if st := s.PreSend(erpc.TypeAuthCall, "/auth", "token", nil, erpc.WithBodyCodec(codec.ID_PLAIN), erpc.WithAddMeta("k", "v")); !st.OK() {
			return st
		}
		m := s.PreReceive(newText)
		if !m.StatusOK() || m.Mtype() != erpc.TypeAuthReply || *m.Body().(*string) != "welcome" || string(m.Meta().Peek("r")) != "1" {
			t.Errorf("answer %v", m)
		}
		var pong string
		if st := s.PreCall("/ping", "ping", &pong); !st.OK() || pong != "pong" {
			t.Errorf("%q %v", pong, st)
		}
		if st := s.PreCall("/refused", "x", nil); st.Code() != 1001 || st.Msg() != "no" {
			t.Errorf("a refused call: %v", st)
		}
		return nil
	}))
	cli.RoutePush(&Note{Got: pushed})
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	if got := kit.Await(t, "the early push", pushed); got != "/note/down hello" {
		t.Errorf("got %s", got)
	}
	var n int
	if st := sess.Call("/plain_adder/add", []int{1, 2}, &n).Status(); !st.OK() || n != 3 {
		t.Errorf("%d %v", n, st)
	}
	if s, ok := srv.GetSession("known"); !ok || srv.CountSession() != 1 || s.ID() != "known" {
		t.Error("the id that the hook gave is not known")
	}
}

// As in erpc v7's example of early messages, an answer may have its own method, by
// which the other side chooses the type to decode into.
func TestEarlyAnswerHasAMethod(t *testing.T) {
	_, addr := kit.Serve(t, erpc.PeerConfig{}, onAccept(func(s erpc.PreSession) *erpc.Status {
		in := s.PreReceive(newText)
		if st := s.PreSend(erpc.TypeReply, "/early/pong", "OK", nil); !st.OK() {
			return st
		}
		return s.PreReply(in, "again", nil)
	}))
	kit.Dial(t, addr, erpc.PeerConfig{}, onDial(func(s erpc.PreSession) *erpc.Status {
		if st := s.PreSend(erpc.TypeCall, "/early/ping", "author", nil); !st.OK() {
			return st
		}
		for _, want := range []struct{ method, body string }{{"/early/pong", "OK"}, {"/early/ping", "again"}} {
			answer := s.PreReceive(func(h erpc.Header) any {
				if h.ServiceMethod() == want.method {
					return new(string)
				}
				return nil
			})
			if body, ok := answer.Body().(*string); !ok || *body != want.body || answer.Mtype() != erpc.TypeReply {
				t.Errorf("%v, want %v", answer, want)
			}
		}
		return nil
	}))
}

// A call in a dial hook may be answered by a handler, once the other side is open.
func TestPreCallOfAHandler(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	srv.RouteCall(new(PlainAdder))
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	kit.Dial(t, addr, erpc.PeerConfig{}, onDial(func(s erpc.PreSession) *erpc.Status {
		var n int
		if st := s.PreCall("/plain_adder/add", []int{4, 5}, &n, erpc.WithContext(ctx)); !st.OK() || n != 9 {
			t.Errorf("%d %v", n, st)
		}
		if st := s.PreCall("/nowhere", 1, nil); st.Code() != erpc.CodeNotFound {
			t.Errorf("%v", st)
		}
		return nil
	}))
}

// A wait for an early message always ends.
func TestPreReceiveEnds(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  erpc.PeerConfig
		ctx  func() (context.Context, context.CancelFunc)
		want int32
	}{
		"deadline": {erpc.PeerConfig{}, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 20*time.Millisecond)
		}, erpc.CodeHandleTimeout},
		"cancelled":       {erpc.PeerConfig{}, canceled, erpc.CodeCanceled},
		"context age":     {erpc.PeerConfig{DefaultContextAge: 20 * time.Millisecond}, nil, erpc.CodeHandleTimeout},
		"handshake limit": {erpc.PeerConfig{HandshakeTimeout: 20 * time.Millisecond}, nil, erpc.CodeHandleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := kit.Serve(t, erpc.PeerConfig{}) // sends nothing
			cli := kit.Peer(t, c.cfg, onDial(func(s erpc.PreSession) *erpc.Status {
				if c.ctx == nil {
					return s.PreReceive(newText).Status()
				}
				ctx, cancel := c.ctx()
				defer cancel()
				return s.PreReceive(newText, ctx).Status()
			}))
			if _, st := cli.Dial(addr); st.Code() != c.want {
				t.Errorf("%v, want code %d", st, c.want)
			}
		})
	}
	t.Run("the other side is gone", func(t *testing.T) {
		_, addr := kit.Serve(t, erpc.PeerConfig{}, onAccept(func(s erpc.PreSession) *erpc.Status { return erpc.NewStatus(1, "no") }))
		cli := kit.Peer(t, erpc.PeerConfig{}, onDial(func(s erpc.PreSession) *erpc.Status { return s.PreReceive(newText).Status() }))
		if _, st := cli.Dial(addr); st.Code() != erpc.CodeConnClosed {
			t.Errorf("%v", st)
		}
	})
}

func canceled() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}

// Early messages are refused after the hook has returned.
func TestEarlyMessagesAreOverWithTheHook(t *testing.T) {
	kept := make(chan erpc.PreSession, 1)
	_, addr := kit.Serve(t, erpc.PeerConfig{})
	kit.Dial(t, addr, erpc.PeerConfig{}, onDial(func(s erpc.PreSession) *erpc.Status {
		kept <- s
		return nil
	}))
	s := kit.Await(t, "the hook", kept)
	for name, st := range map[string]*erpc.Status{
		"PreSend":    s.PreSend(erpc.TypePush, "/x", 1, nil),
		"PreCall":    s.PreCall("/x", 1, nil),
		"PreReceive": s.PreReceive(newText).Status(),
		"PreReply":   s.PreReply(erpc.NewMessage(), 1, nil),
		"RawPush":    s.RawPush("/x", 1),
	} {
		if st.Code() != erpc.CodeInvalidOp {
			t.Errorf("%s after the hook: %v", name, st)
		}
	}
}

// scrambled flips the bits of all bytes that pass through a connection.
type scrambled struct {
	net.Conn
	bytes *atomic.Int64
}

func (c scrambled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	flip(b[:n])
	c.bytes.Add(int64(n))
	return n, err
}

func (c scrambled) Write(b []byte) (int, error) {
	b = append([]byte(nil), b...)
	flip(b)
	return c.Conn.Write(b)
}

func flip(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

// Both connect hooks may replace the connection and the protocol, with early
// messages before and after.
func TestModifySocket(t *testing.T) {
	var bytes atomic.Int64
	var protos atomic.Int32
	other := func() erpc.Proto { protos.Add(1); return rawproto.New() }
	modify := func(s erpc.PreSession) {
		before := s.RemoteAddr().String()
		s.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { return nil, nil }) // nothing
		if s.GetProtoFunc()() == nil {
			t.Error("no protocol")
		}
		s.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { return scrambled{conn, &bytes}, nil })
		s.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) {
			if _, ok := conn.(scrambled); !ok {
				t.Errorf("the connection is a %T", conn)
			}
			return nil, other
		})
		if s.RemoteAddr().String() != before {
			t.Errorf("the address changed from %s to %v", before, s.RemoteAddr())
		}
	}
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, onAccept(func(s erpc.PreSession) *erpc.Status {
		m := s.PreReceive(newText)
		if st := s.PreReply(m, "plain", nil); !st.OK() {
			return st
		}
		if got := m.Status(); !got.OK() {
			return got
		}
		modify(s)
		return s.PreReply(s.PreReceive(newText), "scrambled", nil)
	}))
	srv.RouteCall(new(PlainAdder))
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{}, onDial(func(s erpc.PreSession) *erpc.Status {
		var answer string
		if st := s.PreCall("/first", "x", &answer); !st.OK() || answer != "plain" {
			t.Errorf("%q %v", answer, st)
		}
		s.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { return scrambled{conn, &bytes}, other })
		if s.GetProtoFunc()() == nil {
			t.Error("no protocol")
		}
		if st := s.PreCall("/second", "x", &answer); !st.OK() || answer != "scrambled" {
			t.Errorf("%q %v", answer, st)
		}
		return nil
	}))
	var n int
	if st := sess.Call("/plain_adder/add", []int{1, 2}, &n).Status(); !st.OK() || n != 3 {
		t.Errorf("%d %v", n, st)
	}
	if bytes.Load() == 0 || protos.Load() < 2 {
		t.Errorf("%d bytes were scrambled, %d protocols made", bytes.Load(), protos.Load())
	}
}

func TestControlFD(t *testing.T) {
	var fds atomic.Int32
	hook := func(s erpc.PreSession) *erpc.Status {
		return erpc.StatusFromError(s.ControlFD(func(fd uintptr) {
			if fd > 2 {
				fds.Add(1)
			}
		}))
	}
	_, addr := kit.Serve(t, erpc.PeerConfig{}, onAccept(hook))
	kit.Dial(t, addr, erpc.PeerConfig{}, onDial(hook))
	kit.Eventually(t, kit.Bound, "a descriptor on both sides", func() bool { return fds.Load() == 2 })
}
