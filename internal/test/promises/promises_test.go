// Package promises checks each promise on each path. A promise is one small check;
// a path is a wire, the side that calls, the way in which a message gets to its
// handler, and the form of the call. A fault on one path often has counterparts on
// others, which these tests find.
package promises

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

// A path is a combination in which a promise is checked.
type path struct {
	wire     wire
	reversed bool // the side that accepted the connection calls
	way      way
	form     form
	known    bool // the cell is listed as one that does not hold
}

func (p path) String() string {
	side := "client calls"
	if p.reversed {
		side = "server calls"
	}
	return strings.Join([]string{p.wire.name, side, p.way.name, p.form.name}, "/")
}

// known are the cells that do not hold yet, with the reason: "promise: part of a
// path". A cell that holds although it is listed fails the test.
var known = map[string]string{}

// A promise is checked on every path. check returns an error if it does not hold.
type promise struct {
	name  string
	check func(t *testing.T, p path) error
}

var promises = []promise{
	{"a panic is 500 and tells nothing", panicIs500},
	{"Goexit is 500", goexitIs500},
	{"a context that has ended sends nothing", endedContext},
	{"a deadline ends the call and the handler", deadline},
	{"MaxHandlers refuses with 429", maxHandlers(func(c *erpc.PeerConfig) { c.MaxHandlers = 1 })},
	{"MaxSessionHandlers refuses with 429", maxHandlers(func(c *erpc.PeerConfig) { c.MaxSessionHandlers = 1 })},
	{"a client that waits for its replies is never refused", sequential},
	{"hooks run once, in order", hooksRun},
	{"the read limit refuses with 413 or 102", readLimit},
	{"shutdown refuses with 503 or leaves", shutdownRefuses},
	{"the text around a status stays in the log", textAround},
}

func TestPromises(t *testing.T) {
	for _, pr := range promises {
		t.Run(pr.name, func(t *testing.T) {
			for _, p := range paths() {
				t.Run(p.String(), func(t *testing.T) {
					why := reason(pr.name, p)
					p.known = why != ""
					switch err := pr.check(t, p); {
					case err != nil && why == "":
						t.Error(err)
					case err == nil && why != "":
						t.Errorf("holds now, take it out of the list: %s", why)
					case err != nil:
						t.Logf("does not hold, as is known (%s): %v", why, err)
					}
				})
			}
		})
	}
}

// paths returns every wire from both sides. On raw, whose engine all others share,
// it adds every way and form.
func paths() (all []path) {
	for _, w := range wires {
		for _, reversed := range []bool{false, true} {
			for _, way := range ways {
				if way.redialed && reversed {
					continue // the side that accepted does not redial
				}
				for _, f := range forms {
					if w.name != "raw" && (way.name != ways[0].name || f.name != forms[0].name) {
						continue
					}
					all = append(all, path{wire: w, reversed: reversed, way: way, form: f})
				}
			}
		}
	}
	return all
}

func reason(promise string, p path) string {
	for cell, why := range known {
		name, part, _ := strings.Cut(cell, ": ")
		if name == promise && strings.Contains(p.String(), part) {
			return why
		}
	}
	return ""
}

// open makes the rig of a path, with do as its handler at /do, and plugins on the
// handlers' side.
func open(t *testing.T, p path, cfg func(*erpc.PeerConfig), do func(ctx context.Context, n *int) (*int, error), plugins ...erpc.Plugin) (*rig, error) {
	t.Helper()
	r := newRig(t, p.wire, p.reversed, cfg, plugins...)
	var route []erpc.Plugin
	if p.way.route != nil {
		route = append(route, p.way.route)
	}
	var cold atomic.Bool // the checked handler runs, not the warm-up
	erpc.HandleCall(r.far, "/do", func(ctx context.Context, n *int) (*int, error) {
		if !cold.Load() {
			return n, nil
		}
		return do(ctx, n)
	}, route...)
	if p.way.redialed {
		_ = r.fromFar.Close() // the other side notices, and dials again
		kit.Eventually(t, kit.Bound, "another connection", func() bool { return r.near.Call("/nowhere", 1, nil).Status().Code() == erpc.CodeNotFound })
		r.fromFar = only(t, r.far)
	}
	if err := r.prepare(p.way, "/do"); err != nil {
		return nil, err
	}
	cold.Store(true)
	return r, nil
}

func panicIs500(t *testing.T, p path) error {
	r, err := open(t, p, nil, func(context.Context, *int) (*int, error) { panic("a secret") })
	if err != nil {
		return err
	}
	return want500(r, p)
}

func goexitIs500(t *testing.T, p path) error {
	r, err := open(t, p, nil, func(context.Context, *int) (*int, error) {
		runtime.Goexit()
		return nil, nil
	})
	if err != nil {
		return err
	}
	return want500(r, p)
}

