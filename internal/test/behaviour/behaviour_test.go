package behaviour

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// aspects are the behaviours of peers, in the order in which they are tested on
// one session.
var aspects = []struct {
	name string
	run  func(*testing.T, *rig, erpc.Session)
}{
	{"call", func(t *testing.T, r *rig, sess erpc.Session) { r.echo(t, sess, "hello é") }},
	{"error", fails},
	{"metadata", metadata},
	{"push", func(t *testing.T, r *rig, sess erpc.Session) {
		if st := sess.Push(r.method("Note"), &Text{Author: "hi"}, erpc.WithSetMeta("Question", "why")); !st.OK() {
			t.Error(st)
		}
		wants(t, "pushed", r.noted, "hi why")
	}},
	{"call back", func(t *testing.T, r *rig, sess erpc.Session) {
		got, err := erpc.Call[Text](bounded(t), sess, r.method("Back"), &Text{Author: "yes"})
		if err != nil || got.Author != "yes, says the client" {
			t.Errorf("called back: %v, %v", got, err)
		}
		wants(t, "pushed back", r.told, "on the way")
	}},
	{"async", async},
	{"large body", func(t *testing.T, r *rig, sess erpc.Session) {
		r.echo(t, sess, strings.Repeat("0123456789abcdef", 1<<16))
	}},
	{"cancel", cancels},
	{"close", closes}, // last, because it ends the session
}

// aspectsOfTwo need a server and a client of their own: early messages, limits and
// redials.
var aspectsOfTwo = []string{"early", "limits", "redial"}

// TestMatrix runs the suite over every protocol on every transport.
func TestMatrix(t *testing.T) {
	for _, p := range protocols {
		for _, on := range transports {
			if cannot(p, on) != "" {
				continue
			}
			t.Run(p.name+" on "+on.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, p, on, func(*rig, *erpc.PeerConfig, *erpc.PeerConfig) (_, _ []erpc.Plugin) { return nil, nil })
				sess := r.dial(t)
				for _, a := range aspects {
					t.Run(a.name, func(t *testing.T) {
						if why := p.lacks[a.name]; why != "" {
							t.Skip(why)
						}
						a.run(t, r, sess)
					})
				}
				early(t, p, on)
			})
		}
	}
}

func fails(t *testing.T, r *rig, sess erpc.Session) {
	st := sess.Call(r.method("Fail"), &Text{Author: "rain"}, new(Text), erpc.WithContext(bounded(t))).Status()
	if st.Code() != 1001 || st.Msg() != "bad thing" || st.Cause() == nil || st.Cause().Error() != "because of rain" {
		t.Errorf("a failed call: %v", st)
	}
	st = sess.Call(r.method("Nobody"), &Text{}, new(Text), erpc.WithContext(bounded(t))).Status()
	code(t, "an unknown method", st, erpc.CodeNotFound)
}

func metadata(t *testing.T, r *rig, sess erpc.Session) {
	cmd := sess.Call(r.method("Echo"), &Text{Author: "x"}, new(Text), erpc.WithContext(bounded(t)), erpc.WithSetMeta("Question", "a&b=c 100%"))
	if got := string(cmd.InputMeta().Peek("Answer")); !cmd.StatusOK() || got != "to a&b=c 100%" {
		t.Errorf("answered %q, %v", got, cmd.Status())
	}
}

func async(t *testing.T, r *rig, sess erpc.Session) {
	const calls = 50
	done := make(chan erpc.CallCmd, calls)
	for i := range calls {
		sess.AsyncCall(r.method("Echo"), &Text{Author: strconv.Itoa(i)}, new(Text), done, erpc.WithContext(bounded(t)))
	}
	for range calls {
		cmd := arrives(t, "reply", done)
		if cmd == nil {
			return
		}
		got, st := cmd.Reply()
		if want := cmd.Output().Body().(*Text).Author; !st.OK() || got.(*Text).Author != want {
			t.Errorf("call %s: %v, %v", want, got, st)
		}
	}
}

// cancels cancels a call from this side: the handler's context ends, and the
// session goes on.
func cancels(t *testing.T, r *rig, sess erpc.Session) {
	ctx, cancel := context.WithCancel(bounded(t))
	cmd := sess.AsyncCall(r.method("Wait"), &Text{}, new(Text), nil, erpc.WithContext(ctx))
	arrives(t, "start of the handler", r.started)
	cancel()
	arrives(t, "end of the call", cmd.Done())
	code(t, "the cancelled call", cmd.Status(), erpc.CodeCanceled)
	arrives(t, "end of the handler's context", r.cancelled)
	r.echo(t, sess, "on it goes")
}

