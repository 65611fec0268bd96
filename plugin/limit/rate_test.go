package limit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/plugin/limit"
)

// rateServer serves /a and /b, which have the rate on the peer or on each route,
// and /free. Its clients are whom they say that they are.
type rateServer struct {
	erpc.Peer
	addr string
}

func newRateServer(t *testing.T, onRoute bool, r *limit.Rater) *rateServer {
	t.Helper()
	login := auth.NewCheckerPlugin(func(sess auth.Session, receive auth.RecvOnce) (any, *erpc.Status) {
		var name string
		if st := receive(&name); !st.OK() {
			return nil, st
		}
		if name != "" {
			auth.SetIdentity(sess, &auth.Identity{Name: name})
		}
		return "pass", nil
	})
	ofPeer, ofRoute := []erpc.Plugin{login, r, heartbeat.NewPong()}, []erpc.Plugin(nil)
	if onRoute {
		ofPeer, ofRoute = []erpc.Plugin{login, heartbeat.NewPong()}, []erpc.Plugin{r}
	}
	srv := &rateServer{Peer: erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, ofPeer...)}
	for _, method := range []string{"/a", "/b"} {
		erpc.HandleCall(srv.Peer, method, func(context.Context, *int) (*int, error) { return nil, nil }, ofRoute...)
	}
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	srv.addr = lis.Addr().String()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = srv.Close()
		await(t, "Serve", served)
	})
	return srv
}

func (s *rateServer) dial(t *testing.T, name string) erpc.Session {
	t.Helper()
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token(name)))
	t.Cleanup(func() { _ = cli.Close() })
	sess, st := cli.Dial(s.addr)
	if !st.OK() {
		t.Fatal(st)
	}
	return sess
}

// passed returns how many of n calls pass, alternating between /a and /b.
func passed(t *testing.T, sess erpc.Session, n int) (passed int) {
	t.Helper()
	for i := range n {
		switch st := sess.Call([]string{"/a", "/b"}[i%2], 1, nil).Status(); {
		case st.OK():
			passed++
		case st.Code() != erpc.CodeExhausted || st.Cause() == nil || st.Cause().Error() != limit.ErrRate.Error():
			t.Fatal(st)
		}
	}
	return passed
}

// Each session, user or address, as the rate says, has its own budget, and all
// handlers count together. The rate is so slow that nothing is earned during the
// test.
func TestRateIsForEachOfItsKind(t *testing.T) {
	const burst = 4
	for _, tc := range []struct {
		per limit.Per
		// What passes of 10 calls of each session, one after the other: two
		// sessions of ann, one of bob, two of nobody.
		want [5]int
	}{
		{"", [5]int{burst, burst, burst, burst, burst}},
		{limit.PerSession, [5]int{burst, burst, burst, burst, burst}},
		{limit.PerIdentity, [5]int{burst, 0, burst, burst, 0}},
		{limit.PerIP, [5]int{burst, 0, 0, 0, 0}},
	} {
		for _, onRoute := range []bool{false, true} {
			r := limit.NewRate(limit.Rate{Per: tc.per, Limit: 0.001, Burst: burst})
			srv := newRateServer(t, onRoute, r)
			var got [5]int
			refused := uint64(0)
			for i, name := range []string{"ann", "ann", "bob", "", ""} {
				got[i] = passed(t, srv.dial(t, name), 10)
				refused += uint64(10 - got[i])
			}
			if got != tc.want || r.Refused() != refused {
				t.Errorf("per %q, on each route %t: %v passed and %d were refused, want %v", tc.per, onRoute, got, r.Refused(), tc.want)
			}
		}
	}
}

func TestHeartbeatsPassARate(t *testing.T) {
	srv := newRateServer(t, false, limit.NewRate(limit.Rate{Limit: 0.001, Burst: 1}))
	sess := srv.dial(t, "")
	for range 3 {
		if st := sess.Call(heartbeat.ServiceMethod, nil, nil).Status(); !st.OK() {
			t.Error(st)
		}
	}
}

// Calls are earned again as time passes.
func TestRateIsEarnedAgain(t *testing.T) {
	srv := newRateServer(t, false, limit.NewRate(limit.Rate{Limit: 50, Burst: 1}))
	sess := srv.dial(t, "")
	begin := time.Now()
	for n := 0; n < 6; {
		n += passed(t, sess, 1)
		if time.Since(begin) > patience {
			t.Fatalf("%d calls in %v", n, patience)
		}
	}
	if d := time.Since(begin); d < 90*time.Millisecond {
		t.Errorf("6 calls passed in %v, at 50 a second", d)
	}
}

func TestRatesThatMakeNoSense(t *testing.T) {
	for _, r := range []limit.Rate{{}, {Limit: -1}, {Limit: 1, Burst: -1}, {Limit: 1, MaxKeys: -1}, {Limit: 1, Per: "planet"}} {
		if err := r.Validate(); err == nil {
			t.Errorf("%+v was taken", r)
		}
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || errors.Unwrap(err) != nil {
					t.Errorf("NewRate(%+v) did not panic", r)
				}
			}()
			limit.NewRate(r)
		}()
	}
}
