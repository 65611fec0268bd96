package heartbeat_test

import (
	"bytes"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/proto/httproto"
)

// TestOnlyWhenIdle keeps a session busy in both directions, then in one, then in
// neither.
func TestOnlyWhenIdle(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		heard := newBeats()
		srv := wiretest.Serve(t, n.config(), heard, heartbeat.NewPong())
		const beat = 3 * rate
		sess := wiretest.NewClient(t, n.config(), heartbeat.NewPinger(heartbeat.PingConfig{Rate: beat})).MustDial(t, srv.Addr)
		for _, tc := range []struct {
			name string
			do   func()
			want int // heartbeats in 4 beats
		}{
			{"calls, and the first that tells the rate", func() { works(t, sess) }, 1},
			{"calls", func() { works(t, sess) }, 0},
			{"pushes, to which nothing comes back", func() {
				if st := sess.Push("/note/say", "x"); !st.OK() {
					t.Fatal(st)
				}
			}, 4},
			{"nothing", func() {}, 4},
		} {
			for range 4 * beat / (rate / 2) {
				tc.do()
				time.Sleep(rate / 2)
			}
			n := len(heard.arrived)
			for range n {
				<-heard.arrived
			}
			if n < min(tc.want, 1) || n > tc.want {
				t.Errorf("%s: %d heartbeats in 4 beats, want at most %d", tc.name, n, tc.want)
			}
		}
	})
}

// TestHalfOpenServer: a server reads everything and answers nothing. Calls
// to it end as soon as that is detected, and a client that redials gets another
// connection. It makes no difference whether heartbeats are calls.
func TestHalfOpenServer(t *testing.T) {
	for _, tc := range []struct {
		name    string
		redials int32
		cfg     heartbeat.PingConfig
		frames  string // the types of the heartbeats
		found   time.Duration
	}{
		{"ends", 0, heartbeat.PingConfig{Rate: rate, Misses: 2}, "C", 3 * rate},
		{"redials", -1, heartbeat.PingConfig{Rate: rate, Misses: 2}, "C", 3 * rate},
		{"pushes", 0, heartbeat.PingConfig{Rate: rate, Misses: 4, Push: true}, "PPPC", 5 * rate},
		{"pushes, one miss", -1, heartbeat.PingConfig{Rate: rate, Misses: 1, Push: true}, "PC", 2 * rate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				addr, accept := n.listen(t)
				book := &logbook{}
				cfg := n.config()
				cfg.RedialTimes, cfg.Logger = tc.redials, book.logger()
				sess := wiretest.NewClient(t, cfg, heartbeat.NewPinger(tc.cfg)).MustDial(t, addr)
				start := time.Now()
				call := sess.AsyncCall("/math/add", []int{1}, nil, nil)
				dead := accept()
				await(t, "the end of the call", call.Done())
				if st := call.Status(); st.Code() != erpc.CodeConnClosed {
					t.Errorf("the call ended with %v", st)
				}
				if d := time.Since(start); d < tc.found-rate || d > tc.found+rate {
					t.Errorf("it was found after %v, want %v", d, tc.found)
				}
				dead.Frame(false) // the call
				for _, kind := range tc.frames {
					want := map[rune]byte{'C': erpc.TypeCall, 'P': erpc.TypePush}[kind]
					if m := unpacked(t, dead.Frame(false)); m.Mtype() != want || m.ServiceMethod() != heartbeat.ServiceMethod || len(m.Meta().Peek("hb_")) == 0 {
						t.Errorf("got %v, want a heartbeat of type %d with its rate", m, want)
					}
				}
				dead.WantEnd()
				if tc.redials == 0 {
					await(t, "the end of the session", sess.CloseNotify())
				} else {
					accept().Frame(false) // a heartbeat
					if !sess.Health() {
						t.Error("the session has ended")
					}
				}
				synctest.Wait()
				if !book.has("nothing was heard") || !book.has("remote="+addr) {
					t.Errorf("the log does not mention it:\n%s", book.text.String())
				}
			})
		})
	}
}

// TestAnyAnswerIsLife: servers without a Pong, to which heartbeats are calls or
// pushes, one that answers late, and one that only pushes all count as alive.
func TestAnyAnswerIsLife(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		ping := func(push bool) heartbeat.Ping {
			return heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2, Push: push})
		}
		without := wiretest.Serve(t, n.config())
		calls := wiretest.NewClient(t, n.config(), ping(false)).MustDial(t, without.Addr)
		pushes := wiretest.NewClient(t, n.config(), ping(true)).MustDial(t, without.Addr)
		addr, accept := n.listen(t)
		late := wiretest.NewClient(t, n.config(), ping(false)).MustDial(t, addr)
		s := accept()
		for range 3 {
			m := unpacked(t, s.Frame(false))
			time.Sleep(rate + rate/2)
			s.Send(packed(t, erpc.TypeReply, m.Seq(), "", nil))
		}
		push := packed(t, erpc.TypePush, 7, "/note/say", []byte(`"x"`))
		for range 12 {
			s.Send(push)
			time.Sleep(rate / 2)
		}
		works(t, calls)
		works(t, pushes)
		if !late.Health() {
			t.Error("the session with the slow server has ended")
		}
	})
}

