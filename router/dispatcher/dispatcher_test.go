package dispatcher_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/router/dispatcher"
)

type pair struct{ A, B int }

// A counter knows nothing of erpc.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) Add(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	return c.n
}

func (c *counter) Get() int { return c.Add(0) }

func (c *counter) Reset() { c.Add(-c.Get()) }

// connect registers d with a server, below prefix unless that is empty, and
// returns a session with it.
func connect(t *testing.T, d *dispatcher.Dispatcher, prefix string, plugins ...erpc.Plugin) erpc.Session {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
	if prefix == "" {
		d.Register(srv, plugins...)
	} else {
		d.Register(srv.SubRoute(prefix), plugins...)
	}
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
	t.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	return sess
}

func TestShapes(t *testing.T) {
	var d dispatcher.Dispatcher
	ran := make(chan string, 100)
	d.AddFunc("nothing", func() { ran <- "nothing" })
	d.AddFunc("fails", func() error { return errors.New("it does") })
	d.AddFunc("request", func(s string) { ran <- s })
	d.AddFunc("value", func(p pair) int { return p.A + p.B })
	d.AddFunc("pointer", func(p *pair) (*pair, error) { return &pair{p.B, p.A}, nil })
	d.AddFunc("context", func(ctx context.Context) string { return erpc.CallCtxFrom(ctx).ServiceMethod() })
	d.AddFunc("deadline", func(ctx context.Context, _ int) (bool, error) {
		_, ok := ctx.Deadline()
		return ok, nil
	})
	d.AddFunc("addr", func(a dispatcher.Addr) string { return string(a) })
	d.AddFunc("gorpc", func(addr string, n int) (string, error) {
		if n < 0 {
			return "", erpc.NewStatus(1001, "below zero").Err()
		}
		return addr, nil
	})
	d.AddFunc("panics", func() { panic("oh") })
	d.AddFunc("slow", func(ctx context.Context) error { return context.DeadlineExceeded })
	sess := connect(t, &d, "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	none := dispatcher.None{}
	local := sess.LocalAddr().String()

	if _, err := dispatcher.Func[dispatcher.None, dispatcher.None](sess, "nothing")(ctx, none); err != nil || <-ran != "nothing" {
		t.Errorf("nothing: %v", err)
	}
	if _, err := dispatcher.Func[string, dispatcher.None](sess, "request")(ctx, "abc"); err != nil || <-ran != "abc" {
		t.Errorf("request: %v", err)
	}
	if n, err := dispatcher.Func[pair, int](sess, "value")(ctx, pair{1, 2}); n != 3 || err != nil {
		t.Errorf("value: %d, %v", n, err)
	}
	if p, err := dispatcher.Func[pair, pair](sess, "pointer")(ctx, pair{1, 2}); p != (pair{2, 1}) || err != nil {
		t.Errorf("pointer: %v, %v", p, err)
	}
	if ok, err := dispatcher.Func[int, bool](sess, "deadline")(ctx, 1); !ok || err != nil {
		t.Errorf("deadline: %v, %v", ok, err)
	}
	for name, want := range map[string]string{"context": "/context", "addr": local} {
		if s, err := dispatcher.Func[dispatcher.None, string](sess, name)(ctx, none); s != want || err != nil {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
	if s, err := dispatcher.Func[int, string](sess, "gorpc")(ctx, 1); s != local || err != nil {
		t.Errorf("gorpc: %q, %v", s, err)
	}
	for name, code := range map[string]int32{
		"fails": erpc.CodeUnknownError, "panics": erpc.CodeInternalServerError,
		"slow": erpc.CodeHandleTimeout, "missing": erpc.CodeNotFound,
	} {
		_, err := dispatcher.Func[dispatcher.None, dispatcher.None](sess, name)(ctx, none)
		if st := erpc.StatusFromError(err); st.Code() != code {
			t.Errorf("%s: %v", name, st)
		}
	}
	if _, err := dispatcher.Func[int, string](sess, "gorpc")(ctx, -1); erpc.StatusFromError(err).Code() != 1001 {
		t.Errorf("a status of its own: %v", err)
	}
	if err := dispatcher.Send[string](sess, "request")(ctx, "pushed"); err != nil || <-ran != "pushed" {
		t.Errorf("send: %v", err)
	}
	if err := dispatcher.Send[dispatcher.None](sess, "nothing")(ctx, none); err != nil || <-ran != "nothing" {
		t.Errorf("send nothing: %v", err)
	}
}

func TestServices(t *testing.T) {
	var d dispatcher.Dispatcher
	d.AddService("apples", new(counter))
	d.AddService("pears", new(counter))
	sess := connect(t, &d, "/stock", limit.Handlers(1))
	ctx := t.Context()
	add := dispatcher.Func[int, int](sess, "stock/apples/Add")
	if n, err := add(ctx, 3); n != 3 || err != nil {
		t.Errorf("%d apples, %v", n, err)
	}
	if n, err := add(ctx, 2); n != 5 || err != nil {
		t.Errorf("%d apples, %v", n, err)
	}
	if n, err := dispatcher.Func[dispatcher.None, int](sess, "stock/pears/Get")(ctx, dispatcher.None{}); n != 0 || err != nil {
		t.Errorf("%d pears, %v", n, err)
	}
	want := []string{"apples/Add", "apples/Get", "apples/Reset", "pears/Add", "pears/Get", "pears/Reset"}
	if got := d.Names(); !slices.Equal(got, want) {
		t.Errorf("names %q", got)
	}
}

// A function that is added to a dispatcher in use is served at once.
func TestLateRegistration(t *testing.T) {
	var d dispatcher.Dispatcher
	one, two := connect(t, &d, ""), connect(t, &d, "")
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() { d.AddFunc(name, func() string { return name }) })
	}
	wg.Wait()
	for _, sess := range []erpc.Session{one, two} {
		for _, name := range []string{"a", "b", "c"} {
			if got, err := dispatcher.Func[dispatcher.None, string](sess, name)(t.Context(), dispatcher.None{}); got != name || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	var d dispatcher.Dispatcher
	d.AddFunc("taken", func() {})
	for name, c := range map[string]struct {
		do   func()
		says string
	}{
		"no function":  {func() { d.AddFunc("x", 3) }, "is not a function"},
		"nil":          {func() { d.AddFunc("x", (func())(nil)) }, "is not a function"},
		"no name":      {func() { d.AddFunc("", func() {}) }, "name"},
		"taken":        {func() { d.AddFunc("taken", func() {}) }, "already"},
		"variadic":     {func() { d.AddFunc("x", func(...int) {}) }, "any number"},
		"arguments":    {func() { d.AddFunc("x", func(_ context.Context, _, _ int) {}) }, "3 arguments"},
		"first":        {func() { d.AddFunc("x", func(_, _ int) {}) }, "in front"},
		"interface":    {func() { d.AddFunc("x", func(any) {}) }, "no codec"},
		"channel back": {func() { d.AddFunc("x", func() chan int { return nil }) }, "no codec"},
		"results":      {func() { d.AddFunc("x", func() (a, b int, err error) { return }) }, "3 values"},
		"no error":     {func() { d.AddFunc("x", func() (a, b int) { return }) }, "where an error"},
		"two errors":   {func() { d.AddFunc("x", func() (a, b error) { return }) }, "no codec"},
		"no methods":   {func() { d.AddService("x", pair{}) }, "no exported method"},
		"a value":      {func() { d.AddService("x", struct{ m map[int]int }{}) }, "no exported method"},
		"nil service":  {func() { d.AddService("x", nil) }, "no exported method"},
		"a bad method": {func() { d.AddService("x", new(bytes.Buffer)) }, "must be a"},
	} {
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v", name, err)
				}
			}()
			c.do()
		}()
	}
	if n := d.Names(); !slices.Equal(n, []string{"taken"}) {
		t.Errorf("mistakes left %q", n)
	}
}
