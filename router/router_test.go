package router_test

import (
	"context"
	"reflect"
	"strconv"
	"sync"
	"testing"

	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

// seen is a plugin that remembers what was registered.
type seen struct {
	named
	mu  sync.Mutex // guards got
	got []*session.Handler
}

func (s *seen) PostReg(h *session.Handler) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, h)
	return nil
}

func TestPostRegSeesWhatAHandlerIs(t *testing.T) {
	all, own := &seen{named: "all"}, &seen{named: "own"}
	r := newRouter(all)
	r.RouteCall(new(Good), own)
	r.RoutePush(new(GoodPush))
	r.RouteCallFunc(Func)
	r.RoutePushFunc(PushFunc)
	r.SetUnknownCall(func(session.UnknownCallCtx) (any, *Status) { return nil, nil })
	r.SetUnknownPush(func(session.UnknownPushCtx) *Status { return nil })
	router.HandleCall(r, "/typed", func(context.Context, *string) (*int, error) { return nil, nil })
	router.HandlePush(r.SubRoute("p"), "typed", func(context.Context, *string) error { return nil })

	type facts struct {
		name, kind          string
		arg, reply          reflect.Type
		call, push, unknown bool
	}
	number, text := reflect.TypeFor[int](), reflect.TypeFor[string]()
	want := []facts{
		{"/good/do", "CALL", number, number, true, false, false},
		{"/good_push/do", "PUSH", number, nil, false, true, false},
		{"/func", "CALL", number, number, true, false, false},
		{"/push_func", "PUSH", number, nil, false, true, false},
		{"UNKNOWN_CALL", "UNKNOWN_CALL", reflect.TypeFor[[]byte](), nil, true, false, true},
		{"UNKNOWN_PUSH", "UNKNOWN_PUSH", reflect.TypeFor[[]byte](), nil, false, true, true},
		{"/typed", "CALL", text, reflect.TypeFor[*int](), true, false, false},
		{"/p/typed", "PUSH", text, nil, false, true, false},
	}
	if len(all.got) != len(want) {
		t.Fatalf("%d registrations seen, want %d", len(all.got), len(want))
	}
	for i, h := range all.got {
		got := facts{h.Name(), h.RouterTypeName(), h.ArgElemType(), h.ReplyType(), h.IsCall(), h.IsPush(), h.IsUnknown()}
		if got != want[i] {
			t.Errorf("handler %d is %v, want %v", i, got, want[i])
		}
	}
	if len(own.got) != 1 || own.got[0] != all.got[0] {
		t.Errorf("the plugin of a route saw %d registrations, want that of its route", len(own.got))
	}
}

func TestDispatch(t *testing.T) {
	r := newRouter()
	r.RouteCall(new(Good))
	r.RoutePush(new(GoodPush))
	find := func(call bool, method string) string {
		h, ok := r.Dispatch(call, method)
		if ok != (h != nil) {
			t.Errorf("%s: found is %v and the handler %v", method, ok, h)
		}
		if h == nil {
			return ""
		}
		return h.Name()
	}
	check := func(call bool, method, want string) {
		t.Helper()
		if got := find(call, method); got != want {
			t.Errorf("call %v to %q goes to %q, want %q", call, method, got, want)
		}
	}
	check(true, "/good/do", "/good/do")
	check(false, "/good/do", "")
	check(true, "/good_push/do", "")
	check(false, "/good_push/do", "/good_push/do")
	check(true, "/Good/Do", "")
	check(true, "", "")
	r.SetUnknownPush(func(session.UnknownPushCtx) *Status { return nil })
	check(true, "/other", "")
	check(false, "/other", "UNKNOWN_PUSH")
	r.SetUnknownCall(func(session.UnknownCallCtx) (any, *Status) { return nil, nil })
	check(true, "/other", "UNKNOWN_CALL")
	check(true, "/good/do", "/good/do")
	if r.Root() != r || r.SubRoute("x").Root() != r {
		t.Error("a sub-router does not know its root")
	}
}

// Typed handlers are registered under their unmapped path, below the prefix.
func TestPathsOfTypedHandlers(t *testing.T) {
	for _, c := range []struct {
		mapper       router.ServiceMethodMapper
		prefix, path string
		want         string
	}{
		{nil, "", "/Echo", "/Echo"},
		{nil, "", "echo", "echo"}, // other programs may need any name
		{nil, "v1", "/Echo", "/v1/Echo"},
		{nil, "v1", "Echo", "/v1/Echo"},
		{nil, "/v1/", "/a/b/", "/v1/a/b"},
		{router.RPCServiceMethodMapper, "", "Math.Add", "Math.Add"},
		{router.RPCServiceMethodMapper, "v1", "Math.Add", "v1.Math.Add"},
		{router.RPCServiceMethodMapper, "v1", ".Add", "v1.Add"},
	} {
		r := router.New(plugin.NewContainer(nil), c.mapper)
		var at router.Registrar = r
		if c.prefix != "" {
			at = r.SubRoute(c.prefix)
		}
		got := router.HandleCall(at, c.path, func(context.Context, *int) (*int, error) { return nil, nil })
		if _, ok := r.Dispatch(true, got); got != c.want || !ok {
			t.Errorf("%q below %q is registered as %q (found: %v), want %q", c.path, c.prefix, got, ok, c.want)
		}
	}
}

// Registration and dispatch may run concurrently.
func TestRegisterWhileDispatching(t *testing.T) {
	r := newRouter()
	r.RouteCall(new(Good))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, ok := r.Dispatch(true, "/good/do"); !ok {
					t.Error("a registered handler is gone")
					return
				}
			}
		})
	}
	var regs sync.WaitGroup
	for g := range 4 {
		regs.Go(func() {
			for i := range 25 {
				r.SubRoute("g" + strconv.Itoa(g)).SubRoute("i" + strconv.Itoa(i)).RouteCall(new(Good))
			}
		})
	}
	regs.Wait()
	close(stop)
	wg.Wait()
	for g := range 4 {
		for i := range 25 {
			if _, ok := r.Dispatch(true, "/g"+strconv.Itoa(g)+"/i"+strconv.Itoa(i)+"/good/do"); !ok {
				t.Errorf("the handler %d of goroutine %d was lost", i, g)
			}
		}
	}
}
