package heartbeat_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// TestGolden replays v7's heartbeats at both ends.
func TestGolden(t *testing.T) {
	bubble(t, func(t *testing.T, net *network) {
		var call, reply []byte
		for _, v := range wiretest.Golden(t, "raw") {
			if v.Name == "heartbeat/call" && v.Dir == wiretest.ToServer {
				call = v.Bytes
			} else if v.Name == "heartbeat/call" {
				reply = v.Bytes
			}
		}
		if call == nil || reply == nil {
			t.Fatal("heartbeat/call was not captured")
		}
		srv := wiretest.Serve(t, net.config(), heartbeat.NewPong())
		s := net.dial(t, srv.Addr)
		s.Send(call)
		s.Want(reply)

		addr, accept := net.listen(t)
		sess := wiretest.NewClient(t, net.config(), heartbeat.NewPing(3, true)).MustDial(t, addr)
		start := time.Now()
		s = accept()
		s.Want(call)
		if d := time.Since(start); d > 200*time.Millisecond {
			t.Errorf("the heartbeat with the rate came after %v, want it at once", d)
		}
		s.Send(reply)
		s.Frame(false) // the next
		if d := time.Since(start); d < 3*time.Second || d > 6*time.Second {
			t.Errorf("the next heartbeat came after %v, want 3s", d)
		}
		if !sess.Health() {
			t.Error("the session has ended")
		}
	})
}

// TestLiveV7: this side answers v7's heartbeats, and v7 answers the heartbeats of
// this side.
func TestLiveV7(t *testing.T) {
	t.Parallel()
	v7peer := wiretest.BuildV7(t)
	for _, mode := range []string{"call", "push"} {
		t.Run("v7 sends "+mode, func(t *testing.T) {
			t.Parallel()
			srv := wiretest.Serve(t, erpc.PeerConfig{}, heartbeat.NewPong())
			done := wiretest.CallV7(t, v7peer, "-heartbeat", mode, "-only", "heartbeat,math/add", "-addr", srv.Addr)
			if !done["heartbeat"].OK {
				t.Errorf("v7 ran %v, want heartbeat", done)
			}
		})
		t.Run("we send "+mode, func(t *testing.T) {
			t.Parallel()
			s := wiretest.ServeV7(t, v7peer, "-heartbeat", "pong")
			ping := heartbeat.NewPinger(heartbeat.PingConfig{Rate: time.Second, Push: mode == "push"})
			sess := wiretest.NewClient(t, erpc.PeerConfig{}, ping).MustDial(t, s.Addr)
			kind := map[string]string{"call": "CALL", "push": "PUSH"}[mode]
			if err := s.AwaitLine(fmt.Sprintf(`{"heartbeat":%q,"rate":"1"}`, kind)); err != nil {
				t.Error(err)
			}
			ping.SetInterval(rate) // v7 knows whole seconds only
			time.Sleep(3500 * time.Millisecond)
			works(t, sess) // v7 closes what is silent for two beats
		})
	}
	t.Run("v7 expects an answer", func(t *testing.T) {
		t.Parallel()
		s := wiretest.ServeV7(t, v7peer, "-heartbeat", "call")
		heard := newBeats()
		sess := wiretest.NewClient(t, erpc.PeerConfig{}, heard, heartbeat.NewPong()).MustDial(t, s.Addr)
		if st := await(t, "a heartbeat to be answered", heard.answered); !st.OK() { // then v7 closes the session
			t.Errorf("it was answered with %v", st)
		}
		works(t, sess)
	})
}

// TestRates checks what is sent for a rate, and how often.
func TestRates(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  heartbeat.PingConfig
		kind string
		meta string
		beat time.Duration
	}{
		{"shortest", heartbeat.PingConfig{Rate: time.Millisecond}, "CALL", "hb_=1&X-Erpc-Beat=100", 100 * time.Millisecond},
		{"push", heartbeat.PingConfig{Rate: 150 * time.Millisecond, Push: true, Misses: 99}, "PUSH", "hb_=1&X-Erpc-Beat=150", 150 * time.Millisecond},
		{"whole seconds", heartbeat.PingConfig{Rate: time.Second}, "CALL", "hb_=1", time.Second},
		{"longest", heartbeat.PingConfig{Rate: 1000 * time.Hour}, "CALL", "hb_=86400", 24 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *network) {
				heard := newBeats()
				srv := wiretest.Serve(t, net.config(), heard, heartbeat.NewPong())
				sess := wiretest.NewClient(t, net.config(), heartbeat.NewPinger(tc.cfg)).MustDial(t, srv.Addr)
				last := time.Now()
				for i := range 5 {
					if got := <-heard.arrived; got != tc.kind+" "+tc.meta {
						t.Errorf("got %s, want %s %s", got, tc.kind, tc.meta)
					}
					d := time.Since(last)
					last = time.Now()
					if i == 0 && d > 200*time.Millisecond {
						t.Errorf("the first heartbeat came after %v", d)
					} else if i > 0 && (d < tc.beat || d > tc.beat*3/2) {
						t.Errorf("a heartbeat came after %v, want %v", d, tc.beat)
					}
				}
				works(t, sess)
			})
		})
	}
}

// TestChanges changes the rate and the kind of heartbeats while they run.
func TestChanges(t *testing.T) {
	bubble(t, func(t *testing.T, net *network) {
		heard := newBeats()
		srv := wiretest.Serve(t, net.config(), heard, heartbeat.NewPong())
		p := heartbeat.NewPinger(heartbeat.PingConfig{Rate: rate})
		wiretest.NewClient(t, net.config(), p).MustDial(t, srv.Addr)
		for _, step := range []struct {
			do   func()
			want string
		}{
			{func() {}, "CALL hb_=1&X-Erpc-Beat=100"},
			{p.UsePush, "PUSH hb_=1&X-Erpc-Beat=100"},
			{func() { p.SetInterval(2 * rate) }, "PUSH hb_=1&X-Erpc-Beat=200"},
			{p.UseCall, "CALL hb_=1&X-Erpc-Beat=200"},
			{func() { p.SetRate(1) }, "CALL hb_=1"},
		} {
			step.do()
			for got := ""; got != step.want; {
				got = await(t, step.want, heard.arrived)
			}
		}
		for seconds, want := range map[int]time.Duration{-1: 3 * time.Second, 0: 3 * time.Second, 1: time.Second, math.MaxInt: 24 * time.Hour} {
			if p.SetRate(seconds); p.Interval() != want {
				t.Errorf("SetRate(%d) makes it %v, want %v", seconds, p.Interval(), want)
			}
		}
	})
}

// TestBadRates sends invalid rates.
func TestBadRates(t *testing.T) {
	srv := wiretest.Serve(t, erpc.PeerConfig{}, heartbeat.NewPong())
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	for _, tc := range []struct {
		rate string
		code int32
	}{{"x", erpc.CodeBadMessage}, {"-1", erpc.CodeBadMessage}, {"99999999999999999999", erpc.CodeBadMessage},
		{"0", 0}, {"4294967295", 0}, {"x", 0}} { // the last one comes after a good one
		var none struct{}
		st := sess.Call(heartbeat.ServiceMethod, nil, &none, erpc.WithSetMeta("hb_", tc.rate)).Status()
		if st.Code() != tc.code {
			t.Errorf("rate %s: %v, want code %d", tc.rate, st, tc.code)
		}
	}
	if st := sess.Call(heartbeat.ServiceMethod, nil, nil).Status(); !st.OK() {
		t.Errorf("without a rate: %v", st)
	}
}
