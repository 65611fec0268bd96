package retry_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/retry"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// errDial is a cause like those of a dialer.
var errDial = fmt.Errorf("dial: %w", errors.New("connection refused"))

// A script is a target without sessions, such as a pool that can't dial. It answers
// calls with one code after the other, and repeats the last one. Only
// CodeDialFailed says that the call was not sent.
type script struct {
	codes []int32
	fake  bool // not even CodeDialFailed says it
	calls atomic.Int32
}

func (s *script) Call(method string, arg, result any, _ ...erpc.MessageSetting) erpc.CallCmd {
	n := min(int(s.calls.Add(1)), len(s.codes))
	var st *erpc.Status
	if c := s.codes[n-1]; c != 0 {
		st = erpc.NewStatus(c, "scripted", errDial)
	}
	if st.Code() == erpc.CodeDialFailed && !s.fake {
		return erpc.NewUnsentCallCmd(method, arg, result, st)
	}
	return erpc.NewFakeCallCmd(method, arg, result, st)
}

// The code and the cause of a status prove nothing, because a handler may have made
// both.
func TestAStandInThatSaysNotDialedProvesNothing(t *testing.T) {
	s := &script{codes: []int32{erpc.CodeDialFailed, 0}, fake: true}
	st := retry.New(retry.Config{}).On(s).Call("/m", nil, nil).Status()
	if st.Code() != erpc.CodeDialFailed || s.calls.Load() != 1 {
		t.Errorf("%v after %d calls", st, s.calls.Load())
	}
}

// TestWhatIsSafe: only a call that can't have been executed is made again.
func TestWhatIsSafe(t *testing.T) {
	twice := func(_ string, st *erpc.Status) bool { return st.Code() == 1001 || st.Code() == erpc.CodeConnClosed }
	for _, tc := range []struct {
		name  string
		cfg   retry.Config
		codes []int32
		calls int32
		code  int32
	}{
		{"success", retry.Config{}, []int32{0}, 1, 0},
		{"shutting down, says a stand-in", retry.Config{}, []int32{erpc.CodeShuttingDown, 0}, 1, erpc.CodeShuttingDown},
		{"too much to do, says a stand-in", retry.Config{}, []int32{erpc.CodeExhausted, 0}, 1, erpc.CodeExhausted},
		{"not dialed", retry.Config{}, []int32{erpc.CodeDialFailed, erpc.CodeDialFailed, 0}, 3, 0},
		{"all attempts", retry.Config{}, []int32{erpc.CodeDialFailed}, 3, erpc.CodeDialFailed},
		{"more attempts", retry.Config{Attempts: 5}, []int32{erpc.CodeDialFailed}, 5, erpc.CodeDialFailed},
		{"no retry", retry.Config{Attempts: 1}, []int32{erpc.CodeDialFailed}, 1, erpc.CodeDialFailed},
		{"a mistake", retry.Config{Attempts: -1}, []int32{erpc.CodeDialFailed}, 1, erpc.CodeDialFailed},
		{"perhaps executed", retry.Config{}, []int32{erpc.CodeConnClosed, 0}, 1, erpc.CodeConnClosed},
		{"timeout", retry.Config{}, []int32{erpc.CodeHandleTimeout, 0}, 1, erpc.CodeHandleTimeout},
		{"failed", retry.Config{}, []int32{erpc.CodeInternalServerError, 0}, 1, erpc.CodeInternalServerError},
		{"failed, may be repeated", retry.Config{Retryable: twice}, []int32{1001, 0}, 2, 0},
		{"perhaps executed, may be repeated", retry.Config{Retryable: twice}, []int32{erpc.CodeConnClosed, 0}, 2, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{codes: tc.codes}
				st := retry.New(tc.cfg).On(s).Call("/m", nil, nil).Status()
				if st.Code() != tc.code || s.calls.Load() != tc.calls {
					t.Errorf("%v after %d calls, want code %d after %d", st, s.calls.Load(), tc.code, tc.calls)
				}
			})
		})
	}
}

// TestBackoff: the waits are random, and bounded by a time that doubles up to a
// limit.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := retry.Config{Attempts: 6, Backoff: 10 * time.Millisecond, MaxBackoff: 40 * time.Millisecond, Budget: -1}
		total, most := time.Duration(0), time.Duration(0)
		const rounds = 200
		for range rounds {
			begin := time.Now()
			retry.New(cfg).On(&script{codes: []int32{erpc.CodeDialFailed}}).Call("/m", nil, nil)
			d := time.Since(begin)
			total, most = total+d, max(most, d)
		}
		// 10+20+40+40+40 at most, three quarters of it on average.
		if most > 150*time.Millisecond {
			t.Errorf("waited %s", most)
		}
		if mean := total / rounds; mean < 100*time.Millisecond || mean > 125*time.Millisecond {
			t.Errorf("waited %s on average, want 112.5ms", mean)
		}
	})
}

// TestContext: no retry outlives the context of the call.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.New(retry.Config{Attempts: 1000, Backoff: 20 * time.Millisecond, MaxBackoff: 20 * time.Millisecond, Budget: -1})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		s := &script{codes: []int32{erpc.CodeDialFailed}}
		st := r.On(s).Call("/m", nil, nil, erpc.WithContext(ctx)).Status()
		if d := time.Since(begin); st.Code() != erpc.CodeDialFailed || d >= 100*time.Millisecond || s.calls.Load() < 4 {
			t.Errorf("%v after %s and %d calls", st, d, s.calls.Load())
		}

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		begin = time.Now()
		r.On(s).Call("/m", nil, nil, erpc.WithContext(ctx))
		if d := time.Since(begin); d != 50*time.Millisecond {
			t.Errorf("ended %s after the call, not with its context", d)
		}
	})
}