// closes closes the session with a call in flight: the call ends, and the other
// side notices.
func closes(t *testing.T, r *rig, sess erpc.Session) {
	cmd := sess.AsyncCall(r.method("Wait"), &Text{}, new(Text), nil, erpc.WithContext(bounded(t)))
	arrives(t, "start of the handler", r.started)
	var theirs erpc.Session
	r.server.RangeSession(func(s erpc.Session) bool { theirs = s; return false })
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	arrives(t, "end of the call", cmd.Done())
	code(t, "the call in flight", cmd.Status(), erpc.CodeConnClosed)
	arrives(t, "end of the handler's context", r.cancelled)
	if theirs == nil {
		t.Fatal("the server had no session")
	}
	arrives(t, "end of the server's session", theirs.CloseNotify())
	code(t, "a call afterwards", sess.Call(r.method("Echo"), &Text{}, new(Text), erpc.WithContext(bounded(t))).Status(), erpc.CodeConnClosed)
}

const small = 64 << 10 // bytes: the read limit of a server

// early runs with a client that authenticates in its connect hook and redials
// forever, and a server that accepts only small messages.
func early(t *testing.T, p protocol, on transport) {
	redialed := make(chan struct{}, 8)
	r := newRig(t, p, on, func(r *rig, server, client *erpc.PeerConfig) (_, _ []erpc.Plugin) {
		server.ReadLimit = small
		client.RedialTimes, client.RedialInterval, client.RedialMaxInterval = -1, time.Millisecond, 20*time.Millisecond
		knock := r.method("Knock")
		return []erpc.Plugin{&erpc.PluginImpl{PluginName: "door", OnPostAccept: func(s erpc.PreSession) *erpc.Status {
				in := s.PreReceive(func(erpc.Header) any { return new(Text) })
				if !in.StatusOK() {
					return in.Status()
				}
				if got := in.Body().(*Text).Author; got != "token" {
					return erpc.NewStatus(erpc.CodeUnauthorized, got)
				}
				r.accepts.Add(1)
				return s.PreReply(in, &Text{Author: "come in"}, nil)
			}}}, []erpc.Plugin{&erpc.PluginImpl{PluginName: "knock", OnPostDial: func(s erpc.PreSession, isRedial bool) *erpc.Status {
				var got Text
				if st := s.PreCall(knock, &Text{Author: "token"}, &got); !st.OK() {
					return st
				}
				if got.Author != "come in" {
					return erpc.NewStatus(erpc.CodeUnauthorized, got.Author)
				}
				if isRedial {
					redialed <- struct{}{}
				}
				return nil
			}}}
	})
	var sess erpc.Session
	steps := map[string]func(*testing.T){
		"early": func(t *testing.T) {
			sess = r.dial(t)
			r.echo(t, sess, "inside")
			if n := r.accepts.Load(); n != 1 {
				t.Errorf("%d clients knocked", n)
			}
		},
		"limits": func(t *testing.T) {
			start := time.Now()
			st := sess.Call(r.method("Echo"), &Text{Author: strings.Repeat("x", 2*small)}, new(Text), erpc.WithContext(bounded(t))).Status()
			if took := time.Since(start); st.OK() || st.Code() == erpc.CodeHandleTimeout || took > prompt {
				t.Errorf("a call above the limit: %v after %v", st, took)
			}
			// On this connection or the next one: a call that is sent just before
			// the end is noticed ends with it.
			for end := time.Now().Add(prompt); ; {
				got, err := erpc.Call[Text](bounded(t), sess, r.method("Echo"), &Text{Author: "small"})
				if err == nil && got.Author == "small" {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("a small call afterwards: %v", err)
				}
			}
		},
		"redial": func(t *testing.T) {
			for len(redialed) > 0 {
				<-redialed // redialed after the call above the limit
			}
			was := r.accepts.Load()
			r.server.RangeSession(func(s erpc.Session) bool { _ = s.Close(); return true })
			arrives(t, "redial", redialed)
			r.echo(t, sess, "again")
			if n := r.accepts.Load(); n <= was {
				t.Errorf("%d clients knocked, %d before", n, was)
			}
		},
	}
	for _, name := range aspectsOfTwo {
		if !t.Run(name, steps[name]) {
			return // the next one depends on it
		}
	}
}
