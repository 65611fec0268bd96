package auth_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/auth"
)

const short = 50 * time.Millisecond // a limit that a test waits for

// TestInNoTableBefore looks at the session tables of both peers while the checker
// decides.
func TestInNoTableBefore(t *testing.T) {
	type look struct {
		id    string
		count int
		found bool
	}
	of := func(p erpc.Peer, id string) look {
		_, found := p.GetSession(id)
		return look{id, p.CountSession(), found}
	}
	var srv, cli *wiretest.Peer
	seen := make(chan look, 2)
	srv = wiretest.NewServer(t, erpc.PeerConfig{}, auth.NewCheckerPlugin(
		func(sess auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
			sess.SetID("alice")
			var shown string
			st := receive(&shown)
			seen <- of(srv.Peer, "alice")
			return "pass", st
		}))
	srv.Listen(t)
	cli = wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(
		func(sess auth.Session, send auth.SendOnce) *erpc.Status {
			sess.SetID("server")
			seen <- of(cli.Peer, "server")
			return auth.Token(token)(sess, send)
		}))
	sess := cli.MustDial(t, srv.Addr)
	for range 2 {
		if l := await(t, "a look", seen); l.count != 0 || l.found {
			t.Errorf("before the check has passed: %d sessions, found by its id %q: %t", l.count, l.id, l.found)
		}
	}
	works(t, sess)
	for id, p := range map[string]erpc.Peer{"alice": srv.Peer, "server": cli.Peer} {
		if l := of(p, id); l.count != 1 || !l.found {
			t.Errorf("after the check: %d sessions, found by its id %q: %t", l.count, l.id, l.found)
		}
	}
}

// TestDeadline: a client, and a server, that let the time of the exchange run out.
func TestDeadline(t *testing.T) {
	book := &logbook{}
	quick := likeV7(auth.CheckerConfig{Timeout: short})
	srv := wiretest.Serve(t, erpc.PeerConfig{Logger: book.logger()}, quick)
	for name, said := range map[string]string{"silent": "", "half a message": "\x00\x00\x00\x24\x00\x011"} {
		t.Run(name, func(t *testing.T) {
			s := wiretest.DialScript(t, "tcp", srv.Addr)
			s.Send([]byte(said))
			if frame := s.Frame(false); !bytes.Contains(frame, []byte("code=408&msg=Handle%20Timeout")) {
				t.Errorf("got %q, want a timeout", frame)
			}
			s.WantEnd()
		})
	}
	t.Run("silent server", func(t *testing.T) {
		lis := wiretest.ListenScript(t)
		cli := wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearer(auth.BearerConfig{Bearer: auth.Token(token), Timeout: short}))
		if _, st := cli.Dial(lis.Addr()); st.Code() != erpc.CodeHandleTimeout {
			t.Errorf("Dial: %v, want a timeout", st)
		}
		lis.Accept().Frame(false)
	})
	eventually(t, "both to be counted", func() bool { return quick.Counts() == auth.Counts{TimedOut: 2} })
	if !book.has("WARN", "auth", "refused", "408") {
		t.Errorf("the log does not mention the timeouts:\n%s", book.text.String())
	}
}

// TestSlowChecker: a result that a checker returns after the timeout lets nobody
// in.
func TestSlowChecker(t *testing.T) {
	slow := auth.NewChecker(auth.CheckerConfig{Timeout: short, Checker: func(sess auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
		var shown string
		if st := receive(&shown); !st.OK() {
			return nil, st
		}
		<-sess.Context().Done()
		return "pass", nil
	}})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, slow)
	_, st := wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).Dial(srv.Addr)
	if st.Code() != erpc.CodeHandleTimeout {
		t.Errorf("Dial: %v, want a timeout", st)
	}
	eventually(t, "it to be counted", func() bool { return slow.Counts() == auth.Counts{TimedOut: 1} })
}

func TestDefaultTimeout(t *testing.T) {
	left := make(chan time.Duration, 1)
	srv := wiretest.Serve(t, erpc.PeerConfig{}, auth.NewCheckerPlugin(
		func(sess auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
			end, _ := sess.Context().Deadline()
			left <- time.Until(end)
			var shown string
			return "pass", receive(&shown)
		}))
	wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).MustDial(t, srv.Addr)
	if d := await(t, "the checker", left); d > 5*time.Second || d < 4*time.Second {
		t.Errorf("the exchange has %v, want 5s", d)
	}
}

// TestRefusals checks what a refused client gets and what is logged.
func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		detail bool
		want   string
	}{
		"plain":  {false, "code=403&msg=auth%20fail"},
		"detail": {true, "code=403&msg=auth%20fail&cause=auth%20fail%20detail"},
	} {
		t.Run(name, func(t *testing.T) {
			book := &logbook{}
			p := likeV7(auth.CheckerConfig{Detail: tc.detail})
			b := bearer("wrong")
			srv := wiretest.Serve(t, erpc.PeerConfig{Logger: book.logger()}, p)
			_, st := wiretest.NewClient(t, erpc.PeerConfig{}, b).Dial(srv.Addr)
			if got := string(st.AppendQuery(nil)); got != tc.want {
				t.Errorf("the client got %s, want %s", got, tc.want)
			}
			eventually(t, "it to be counted", func() bool { return p.Counts() == auth.Counts{Refused: 1} })
			if b.Counts() != (auth.Counts{Refused: 1}) {
				t.Errorf("the bearer counted %+v", b.Counts())
			}
			if !book.has("WARN", "auth: refused", "session=", "remote=127.0.0.1", "status.code=403", `status.cause="auth fail detail"`) {
				t.Errorf("the log does not say who was refused or why:\n%s", book.text.String())
			}
		})
	}
}