// TestBudget: a target in trouble gets the burst, and then a tenth more calls.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.New(retry.Config{Attempts: 2, BudgetBurst: 5})
		s := &script{codes: []int32{erpc.CodeDialFailed}}
		target := r.On(s)
		for range 105 {
			target.Call("/m", nil, nil)
		}
		got := r.Stats()
		if got.Retries < 14 || got.Retries > 16 || got.Retries+got.Denied != 105 || s.calls.Load() != 105+int32(got.Retries) {
			t.Errorf("%+v after %d calls, want about 15 retries", got, s.calls.Load())
		}
	})
}

// A call that was never sent is made again on another session, whatever plugins the
// peer has; one whose reply is missing is not.
func TestOnlyCallsThatWereNotSentAreRepeated(t *testing.T) {
	var handled atomic.Int32
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	erpc.HandleCall(srv.Peer, "/die", func(ctx context.Context, _ *[]int) (*int, error) {
		handled.Add(1)
		return nil, errors.Join(erpc.CallCtxFrom(ctx).Session().Close())
	})
	srv.Listen(t)
	// A hook before all others, which fails when the call is on its way.
	failing := &erpc.PluginImpl{PluginName: "failing", OnPostWriteCall: func(erpc.WriteCtx) *erpc.Status {
		return erpc.NewStatus(erpc.CodeConnClosed, "hook")
	}}
	panicking := &erpc.PluginImpl{PluginName: "panicking", OnPostWriteCall: func(erpc.WriteCtx) *erpc.Status { panic("hook") }}
	for _, tc := range []struct {
		name     string
		plugin   erpc.Plugin // of the client
		method   string
		closed   bool // the first session is closed
		code     int32
		sessions int32
	}{
		{"not sent", nil, "/math/add", true, 0, 2},
		{"not sent, with a failing hook", failing, "/math/add", true, 0, 2},
		{"no reply", nil, "/die", false, erpc.CodeConnClosed, 1},
		{"no reply, and a hook failed", failing, "/die", false, erpc.CodeConnClosed, 1},
		{"no reply, and a hook panicked", panicking, "/die", false, erpc.CodeConnClosed, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := retry.New(retry.Config{Backoff: time.Millisecond})
			var plugins []erpc.Plugin
			if tc.plugin != nil {
				plugins = append(plugins, tc.plugin)
			}
			cli := wiretest.NewClient(t, erpc.PeerConfig{}, plugins...)
			sessions := []erpc.Session{cli.MustDial(t, srv.Addr), cli.MustDial(t, srv.Addr)}
			if tc.closed {
				if err := sessions[0].Close(); err != nil {
					t.Fatal(err)
				}
			}
			var n atomic.Int32
			target := r.OnAny(func() retry.Caller { return sessions[n.Add(1)-1] })
			before := handled.Load()
			st := target.Call(tc.method, []int{1, 2}, nil).Status()
			if tc.method == "/die" {
				if got := handled.Load() - before; got != 1 {
					t.Errorf("executed %d times", got)
				}
			}
			if st.Code() != tc.code || n.Load() != tc.sessions {
				t.Errorf("%v over %d sessions, want code %d over %d", st, n.Load(), tc.code, tc.sessions)
			}
		})
	}
}

// A handler that returns the status of a call of its own was executed, whatever
// that status is.
func TestForwardedStatusesAreNotRepeated(t *testing.T) {
	var handled atomic.Int32
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	erpc.HandleCall(srv.Peer, "/order", func(_ context.Context, code *int32) (*int, error) {
		handled.Add(1)
		return nil, fmt.Errorf("payments: %w", erpc.NewStatus(*code, "", errDial).Err())
	})
	srv.Listen(t)
	sess := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	target := retry.New(retry.Config{Backoff: time.Millisecond}).On(sess)
	for _, code := range []int32{erpc.CodeExhausted, erpc.CodeShuttingDown, erpc.CodeDialFailed, erpc.CodeConnClosed} {
		before := handled.Load()
		st := target.Call("/order", code, nil).Status()
		if n := handled.Load() - before; n != 1 || st.Code() != code {
			t.Errorf("code %d: executed %d times, then %v", code, n, st)
		}
	}
}

// away is a caller that has no connection at the moment.
type away struct {
	script
	connected bool
}

func (a *away) Connected() bool { return a.connected }

func TestRoundRobinSkipsCallersThatRedial(t *testing.T) {
	a, b, c := &away{connected: true}, &away{connected: true}, &script{}
	pick := retry.RoundRobin(a, b, c)
	for i, want := range []retry.Caller{a, b, c, a} {
		if got := pick(); got != want {
			t.Errorf("pick %d is another", i)
		}
	}
	b.connected = false
	for range 6 {
		if pick() == retry.Caller(b) {
			t.Fatal("it picked a caller that is being redialed")
		}
	}
	if retry.RoundRobin(b)() == nil {
		t.Error("it picks none while all redial; one may be back in time")
	}
}

// New refuses an invalid configuration.
func TestMistakesMakeNoPeer(t *testing.T) {
	for _, cfg := range []retry.Config{{Attempts: -1}, {Backoff: -1}, {Breaker: &retry.BreakerConfig{Failures: 2}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", cfg)
				}
			}()
			erpc.NewPeer(erpc.PeerConfig{}, retry.New(cfg))
		}()
	}
}
