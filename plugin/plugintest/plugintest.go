// Package plugintest checks that a plugin keeps the contract of plugins: calls,
// pushes and statuses pass between two peers that have it as they do without
// it, its hooks can be called concurrently, panics and cancelled calls do not
// harm it, and it leaves nothing behind when its peers are closed. To check a
// plugin, call [Run] from a test of its package, with the race detector.
//
// The plugin must let the exchanges of the suite pass: configure one that
// limits or refuses accordingly. Test what else the plugin does separately.
package plugintest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// Limit bounds every wait of the suite.
const Limit = 20 * time.Second

// A Suite says which plugins to check.
type Suite struct {
	// Server and Client return the plugins of the two sides, several if they only
	// work together. Nil means that the side has no plugins.
	Server, Client func() []erpc.Plugin
	// Route returns the plugins of each route of the server.
	Route func() []erpc.Plugin
	// Settings are applied to each call and push.
	Settings []erpc.MessageSetting
}

// Run checks the plugins.
func Run(t *testing.T, s Suite) {
	before := runtime.NumGoroutine()
	t.Run("names", s.names)
	t.Run("exchanges", func(t *testing.T) { s.newPair(t).exchanges(t) })
	t.Run("concurrency", func(t *testing.T) { s.newPair(t).concurrency(t) })
	t.Run("ends", func(t *testing.T) { s.newPair(t).ends(t) })
	t.Run("sessions", s.sessions)
	end := time.Now().Add(Limit)
	for runtime.NumGoroutine() > before && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left behind by peers that are closed:\n%s", n-before, buf[:runtime.Stack(buf, true)])
	}
}

func made(f func() []erpc.Plugin) []erpc.Plugin {
	if f == nil {
		return nil
	}
	return f()
}

// names checks that a plugin is found by its name, and that a peer refuses it a
// second time.
func (s Suite) names(t *testing.T) {
	for side, f := range map[string]func() []erpc.Plugin{"server": s.Server, "client": s.Client, "route": s.Route} {
		for _, p := range made(f) {
			first, second := p.Name(), p.Name()
			if first == "" || first != second {
				t.Errorf("%s: the name is %q, then %q; it must be the same each time, and not empty", side, first, second)
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: a peer took plugin %q twice", side, p.Name())
					}
				}()
				_ = erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}, p, p).Close() // not reached
			}()
		}
	}
}

// A pair is a server and a session with it, both with the plugins.
type pair struct {
	s      Suite
	srv    erpc.Peer
	addr   string
	sess   erpc.Session
	pushed chan Value
}

// A Value is the argument of the suite's calls. It is a struct, for plugins
// that inspect fields.
type Value struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

const failCode = 4711 // the status code of /plugintest/fail

func (s Suite) newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{s: s, pushed: make(chan Value, 1000)}
	quiet := slog.New(slog.DiscardHandler)
	p.srv = erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, made(s.Server)...)
	p.register(made(s.Route))
	lis, err := p.srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	p.addr = lis.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = p.srv.Serve(lis) // returns that the peer was closed
	}()
	t.Cleanup(func() {
		if err := p.srv.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		await(t, "Serve to return", served)
	})
	p.sess = p.dial(t)
	return p
}

func (p *pair) register(route []erpc.Plugin) {
	erpc.HandleCall(p.srv, "/plugintest/echo", func(_ context.Context, v *Value) (*Value, error) { return v, nil }, route...)
	erpc.HandleCall(p.srv, "/plugintest/fail", func(context.Context, *Value) (*Value, error) {
		return nil, erpc.NewStatus(failCode, "as asked", "because").Err()
	}, route...)
	erpc.HandleCall(p.srv, "/plugintest/panic", func(context.Context, *Value) (*Value, error) { panic("as asked") }, route...)
	erpc.HandleCall(p.srv, "/plugintest/wait", func(ctx context.Context, _ *Value) (*Value, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, route...)
	erpc.HandlePush(p.srv, "/plugintest/push", func(_ context.Context, v *Value) error {
		p.pushed <- *v
		return nil
	}, route...)
}

// dial opens another session with the server.
func (p *pair) dial(t *testing.T) erpc.Session {
	t.Helper()
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}, made(p.s.Client)...)
	t.Cleanup(func() {
		if err := cli.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
	})
	sess, st := cli.Dial(p.addr)
	if !st.OK() {
		t.Fatalf("dial: %v", st)
	}
	return sess
}

func (p *pair) settings(more ...erpc.MessageSetting) []erpc.MessageSetting {
	return append(p.s.Settings[:len(p.s.Settings):len(p.s.Settings)], more...)
}

