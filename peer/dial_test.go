package peer_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// dialHook is called for each connection that was dialed.
type dialHook func(sess session.PreSession, isRedial bool) *message.Status

func (dialHook) Name() string { return "dial hook" }
func (f dialHook) PostDial(s session.PreSession, isRedial bool) *message.Status {
	return f(s, isRedial)
}

// Dial gives up at a refusal that another attempt would not change, whatever
// RedialTimes says. The program can decide which refusals those are.
func TestRefusalEndsDial(t *testing.T) {
	teapot := func(st *message.Status) bool { return st.Code() != 418 }
	for _, c := range []struct {
		name  string
		code  int32
		on    func(*message.Status) bool
		again bool
	}{
		{"unauthorized", message.CodeUnauthorized, nil, false},
		{"too many", message.CodeExhausted, nil, true},
		{"of the program", 418, teapot, false},
		{"unauthorized, which the program allows", message.CodeUnauthorized, teapot, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := memory.New()
				serve(t, newPeer(t, on, peer.Config{}), "a")
				attempts := 0
				cli := newPeer(t, on, peer.Config{RedialTimes: -1, RedialOn: c.on}, dialHook(func(session.PreSession, bool) *message.Status {
					if attempts++; attempts < 4 {
						return message.NewStatus(c.code, "refused")
					}
					return nil
				}))
				_, st := cli.Dial("a")
				if c.again && (attempts != 4 || !st.OK()) || !c.again && (attempts != 1 || st.Code() != c.code) {
					t.Errorf("%v after %d attempts", st, attempts)
				}
			})
		})
	}
}

// A session ends with the refusal of its redial if the program considers that
// final.
func TestRefusalEndsRedial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes until the call, or it would redial again
		t.Cleanup(func() { time.Sleep(time.Minute) }) // what the sessions leave behind ends by itself
		on := memory.New()
		srv := newPeer(t, on, peer.Config{})
		serve(t, srv, "a")
		var redials atomic.Int32
		cli := newPeer(t, on, peer.Config{RedialTimes: -1, RedialInterval: time.Millisecond, RedialOn: peer.RedialOn}, dialHook(func(_ session.PreSession, isRedial bool) *message.Status {
			if isRedial {
				redials.Add(1)
				return message.NewStatus(message.CodeUnauthorized, "no longer")
			}
			return nil
		}))
		sess := dial(t, cli, "a")
		srv.RangeSession(func(s session.Session) bool { return s.Close() != nil })
		receive(t, "the end of the session", sess.CloseNotify())
		if st := sess.Call("/x", nil, nil).Status(); st.Code() != message.CodeConnClosed || !strings.Contains(st.String(), "no longer") || redials.Load() != 1 {
			t.Errorf("%v after %d redials", st, redials.Load())
		}
	})
}

// The log says when a session is lost and when it is connected again.
func TestRedialIsLogged(t *testing.T) {
	on, log := memory.New(), new(logbook)
	srv := newPeer(t, on, peer.Config{})
	serve(t, srv, "a")
	cli := newPeer(t, on, peer.Config{RedialTimes: -1, RedialInterval: time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
	sess := dial(t, cli, "a")
	srv.RangeSession(func(s session.Session) bool { return s.Close() != nil })
	for end := time.Now().Add(longest); !strings.Contains(log.String(), "session is back"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log says %s", log)
		}
	}
	if !strings.Contains(log.String(), "session lost; redialing") || !strings.Contains(log.String(), sess.ID()) {
		t.Errorf("the log says %s", log)
	}
}

// A Dial without a limit of attempts logs the first failure, and then each time the
// number of attempts has doubled.
func TestEndlessDialIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logbook)
		cli := newPeer(t, memory.New(), peer.Config{RedialTimes: -1, RedialMaxInterval: time.Second, Logger: slog.New(slog.NewTextHandler(log, nil))})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, st := cli.DialContext(ctx, "nobody"); st.Code() != message.CodeDialFailed {
			t.Error(st)
		}
		if n := strings.Count(log.String(), "dial failed; trying again"); n < 5 || n > 8 {
			t.Errorf("%d lines in a minute, want 1 + log2 of the attempts:\n%s", n, log)
		}
	})
}

// What the transport does not support is not tried again.
func TestUnsupportedEndsDial(t *testing.T) {
	cli := newPeer(t, memory.New(), peer.Config{RedialTimes: -1, SocketReadBuffer: 1})
	if _, st := cli.Dial("a"); !errors.Is(st.Cause(), errors.ErrUnsupported) {
		t.Error(st)
	}
}
