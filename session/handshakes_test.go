package session

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A connectHook runs f as the connect hook of either side.
type connectHook struct {
	f    func(PreSession) *message.Status
	gone chan<- struct{} // of a disconnect; may be nil
}

func (connectHook) Name() string                                    { return "connect" }
func (h connectHook) PostDial(p PreSession, _ bool) *message.Status { return h.f(p) }
func (h connectHook) PostAccept(p PreSession) *message.Status       { return h.f(p) }
func (h connectHook) PostDisconnect(Base) *message.Status {
	if h.gone != nil {
		h.gone <- struct{}{}
	}
	return nil
}

// handshake runs the connect hooks of both sides and returns the outcome of each.
func handshake(t *testing.T, here, there func(PreSession) *message.Status, settings ...duetSetting) (dialed, accepted *message.Status) {
	t.Helper()
	a, b := net.Pipe()
	sa, sb := fakeShared(routes{}), fakeShared(routes{})
	sa.Hooks.Store(NewHooks([]plugin.Plugin{connectHook{f: here}}))
	sb.Hooks.Store(NewHooks([]plugin.Plugin{connectHook{f: there}}))
	for _, set := range settings {
		set(sa, sb)
	}
	done := make(chan *message.Status, 1)
	go func() {
		s, st := Accept(sb, b, rawproto.New, "there")
		if st.OK() {
			defer s.Close()
		}
		done <- st
	}()
	s, dialed := Dialed(sa, a, rawproto.New, "here", nil)
	if dialed.OK() {
		defer s.Close()
	}
	return dialed, <-done
}

func nothing(PreSession) *message.Status { return nil }

// receiveText receives one message, whose body is a text.
func receiveText(p PreSession) (m *message.Message, text string) {
	m = p.PreReceive(func(*message.Header) any { return &text })
	return m, text
}

// Messages of connect hooks, and what each side makes of them.
func TestMessagesOfConnectHooks(t *testing.T) {
	answer := func(body string, st *message.Status) func(PreSession) *message.Status {
		return func(p PreSession) *message.Status {
			m, text := receiveText(p)
			if !m.StatusOK() {
				return m.Status()
			}
			if m.Mtype() != message.TypeCall || m.ServiceMethod() != "/hello" || text != "anna" || m.Meta().Get("k") != "v" {
				t.Errorf("got %v, body %q", m, text)
			}
			return p.PreReply(m, body, st)
		}
	}
	call := func(want string, code int32) func(PreSession) *message.Status {
		return func(p PreSession) *message.Status {
			var reply string
			st := p.PreCall("/hello", "anna", &reply, message.WithSetMeta("k", "v"))
			if st.Code() != code || reply != want {
				t.Errorf("the reply is %q, %v; want %q, code %d", reply, st, want, code)
			}
			return st
		}
	}
	for _, c := range []struct {
		name        string
		here, there func(PreSession) *message.Status
		dialed      int32
		accepted    int32
	}{
		{"call and reply", call("welcome", 0), answer("welcome", nil), 0, 0},
		{"call and refusal", call("", 1234), answer("", message.NewStatus(1234, "no")), 1234, 0},
		{"a push instead of a reply", call("", message.CodeMtypeNotAllowed), func(p PreSession) *message.Status {
			if m, _ := receiveText(p); !m.StatusOK() {
				return m.Status()
			}
			return p.RawPush("/note", "first")
		}, message.CodeMtypeNotAllowed, 0},
		{"a push, and a message of a kind of one's own", func(p PreSession) *message.Status {
			if st := p.RawPush("/note", "one"); !st.OK() {
				return st
			}
			return p.PreSend(message.TypeAuthCall, "/auth", "two", nil)
		}, func(p PreSession) *message.Status {
			for _, want := range []struct {
				mtype byte
				text  string
			}{{message.TypePush, "one"}, {message.TypeAuthCall, "two"}} {
				if m, text := receiveText(p); m.Mtype() != want.mtype || text != want.text {
					t.Errorf("got %v, %q; want %q", m, text, want.text)
				}
			}
			return nil
		}, 0, 0},
		{"a status is sent without a body", func(p PreSession) *message.Status {
			return p.PreSend(message.TypePush, "/note", "secret", message.NewStatus(1234, "no"))
		}, func(p PreSession) *message.Status {
			m, text := receiveText(p)
			if text != "" || m.Status().Code() != 1234 {
				t.Errorf("got %v, %q", m, text)
			}
			return nil
		}, 0, 0},
		{"a body of another type", func(p PreSession) *message.Status { return p.RawPush("/note", 5) }, func(p PreSession) *message.Status {
			m, _ := receiveText(p)
			return m.Status()
		}, 0, message.CodeBadMessage},
		{"what can't be encoded", func(p PreSession) *message.Status { return p.RawPush("/note", func() {}) }, func(p PreSession) *message.Status {
			m, _ := receiveText(p)
			return m.Status()
		}, message.CodeWriteFailed, message.CodeConnClosed},
		{"the other side hangs up", func(p PreSession) *message.Status { return p.PreCall("/hello", nil, nil) }, func(p PreSession) *message.Status {
			_ = p.Close() // its error is that of the connection
			return nil
		}, message.CodeConnClosed, message.CodeConnClosed},
		{"a hook panics", func(PreSession) *message.Status { panic("oops") }, func(p PreSession) *message.Status {
			m, _ := receiveText(p)
			return m.Status()
		}, message.CodeInternalServerError, message.CodeConnClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				dialed, accepted := handshake(t, c.here, c.there)
				if dialed.Code() != c.dialed || accepted.Code() != c.accepted {
					t.Errorf("dialed %v, accepted %v; want the codes %d, %d", dialed, accepted, c.dialed, c.accepted)
				}
			})
		})
	}
}

