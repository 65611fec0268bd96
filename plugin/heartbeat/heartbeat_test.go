package heartbeat_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/erpc-go/erpc"
	"github.com/erpc-go/erpc/internal/wiretest"
	"github.com/erpc-go/erpc/plugin/heartbeat"
)

// TestOnlyWhenIdle keeps a session busy in both directions, then in one, then in
// none.
func TestOnlyWhenIdle(t *testing.T) {
	t.Parallel()
	heard := newBeats()
	srv := wiretest.Serve(t, erpc.PeerConfig{}, heard, heartbeat.NewPong())
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, heartbeat.NewPinger(heartbeat.PingConfig{Rate: 3 * rate})).MustDial(t, srv.Addr)
	busy := func(beats int, do func()) (n int) {
		for end := time.Now().Add(time.Duration(beats) * 3 * rate); time.Now().Before(end); time.Sleep(rate / 2) {
			do()
		}
		for ; len(heard.arrived) > 0; n++ {
			<-heard.arrived
		}
		return n
	}
	if n := busy(4, func() { works(t, sess) }); n != 0 {
		t.Errorf("%d heartbeats beside calls", n)
	}
	if n := busy(4, func() {
		if st := sess.Push("/note/say", "x"); !st.OK() {
			t.Fatal(st)
		}
	}); n == 0 {
		t.Error("no heartbeat while nothing came back")
	}
	if n := busy(4, func() {}); n == 0 {
		t.Error("no heartbeat while nothing happened")
	}
}

// TestHalfOpenServer is a server that takes everything and says nothing. The
// calls to it end at once when that is found, and a client that redials gets
// another connection.
func TestHalfOpenServer(t *testing.T) {
	for name, redials := range map[string]int32{"ends": 0, "redials": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lis := wiretest.ListenScript(t)
			book := &logbook{}
			cli := wiretest.NewClient(t, erpc.PeerConfig{RedialTimes: redials, Logger: book.logger()},
				heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2}))
			sess := cli.MustDial(t, lis.Addr())
			start := time.Now()
			call := sess.AsyncCall("/math/add", []int{1}, nil, nil)
			dead := lis.Accept()
			await(t, "the end of the call", call.Done())
			if st := call.Status(); st.Code() != erpc.CodeConnClosed {
				t.Errorf("the call ended with %v", st)
			}
			if d := time.Since(start); d < 2*rate || d > 20*rate {
				t.Errorf("it was found after %v, want some 3 beats of %v", d, rate)
			}
			dead.Frame(false) // the call
			dead.Frame(false) // the heartbeat
			dead.WantEnd()
			if redials == 0 {
				await(t, "the end of the session", sess.CloseNotify())
			} else {
				lis.Accept().Frame(false) // a heartbeat
				if !sess.Health() {
					t.Error("the session has ended")
				}
			}
			for end := time.Now().Add(wiretest.Limit); !book.has("nothing heard from 127.0.0.1"); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the log does not say so:\n%s", book.text.String())
				}
			}
		})
	}
}

// TestAnyAnswerIsLife: a server without a Pong, one that answers late, and one
// that only pushes, live.
func TestAnyAnswerIsLife(t *testing.T) {
	t.Parallel()
	ping := func() heartbeat.Ping {
		return heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2})
	}
	without := wiretest.Serve(t, erpc.PeerConfig{})
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, ping()).MustDial(t, without.Addr)
	lis := wiretest.ListenScript(t)
	late := wiretest.NewClient(t, erpc.PeerConfig{}, ping()).MustDial(t, lis.Addr())
	s := lis.Accept()
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
	works(t, sess)
	if !late.Health() {
		t.Error("the session with the slow server has ended")
	}
}

// TestHalfOpenClient is a client that sends one heartbeat, or a few, and falls
// silent.
func TestHalfOpenClient(t *testing.T) {
	for name, mtype := range map[string]byte{"call": erpc.TypeCall, "push": erpc.TypePush} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heard := newBeats()
			srv := wiretest.Serve(t, erpc.PeerConfig{}, heard, heartbeat.NewPonger(heartbeat.PongConfig{Misses: 2}))
			s := wiretest.DialScript(t, "tcp", srv.Addr)
			beat := packed(t, mtype, 1, heartbeat.ServiceMethod, nil, erpc.WithSetMeta("hb_", "1"), erpc.WithSetMeta("X-Erpc-Beat", "100"))
			for range 6 { // as long as they come, all is well
				s.Send(beat)
				if mtype == erpc.TypeCall {
					s.Frame(false)
				}
				time.Sleep(rate)
			}
			start := time.Now()
			if m := unpacked(t, s.Frame(false)); m.Mtype() != erpc.TypeCall || m.ServiceMethod() != heartbeat.ServiceMethod {
				t.Errorf("got %v, want to be asked", m)
			}
			s.WantEnd()
			if d := time.Since(start); d < rate/2 || d > 20*rate {
				t.Errorf("it was found %v after the question, want a beat of %v", d, rate)
			}
			if n := srv.CountSession(); n != 0 {
				t.Errorf("there are %d sessions", n)
			}
		})
	}
}

// TestSilentButAlive is a client that sends no more heartbeats, as v7 while it
// hears messages, but answers the question.
func TestSilentButAlive(t *testing.T) {
	t.Parallel()
	asked := newBeats()
	srv := wiretest.Serve(t, erpc.PeerConfig{}, asked, heartbeat.NewPonger(heartbeat.PongConfig{Misses: 2}))
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	if st := sess.Call(heartbeat.ServiceMethod, nil, nil, erpc.WithSetMeta("hb_", "1"), erpc.WithSetMeta("X-Erpc-Beat", "100")).Status(); !st.OK() {
		t.Fatal(st)
	}
	for range 3 {
		await(t, "the question", asked.sent)
	}
	works(t, sess)
}

// TestLargeMessageIn sends a client a message that takes many beats to arrive.
func TestLargeMessageIn(t *testing.T) {
	t.Parallel()
	lis := wiretest.ListenScript(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}, heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2})).MustDial(t, lis.Addr())
	call := sess.AsyncCall("/enc/bytes", nil, new([]byte), nil)
	s := lis.Accept()
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
}

// TestLargeMessageOut has a client send more than the other side reads in many
// beats; it answers heartbeats when it comes to them.
func TestLargeMessageOut(t *testing.T) {
	t.Parallel()
	lis := wiretest.ListenScript(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{QueueLimit: 64 << 20, SocketWriteBuffer: 64 << 10},
		heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate, Misses: 2})).MustDial(t, lis.Addr())
	s := lis.Accept()
	pushed := make(chan *erpc.Status, 1)
	go func() { pushed <- sess.Push("/x", bytes.Repeat([]byte("x"), 1<<20-100)) }()
	time.Sleep(5 * rate) // the other side is busy
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
}

// TestNothingLeftBehind: with many peers and sessions there is no goroutine for
// any of them, and goleak finds none after they have closed.
func TestNothingLeftBehind(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, heartbeat.NewPong())
	for range 20 {
		wiretest.NewClient(t, erpc.PeerConfig{}, heartbeat.NewPing(3, true)).MustDial(t, srv.Addr)
	}
	buf := make([]byte, 4<<20)
	if stacks := buf[:runtime.Stack(buf, true)]; bytes.Contains(stacks, []byte("created by github.com/erpc-go/erpc/plugin/heartbeat.")) {
		t.Errorf("a goroutine of the plugin waits:\n%s", stacks)
	}
}