// TestHalfOpenClient: a client sends one heartbeat, or a few, and falls
// silent.
func TestHalfOpenClient(t *testing.T) {
	for name, mtype := range map[string]byte{"call": erpc.TypeCall, "push": erpc.TypePush} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				srv := wiretest.Serve(t, n.config(), heartbeat.NewPonger(heartbeat.PongConfig{Misses: 2}))
				s := n.dial(t, srv.Addr)
				beat := packed(t, mtype, 1, heartbeat.ServiceMethod, nil, erpc.WithSetMeta("hb_", "1"), erpc.WithSetMeta("X-Erpc-Beat", "100"))
				for i := range 6 { // as long as they come, all is well
					if i > 0 {
						time.Sleep(rate)
					}
					s.Send(beat)
					if mtype == erpc.TypeCall {
						if m := unpacked(t, s.Frame(false)); m.Mtype() != erpc.TypeReply {
							t.Errorf("got %v, want a reply", m)
						}
					}
				}
				start := time.Now()
				wantQuestion(t, s)
				if d := time.Since(start); d < rate || d > 2*rate {
					t.Errorf("it was probed after %v, want one beat of %v", d, rate)
				}
				s.WantEnd()
				if d := time.Since(start); d < 2*rate || d > 3*rate {
					t.Errorf("it was found after %v, want two beats of %v", d, rate)
				}
				if n := srv.CountSession(); n != 0 {
					t.Errorf("there are %d sessions", n)
				}
			})
		})
	}
}

func wantQuestion(t *testing.T, s *wiretest.Script) {
	t.Helper()
	if m := unpacked(t, s.Frame(false)); m.Mtype() != erpc.TypeCall || m.ServiceMethod() != heartbeat.ServiceMethod {
		t.Errorf("got %v, want a probe", m)
	}
}

// TestBusyClientDies: a client that was never idle for a beat is missed as soon as
// any other, by both sides, and its server closes the session.
func TestBusyClientDies(t *testing.T) {
	for name, push := range map[string]bool{"call": false, "push": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				srv := wiretest.Serve(t, n.config(), heartbeat.NewPong())
				sess := wiretest.NewClient(t, n.config(), heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Push: push})).MustDial(t, srv.Addr)
				for range 40 {
					works(t, sess)
					time.Sleep(rate / 4)
				}
				n.pulled.Store(true)
				pulled := time.Now()
				call := sess.AsyncCall("/math/add", []int{1}, nil, nil)
				await(t, "the end at the client", call.Done())
				if d := time.Since(pulled); d < 3*rate || d > 5*rate {
					t.Errorf("the client found it after %v, want 4 beats of %v", d, rate)
				}
				for srv.CountSession() > 0 {
					if time.Since(pulled) > 5*rate {
						t.Fatalf("%v after it fell silent the server still has the session of a client that was always busy", time.Since(pulled))
					}
					time.Sleep(rate / 10)
				}
			})
		})
	}
}

// TestNoBeatEver: a client without a Ping, or one of v7 that was always busy, is
// probed after a long silence, and closed if it does not answer either.
func TestNoBeatEver(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		srv := wiretest.Serve(t, n.config(), heartbeat.NewPong())
		asks := newBeats()
		alive := wiretest.NewClient(t, n.config(), asks).MustDial(t, srv.Addr)
		s := n.dial(t, srv.Addr)
		for i := range int32(5) {
			s.Send(packed(t, erpc.TypeCall, i, "/math/add", []byte(`[1]`)))
			s.Frame(false)
			time.Sleep(time.Second)
		}
		fell := time.Now()
		wantQuestion(t, s)
		s.WantEnd()
		const limit = heartbeat.DefaultMisses * heartbeat.DefaultPongRate
		if d := time.Since(fell); d < limit-heartbeat.DefaultPongRate || d > limit+heartbeat.DefaultPongRate {
			t.Errorf("it was closed after %v, want %v", d, limit)
		}
		time.Sleep(5 * limit)
		works(t, alive)
		if n := len(asks.arrived); n < 4 || n > 10 {
			t.Errorf("a client that answers was probed %d times in %v", n, 6*limit)
		}
		if n := srv.CountSession(); n != 1 {
			t.Errorf("there are %d sessions, want that of the client that answers", n)
		}
	})
}

// TestPongRate: sessions that send no heartbeats are judged by the configured rate,
// or not at all; so are those of HTTP clients, which can't be probed.
func TestPongRate(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		srv := wiretest.Serve(t, n.config(), heartbeat.NewPonger(heartbeat.PongConfig{Rate: time.Second, Misses: 5}))
		start := time.Now()
		s := n.dial(t, srv.Addr)
		wantQuestion(t, s)
		s.WantEnd()
		if d := time.Since(start); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("it was closed after %v, want 5s", d)
		}
		off := wiretest.Serve(t, n.config(), heartbeat.NewPonger(heartbeat.PongConfig{Rate: -1}))
		n.dial(t, off.Addr)
		a, b := net.Pipe()
		if _, st := srv.ServeConn(a, httproto.NewHTTProtoFunc()); !st.OK() {
			t.Fatal(st)
		}
		time.Sleep(20 * time.Minute)
		if n := srv.CountSession(); n != 1 {
			t.Errorf("there are %d sessions, want that of the client of HTTP", n)
		}
		_ = b.Close()
		if n := off.CountSession(); n != 1 {
			t.Errorf("there are %d sessions, want the one that is left alone", n)
		}
	})
}