// A connect hook waits no longer than its context, the context age and the limit
// of the handshake allow, whichever is the soonest.
func TestTimeLimitsOfConnectHooks(t *testing.T) {
	for _, c := range []struct {
		name                        string
		context, age, limit, cancel time.Duration // 0: none
		want                        time.Duration
		code                        int32
	}{
		{"context", time.Second, 0, 0, 0, time.Second, message.CodeHandleTimeout},
		{"cancelled context", 0, 0, 0, time.Second, time.Second, message.CodeCanceled},
		{"context age", 0, 2 * time.Second, 0, 0, 2 * time.Second, message.CodeHandleTimeout},
		{"handshake", 0, 0, 3 * time.Second, 0, 3 * time.Second, message.CodeHandleTimeout},
		{"the soonest of all", 5 * time.Second, 2 * time.Second, 3 * time.Second, 0, 2 * time.Second, message.CodeHandleTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				wait := func(p PreSession) *message.Status {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if c.context > 0 {
						ctx, cancel = context.WithTimeout(ctx, c.context)
						defer cancel()
					}
					if c.cancel > 0 {
						time.AfterFunc(c.cancel, cancel)
					}
					begin := time.Now()
					m := p.PreReceive(func(*message.Header) any { return new(int) }, ctx)
					if took := time.Since(begin); took != c.want {
						t.Errorf("it waited %v, want %v", took, c.want)
					}
					return m.Status()
				}
				silent := func(PreSession) *message.Status {
					time.Sleep(10 * time.Second)
					return nil
				}
				dialed, _ := handshake(t, wait, silent, func(here, _ *Shared) {
					here.ContextAge, here.HandshakeTimeout = c.age, c.limit
				})
				if dialed.Code() != c.code {
					t.Errorf("got %v, want code %d", dialed, c.code)
				}
			})
		})
	}
}

