package retry_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/retry"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// A script answers calls with one code after the other, the last for ever.
type script struct {
	codes []int32
	calls atomic.Int32
}

func (s *script) Call(method string, arg, result any, _ ...erpc.MessageSetting) erpc.CallCmd {
	n := min(int(s.calls.Add(1)), len(s.codes))
	var st *erpc.Status
	if c := s.codes[n-1]; c != 0 {
		st = erpc.NewStatus(c, "scripted")
	}
	return erpc.NewFakeCallCmd(method, arg, result, st)
}

// TestWhatIsSafe: only what can't have been executed is made again.
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
		{"shutting down", retry.Config{}, []int32{erpc.CodeShuttingDown, 0}, 2, 0},
		{"too much to do", retry.Config{}, []int32{erpc.CodeExhausted, erpc.CodeExhausted, 0}, 3, 0},
		{"not dialed", retry.Config{}, []int32{erpc.CodeDialFailed, 0}, 2, 0},
		{"all attempts", retry.Config{}, []int32{erpc.CodeExhausted}, 3, erpc.CodeExhausted},
		{"more attempts", retry.Config{Attempts: 5}, []int32{erpc.CodeExhausted}, 5, erpc.CodeExhausted},
		{"no retry", retry.Config{Attempts: 1}, []int32{erpc.CodeExhausted}, 1, erpc.CodeExhausted},
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

// TestBackoff: the waits are random, below a bound that doubles up to its own.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := retry.Config{Attempts: 6, Backoff: 10 * time.Millisecond, MaxBackoff: 40 * time.Millisecond, Budget: -1}
		total, most := time.Duration(0), time.Duration(0)
		const rounds = 200
		for range rounds {
			begin := time.Now()
			retry.New(cfg).On(&script{codes: []int32{erpc.CodeExhausted}}).Call("/m", nil, nil)
			d := time.Since(begin)
			total, most = total+d, max(most, d)
		}
		// 10+20+40+40+40 at most, half of it on average.
		if most > 150*time.Millisecond {
			t.Errorf("waited %s", most)
		}
		if mean := total / rounds; mean < 60*time.Millisecond || mean > 90*time.Millisecond {
			t.Errorf("waited %s on average, want 75ms", mean)
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
		s := &script{codes: []int32{erpc.CodeExhausted}}
		st := r.On(s).Call("/m", nil, nil, erpc.WithContext(ctx)).Status()
		if d := time.Since(begin); st.Code() != erpc.CodeExhausted || d >= 100*time.Millisecond || s.calls.Load() < 4 {
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

// TestBudget: a target in trouble gets the burst, then a tenth more.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.New(retry.Config{Attempts: 2, BudgetBurst: 5})
		s := &script{codes: []int32{erpc.CodeExhausted}}
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

// TestNotSent: on a session of a peer with the plugin, a call that was never
// sent is made again on the next one, and a call whose reply is missing is not.
func TestNotSent(t *testing.T) {
	var handled atomic.Int32
	srv := wiretest.NewServer(t, erpc.PeerConfig{})
	erpc.HandleCall(srv.Peer, "/die", func(ctx context.Context, _ *[]int) (*int, error) {
		handled.Add(1)
		return nil, errors.Join(erpc.CallCtxFrom(ctx).Session().Close())
	})
	srv.Listen(t)
	for _, tc := range []struct {
		name     string
		with     bool // the client has the plugin
		method   string
		closed   bool // the first session is closed
		code     int32
		sessions int32
	}{
		{"not sent", true, "/math/add", true, 0, 2},
		{"not sent, not known", false, "/math/add", true, erpc.CodeConnClosed, 1},
		{"no reply", true, "/die", false, erpc.CodeConnClosed, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := retry.New(retry.Config{Backoff: time.Millisecond})
			var plugins []erpc.Plugin
			if tc.with {
				plugins = append(plugins, r)
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