// TestFirstBeatAgain: a server that had no time to answer the first heartbeat gets
// another, however busy the session is.
func TestFirstBeatAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		addr, accept := n.listen(t)
		wiretest.NewClient(t, n.config(), heartbeat.NewPing(3, true)).MustDial(t, addr)
		start := time.Now()
		s := accept()
		push := packed(t, erpc.TypePush, 7, "/note/say", []byte(`"x"`))
		for range 2 {
			m := unpacked(t, s.Frame(false))
			if d := time.Since(start); m.ServiceMethod() != heartbeat.ServiceMethod || d > 2*time.Second {
				t.Errorf("got %v after %v, want a heartbeat", m, d)
			}
			reply := erpc.NewMessage(erpc.WithBodyCodec('j'))
			reply.SetMtype(erpc.TypeReply)
			reply.SetSeq(m.Seq())
			reply.SetStatus(erpc.NewStatus(erpc.CodeExhausted, "overload", nil))
			s.Send(pack(t, reply))
			s.Send(push)
		}
	})
}

// TestSilentButAlive: a client stops sending heartbeats, as v7 does while
// it receives messages, but answers the probe.
func TestSilentButAlive(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		asked := newBeats()
		srv := wiretest.Serve(t, n.config(), asked, heartbeat.NewPonger(heartbeat.PongConfig{Misses: 2}))
		sess := wiretest.NewClient(t, n.config()).MustDial(t, srv.Addr)
		if st := sess.Call(heartbeat.ServiceMethod, nil, nil, erpc.WithSetMeta("hb_", "1"), erpc.WithSetMeta("X-Erpc-Beat", "100")).Status(); !st.OK() {
			t.Fatal(st)
		}
		for range 3 {
			await(t, "the question", asked.sent)
		}
		works(t, sess)
	})
}

// TestLargeMessageIn sends a client a message that takes many beats to arrive.
func TestLargeMessageIn(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		addr, accept := n.listen(t)
		sess := wiretest.NewClient(t, n.config(), heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2})).MustDial(t, addr)
		call := sess.AsyncCall("/enc/bytes", nil, new([]byte), nil)
		s := accept()
		m := unpacked(t, s.Frame(false))
		reply := packed(t, erpc.TypeReply, m.Seq(), "", bytes.Repeat([]byte("x"), 20_000))
		for len(reply) > 1000 {
			s.Send(reply[:1000])
			reply = reply[1000:]
			time.Sleep(rate / 2)
		}
		s.Send(reply)
		await(t, "the call", call.Done())
		if st := call.Status(); !st.OK() {
			t.Errorf("a message that took 10 beats: %v", st)
		}
	})
}

// TestLargeMessageOut: a client sends more than the other side reads in many beats.
// The other side answers the heartbeats when it gets to them.
func TestLargeMessageOut(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		addr, accept := n.listen(t)
		cfg := n.config()
		cfg.QueueLimit = 64 << 20
		sess := wiretest.NewClient(t, cfg, heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2})).MustDial(t, addr)
		s := accept()
		pushed := make(chan *erpc.Status, 1)
		go func() { pushed <- sess.Push("/x", bytes.Repeat([]byte("x"), 1<<20-100)) }()
		time.Sleep(50 * rate) // the other side is busy
		answer := func() erpc.Message {
			m := unpacked(t, s.Frame(false))
			if m.Mtype() == erpc.TypeCall {
				s.Send(packed(t, erpc.TypeReply, m.Seq(), "", nil))
			}
			return m
		}
		for got := ""; got != "/x"; got = answer().ServiceMethod() {
		}
		if st := await(t, "the push", pushed); !st.OK() {
			t.Fatal(st)
		}
		for range 3 {
			if m := answer(); m.ServiceMethod() != heartbeat.ServiceMethod {
				t.Errorf("got %v, want a heartbeat", m)
			}
		}
		if !sess.Health() {
			t.Error("the session has ended")
		}
	})
}

// TestNothingLeftBehind: the plugin starts no goroutine for a peer or a session,
// and goleak finds none after they have closed.
func TestNothingLeftBehind(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, heartbeat.NewPong())
	for range 20 {
		wiretest.NewClient(t, erpc.PeerConfig{}, heartbeat.NewPing(3, true)).MustDial(t, srv.Addr)
	}
	buf := make([]byte, 4<<20)
	if stacks := buf[:runtime.Stack(buf, true)]; bytes.Contains(stacks, []byte("created by github.com/goerpc/erpc/plugin/heartbeat.")) {
		t.Errorf("a goroutine of the plugin waits:\n%s", stacks)
	}
}