// A hook that takes too long is undone, even if it does not use the connection.
func TestConnectHookThatTakesTooLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gone := make(chan struct{}, 1)
		begin := time.Now()
		dialed, _ := handshake(t, func(PreSession) *message.Status { time.Sleep(5 * time.Second); return nil }, nothing,
			func(here, _ *Shared) {
				here.HandshakeTimeout = time.Second
				slow := connectHook{func(PreSession) *message.Status { time.Sleep(5 * time.Second); return nil }, gone}
				here.Hooks.Store(NewHooks([]plugin.Plugin{slow}))
			})
		if dialed.Code() != message.CodeHandleTimeout || !errors.Is(dialed.Cause(), errHandshakeTimeout) || time.Since(begin) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), dialed)
		}
		select {
		case <-gone:
		default:
			t.Error("its disconnect hook was not called")
		}
	})
}

// A pre-session does nothing once its hooks have returned, because the session
// reads then.
func TestPreSessionIsOverAfterItsHooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var kept PreSession
		here := func(p PreSession) *message.Status { kept = p; return nil }
		if dialed, accepted := handshake(t, here, nothing); !dialed.OK() || !accepted.OK() {
			t.Fatal(dialed, accepted)
		}
		for what, st := range map[string]*message.Status{
			"PreSend":    kept.PreSend(message.TypePush, "/x", nil, nil),
			"RawPush":    kept.RawPush("/x", nil),
			"PreCall":    kept.PreCall("/x", nil, nil),
			"PreReply":   kept.PreReply(message.New(), nil, nil),
			"PreReceive": kept.PreReceive(func(*message.Header) any { return nil }).Status(),
		} {
			if st.Code() != message.CodeInvalidOp {
				t.Errorf("%s: %v", what, st)
			}
		}
	})
}

// The messages of a client that is not admitted yet must be short.
func TestLongMessagesBeforeASession(t *testing.T) {
	long := strings.Repeat("x", 2*maxHandshakeMessage)
	send := func(p PreSession) *message.Status { return p.RawPush("/note", long) }
	get := func(p PreSession) *message.Status {
		m, text := receiveText(p)
		if m.StatusOK() && text != long {
			t.Errorf("got %d bytes", len(text))
		}
		return m.Status()
	}
	bubble(t, func(t *testing.T) {
		if _, accepted := handshake(t, send, get); accepted.Code() != message.CodeTooLarge {
			t.Errorf("the server got %v", accepted)
		}
	})
	bubble(t, func(t *testing.T) { // a client has chosen its server
		if dialed, _ := handshake(t, get, send); !dialed.OK() {
			t.Errorf("the client got %v", dialed)
		}
	})
}

// A hook may replace the connection or the protocol: the limits of the handshake
// apply to the new one.
func TestConnectHookThatChangesTheSocket(t *testing.T) {
	bubble(t, func(t *testing.T) {
		wrapped := func(p PreSession) *message.Status {
			before := p.NetConn()
			p.ModifySocket(func(nc net.Conn) (net.Conn, proto.Func) { return nil, nil }) // changes nothing
			if p.NetConn() != before {
				t.Error("the connection is another one")
			}
			p.ModifySocket(func(nc net.Conn) (net.Conn, proto.Func) { return &lastDeadline{Conn: nc}, nil })
			w, ok := p.NetConn().(*lastDeadline)
			if !ok {
				t.Fatalf("the connection is a %T", p.NetConn())
			}
			p.ModifySocket(func(net.Conn) (net.Conn, proto.Func) { return nil, rawproto.New })
			if p.NetConn() != net.Conn(w) || p.GetProtoFunc() == nil || p.AnswersInOrder() || p.LocalAddr() == nil || p.RemoteAddr() == nil {
				t.Errorf("the connection is a %T", p.NetConn())
			}
			return p.RawPush("/note", "through it")
		}
		get := func(p PreSession) *message.Status {
			m, text := receiveText(p)
			if text != "through it" {
				t.Errorf("got %q", text)
			}
			return m.Status()
		}
		if dialed, accepted := handshake(t, wrapped, get); !dialed.OK() || !accepted.OK() {
			t.Error(dialed, accepted)
		}
	})
}