// do calls /do. A call that hangs is an error; it ends with its peer at the end of
// the test.
func (r *rig) do(p path, n int) (*erpc.Status, error) {
	patience := kit.Bound
	if p.known {
		patience = kit.Prompt
	}
	ended := make(chan *erpc.Status, 1)
	go func() { ended <- p.form.do(r.near, "/do", n, new(int)) }()
	select {
	case st := <-ended:
		return st, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("a call hangs for %v", patience)
	}
}

// want500 calls twice, because the session must go on.
func want500(r *rig, p path) error {
	for range 2 {
		st, err := r.do(p, 1)
		if err != nil {
			return err
		}
		if st.Code() != erpc.CodeInternalServerError || strings.Contains(st.String(), "secret") {
			return fmt.Errorf("the call ended with %v", st)
		}
	}
	return nil
}

func endedContext(t *testing.T, p path) error {
	var ran atomic.Int32
	r, err := open(t, p, nil, func(_ context.Context, n *int) (*int, error) {
		ran.Add(1)
		return n, nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	st := p.form.do(r.near, "/do", 1, new(int), erpc.WithContext(ctx))
	if st.Code() != erpc.CodeCanceled {
		return fmt.Errorf("the call ended with %v", st)
	}
	if st := p.form.do(r.near, "/do", 1, new(int)); !st.OK() { // follows it
		return fmt.Errorf("the call after it ended with %v", st)
	}
	if n := ran.Load(); n != 1 {
		return fmt.Errorf("%d calls were handled, want the second alone", n)
	}
	return nil
}

func deadline(t *testing.T, p path) error {
	const attempts = 8
	var begun atomic.Int32
	ended := make(chan struct{}, attempts)
	r, err := open(t, p, nil, func(ctx context.Context, n *int) (*int, error) {
		begun.Add(1)
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	})
	if err != nil {
		return err
	}
	limit := 30 * time.Millisecond
	for range attempts {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		st := p.form.do(r.near, "/do", 1, new(int), erpc.WithContext(ctx))
		cancel()
		if st.Code() != erpc.CodeHandleTimeout {
			return fmt.Errorf("the call ended with %v", st)
		}
		if begun.Load() > 0 {
			kit.Await(t, "the end of the handler", ended)
			return nil
		}
		limit *= 2 // on a busy machine the time was over before the call arrived
	}
	return fmt.Errorf("no handler began within %v", limit/2)
}

func maxHandlers(set func(*erpc.PeerConfig)) func(*testing.T, path) error {
	return func(t *testing.T, p path) error {
		const calls = 4
		begun, release := make(chan struct{}, calls), make(chan struct{})
		r, err := open(t, p, set, func(_ context.Context, n *int) (*int, error) {
			begun <- struct{}{}
			<-release
			return n, nil
		})
		if err != nil {
			return err
		}
		ends := make(chan *erpc.Status, calls)
		for range calls {
			go func() { ends <- p.form.do(r.near, "/do", 1, new(int)) }()
		}
		early := 0 // refused although none of our handlers was running
		for waiting := true; waiting; {
			select {
			case <-begun:
				waiting = false
			case st := <-ends:
				if early++; early == calls {
					close(release)
					return fmt.Errorf("all calls were refused, the last with %v", st)
				}
			}
		}
		// One handler runs inline and is not counted; so at most two run, and
		// ordered ones wait for each other.
		refused, atMost := 0, 2
		if p.way.route != nil {
			refused, atMost = -1, 1
		}
		if refused == 0 {
			for range calls - atMost - early {
				if st := kit.Await(t, "a refusal", ends); st.Code() != erpc.CodeExhausted {
					close(release)
					return fmt.Errorf("a call above the limit ended with %v", st)
				}
				refused++
			}
		}
		working := 1 + len(begun)
		close(release)
		for range calls - early - max(refused, 0) {
			if st := kit.Await(t, "the end of a call", ends); !st.OK() && st.Code() != erpc.CodeExhausted {
				return fmt.Errorf("a call ended with %v", st)
			}
		}
		if working > atMost {
			return fmt.Errorf("%d handlers were at work at the same time, want at most %d", working, atMost)
		}
		return nil
	}
}

func sequential(t *testing.T, p path) error {
	one := func(c *erpc.PeerConfig) { c.MaxHandlers, c.MaxSessionHandlers = 1, 1 }
	r, err := open(t, p, one, func(_ context.Context, n *int) (*int, error) { return n, nil })
	if err != nil {
		return err
	}
	for i := range 50 {
		if st := p.form.do(r.near, "/do", 1, new(int)); !st.OK() {
			return fmt.Errorf("call %d ended with %v", i, st)
		}
	}
	return nil
}

func hooksRun(t *testing.T, p path) error {
	var on atomic.Bool
	var begun, replied atomic.Int32
	ran := make(chan string, 100)
	hooks := kit.EveryHook("hooks", func(hook string) *erpc.Status {
		switch hook {
		case "PostReadCallHeader":
			begun.Add(1)
		case "PostWriteReply":
			replied.Add(1)
		}
		if on.Load() && hook != "PreReadHeader" {
			ran <- hook
		}
		return nil
	})
	r, err := open(t, p, nil, func(_ context.Context, n *int) (*int, error) { return n, nil }, hooks)
	if err != nil {
		return err
	}
	kit.Eventually(t, kit.Bound, "the hooks of earlier calls", func() bool {
		b, r := begun.Load(), replied.Load()
		if p.way.redialed { // a call may have come over the connection that was closed: nothing was replied to it
			time.Sleep(50 * time.Millisecond)
			return b == begun.Load() && r == replied.Load()
		}
		return b == r
	})
	on.Store(true)
	if st := p.form.do(r.near, "/do", 1, new(int)); !st.OK() {
		return fmt.Errorf("the call ended with %v", st)
	}
	want := []string{"PostReadCallHeader", "PreReadCallBody", "PostReadCallBody", "PreWriteReply", "PostWriteReply"}
	for _, hook := range want {
		if got := kit.Await(t, hook, ran); got != hook {
			return fmt.Errorf("%s ran, want %s", got, hook)
		}
	}
	if st := p.form.do(r.near, "/do", 1, new(int)); !st.OK() { // extra hooks would precede its own
		return fmt.Errorf("the second call ended with %v", st)
	}
	if got := kit.Await(t, "the hooks of the second call", ran); got != want[0] {
		return fmt.Errorf("%s ran too", got)
	}
	return nil
}

func readLimit(t *testing.T, p path) error {
	var ran atomic.Int32
	limit := func(c *erpc.PeerConfig) { c.ReadLimit = 64 << 10 }
	r, err := open(t, p, limit, func(_ context.Context, n *int) (*int, error) { return n, nil })
	if err != nil {
		return err
	}
	erpc.HandleCall(r.far, "/large", func(_ context.Context, s *string) (*int, error) {
		ran.Add(1)
		return nil, nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
	defer cancel()
	st := p.form.do(r.near, "/large", strings.Repeat("x", 100<<10), new(int), erpc.WithContext(ctx))
	if st.Code() != erpc.CodeTooLarge && st.Code() != erpc.CodeConnClosed {
		return fmt.Errorf("the call ended with %v", st)
	}
	if ran.Load() > 0 {
		return errors.New("the handler ran")
	}
	return nil
}

func textAround(t *testing.T, p path) error {
	var log kit.Log
	logged := func(c *erpc.PeerConfig) { c.Logger = slog.New(&log) }
	r, err := open(t, p, logged, func(context.Context, *int) (*int, error) {
		return nil, fmt.Errorf("order 7: %w", erpc.NewStatus(1001, "no such account", "id 7").Err())
	})
	if err != nil {
		return err
	}
	st, err := r.do(p, 1)
	if err != nil {
		return err
	}
	if st.String() != `code=1001 msg="no such account" cause="id 7"` {
		return fmt.Errorf("the call ended with %v", st)
	}
	if lines := log.Says("order 7"); len(lines) != 1 || !strings.Contains(lines[0], "method=/do") {
		return fmt.Errorf("the log says %q", lines)
	}
	return nil
}

func shutdownRefuses(t *testing.T, p path) error {
	begun, release := make(chan struct{}, 1), make(chan struct{})
	r, err := open(t, p, nil, func(_ context.Context, n *int) (*int, error) {
		if *n == 1 {
			begun <- struct{}{}
			<-release
		}
		return n, nil
	})
	if err != nil {
		return err
	}
	first := r.near.AsyncCall("/do", 1, new(int), nil)
	kit.Await(t, "the handler", begun)
	ctx, cancel := context.WithTimeout(context.Background(), kit.Bound)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.far.Shutdown(ctx) }()
	var st *erpc.Status
	kit.Eventually(t, kit.Bound, "a refusal", func() bool {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond) // because a redialing session waits for a server
		defer cancel()
		st = p.form.do(r.near, "/do", 2, new(int), erpc.WithContext(short))
		return !st.OK()
	})
	close(release)
	kit.Await(t, "the end of the first call", first.Done())
	if err := kit.Await(t, "the end of Shutdown", ended); err != nil {
		return fmt.Errorf("Shutdown: %w", err)
	}
	switch code := st.Code(); {
	case code != erpc.CodeShuttingDown && code != erpc.CodeConnClosed && code != erpc.CodeHandleTimeout:
		return fmt.Errorf("a call while the other side shuts down ended with %v", st)
	case !first.StatusOK():
		return fmt.Errorf("the call that was accepted ended with %v", first.Status())
	}
	return nil
}