// call calls a method and returns an error if the outcome is not as expected.
func (p *pair) call(sess erpc.Session, method string, v Value, code int32) error {
	var got Value
	cmd := sess.AsyncCall(method, v, &got, nil, p.settings()...)
	select {
	case <-cmd.Done():
	case <-time.After(Limit):
		return fmt.Errorf("%s: no end within %v", method, Limit)
	}
	st := cmd.Status()
	switch {
	case st.Code() != code:
		return fmt.Errorf("%s: %v, want code %d", method, st, code)
	case code == erpc.CodeOK && got != v:
		return fmt.Errorf("%s: a reply of %d bytes for %d, or with another number", method, len(got.Text), len(v.Text))
	case code == failCode && (st.Msg() != "as asked" || st.Cause() == nil || st.Cause().Error() != "because"):
		return fmt.Errorf("%s: the status became %v", method, st)
	}
	return nil
}

// exchanges checks that every outcome of a call or push is the same as without
// the plugins.
func (p *pair) exchanges(t *testing.T) {
	large := Value{2, strings.Repeat("large", 50_000)}
	for _, c := range []struct {
		method string
		v      Value
		code   int32
	}{
		{"/plugintest/echo", Value{1, "one"}, erpc.CodeOK},
		{"/plugintest/echo", Value{}, erpc.CodeOK},
		{"/plugintest/echo", large, erpc.CodeOK},
		{"/plugintest/fail", Value{3, ""}, failCode},
		{"/plugintest/panic", Value{4, ""}, erpc.CodeInternalServerError},
		{"/plugintest/nowhere", Value{5, ""}, erpc.CodeNotFound},
		{"/plugintest/echo", Value{6, "after all of these"}, erpc.CodeOK},
	} {
		if err := p.call(p.sess, c.method, c.v, c.code); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []Value{{7, "seven"}, large} {
		if st := p.sess.Push("/plugintest/push", v, p.settings()...); !st.OK() {
			t.Fatal(st)
		}
		if got := await(t, "a push", p.pushed); got != v {
			t.Errorf("a push of %d bytes became one of %d, or its number another", len(v.Text), len(got.Text))
		}
	}
}

// concurrency calls hooks at the same time, for one session and for many.
func (p *pair) concurrency(t *testing.T) {
	const callers, calls, sessions = 8, 25, 4
	var wg sync.WaitGroup
	for i := range sessions {
		sess := p.sess
		if i > 0 {
			sess = p.dial(t)
		}
		for j := range callers {
			wg.Go(func() {
				for k := range calls {
					method, code := "/plugintest/echo", erpc.CodeOK
					if k%5 == 4 {
						method, code = "/plugintest/fail", failCode
					}
					if err := p.call(sess, method, Value{i*1000 + j*100 + k, "concurrent"}, code); err != nil {
						t.Error(err)
						return
					}
					if st := sess.Push("/plugintest/push", Value{Number: k}, p.settings()...); !st.OK() {
						t.Error(st)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	for range sessions * callers * calls {
		await(t, "all pushes", p.pushed)
	}
}

// ends checks that calls that end with their context, and a session that ends
// with pending calls, do not affect others.
func (p *pair) ends(t *testing.T) {
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := p.sess.AsyncCall("/plugintest/wait", Value{}, nil, nil, p.settings(erpc.WithContext(ctx))...)
		cancel()
		await(t, "a cancelled call", cmd.Done())
		if st := cmd.Status(); st.Code() != erpc.CodeCanceled {
			t.Errorf("a cancelled call: %v", st)
		}
	}
	if st := p.sess.Call("/plugintest/wait", Value{}, nil, p.settings(erpc.WithTimeout(10*time.Millisecond))...).Status(); st.Code() != erpc.CodeHandleTimeout {
		t.Errorf("a call with a timeout: %v", st)
	}
	other := p.dial(t)
	cmd := other.AsyncCall("/plugintest/wait", Value{}, nil, nil, p.settings()...)
	if err := other.Close(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	await(t, "a call on a session that was closed", cmd.Done())
	if cmd.Status().OK() {
		t.Error("a call on a session that was closed succeeded")
	}
	if err := p.call(p.sess, "/plugintest/echo", Value{1, "after these"}, erpc.CodeOK); err != nil {
		t.Error(err)
	}
}

// sessions opens and closes many sessions, one after the other, with the same
// plugins.
func (s Suite) sessions(t *testing.T) {
	p := s.newPair(t)
	for i := range 50 {
		sess := p.dial(t)
		if err := p.call(sess, "/plugintest/echo", Value{i, "one of many"}, erpc.CodeOK); err != nil {
			t.Fatal(err)
		}
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
	}
	for end := time.Now().Add(Limit); p.srv.CountSession() > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sessions are left of those that were closed", p.srv.CountSession()-1)
		}
	}
}

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(Limit):
		t.Fatalf("waited %v for %s", Limit, what)
		panic("not reached")
	}
}