func TestPassedIsCountedAndLogged(t *testing.T) {
	book := &logbook{}
	p, b := likeV7(auth.CheckerConfig{}), bearer(token)
	srv := wiretest.Serve(t, erpc.PeerConfig{Logger: book.logger()}, p)
	works(t, wiretest.NewClient(t, erpc.PeerConfig{}, b).MustDial(t, srv.Addr))
	for who, got := range map[string]auth.Counts{"checker": p.Counts(), "bearer": b.Counts()} {
		if got != (auth.Counts{Passed: 1}) {
			t.Errorf("the %s counted %+v", who, got)
		}
	}
	if !book.has("INFO", "auth: passed", "session=", "remote=127.0.0.1") {
		t.Errorf("the log has no line:\n%s", book.text.String())
	}
}

// TestWaitingAndLost: a client that sends nothing counts as waiting, and as lost
// when it disconnects.
func TestWaitingAndLost(t *testing.T) {
	p := likeV7(auth.CheckerConfig{})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, p)
	conn, err := net.Dial("tcp", srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to wait", func() bool { return p.Counts() == auth.Counts{Waiting: 1} })
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to be lost", func() bool { return p.Counts() == auth.Counts{Lost: 1} })
}

// TestPanic: a checker that panics lets nobody in, and is counted.
func TestPanic(t *testing.T) {
	p := auth.NewCheckerPlugin(func(auth.Session, auth.RecvOnce) (any, *erpc.Status) { panic("boom") })
	srv := wiretest.Serve(t, erpc.PeerConfig{}, p)
	if _, st := wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).Dial(srv.Addr); st.OK() {
		t.Error("the client got in")
	}
	eventually(t, "it to be counted", func() bool { return p.Counts() == auth.Counts{Refused: 1} })
}

// TestOnlyOnce calls the functions twice.
func TestOnlyOnce(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, auth.NewCheckerPlugin(
		func(_ auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
			var shown string
			if st := receive(&shown); !st.OK() || shown == "once" {
				return "pass", st
			}
			return nil, receive(&shown)
		}))
	twice := auth.NewBearerPlugin(func(_ auth.Session, send auth.SendOnce) *erpc.Status {
		var answer string
		if st := send("once", &answer); !st.OK() {
			return st
		}
		return send("once", &answer)
	})
	if _, st := wiretest.NewClient(t, erpc.PeerConfig{}, twice).Dial(srv.Addr); st != auth.MultiSendErr {
		t.Errorf("sent twice: %v", st)
	}
	_, st := wiretest.NewClient(t, erpc.PeerConfig{}, bearer("twice")).Dial(srv.Addr)
	if st.Code() != auth.MultiRecvErr.Code() || st.Msg() != auth.MultiRecvErr.Msg() {
		t.Errorf("received twice: %v", st)
	}
}

// TestRedialShowsAgain breaks the connection of a client that redials; the client
// shows its token again.
func TestRedialShowsAgain(t *testing.T) {
	p, b := likeV7(auth.CheckerConfig{}), bearer(token)
	srv := wiretest.Serve(t, erpc.PeerConfig{}, p)
	cli := wiretest.NewClient(t, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Millisecond}, b)
	sess := cli.MustDial(t, srv.Addr)
	works(t, sess) // so it is open at the other side, too
	srv.RangeSession(func(s erpc.Session) bool { return s.Close() != nil })
	eventually(t, "the redial", func() bool { return p.Counts().Passed == 2 })
	works(t, sess)
	if b.Counts() != (auth.Counts{Passed: 2}) {
		t.Errorf("the bearer counted %+v", b.Counts())
	}
}

// TestWithoutChecker: a plugin that checks nothing is refused, at the latest when a
// client connects.
func TestWithoutChecker(t *testing.T) {
	for name, p := range map[string]erpc.Plugin{
		"checker":      auth.NewCheckerPlugin(nil),
		"hmac checker": auth.NewHMACChecker(auth.HMACCheckerConfig{}),
		"short key":    auth.NewHMACBearer(auth.HMACBearerConfig{ID: "a", Key: "0123456789abcde"}),
		"no id":        auth.NewHMACBearer(auth.HMACBearerConfig{Key: "0123456789abcdef"}),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("a peer was made")
				}
			}()
			erpc.NewPeer(erpc.PeerConfig{}, p)
		})
	}
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	srv.PluginContainer().AppendRight(auth.NewCheckerPlugin(nil))
	srv.Listen(t)
	if _, st := wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).Dial(srv.Addr); st.OK() {
		t.Error("a client got in")
	}
	works(t, wiretest.NewClient(t, erpc.PeerConfig{}, auth.NewBearerPlugin(nil)).MustDial(t, wiretest.Serve(t, erpc.PeerConfig{}).Addr))
}

func TestEqual(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"secret", "secret", true}, {"secret", "secreT", false}, {"secret", "secret ", false}, {"", "x", false}} {
		if got := auth.Equal(tc.a, tc.b); got != tc.want {
			t.Errorf("Equal(%q, %q) = %t", tc.a, tc.b, got)
		}
	}
}

func TestCheckToken(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, auth.NewCheckerPlugin(auth.CheckToken(func(s string) bool { return auth.Equal(s, token) })))
	works(t, wiretest.NewClient(t, erpc.PeerConfig{}, bearer(token)).MustDial(t, srv.Addr))
	_, st := wiretest.NewClient(t, erpc.PeerConfig{}, bearer("wrong")).Dial(srv.Addr)
	if got := string(st.AppendQuery(nil)); got != "code=401&msg=Unauthorized" {
		t.Errorf("wrong token: %s", got)
	}
}
