package e2e

//lint:file-ignore SA1019 the forms of erpc v7 have its names

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
)

// The forms of handlers, as in a program.

type PlainAdder struct{ erpc.CallCtx }

func (*PlainAdder) Add(arg *[]int) (int, *erpc.Status) { return sum(*arg), nil }

func sum(numbers []int) (n int) {
	for _, v := range numbers {
		n += v
	}
	return n
}

// shared is embedded by controllers. Its methods are not handlers, even if the
// compiler inlines them into the promoted methods.
type shared struct{ Factor int }

func (s *shared) Times(n int) int                         { return s.Factor * n }
func (s shared) Value() int                               { return s.Factor }
func (s *shared) Looks(arg *int) (int, *erpc.Status)      { return *arg, nil }
func (s *shared) LooksToo(arg *string) *erpc.Status       { return nil }
func (s *shared) Overridden(arg *int) (int, *erpc.Status) { return -1, nil }

type Multiplier struct {
	erpc.CallCtx
	shared
	Name string
	log  *strings.Builder // unexported fields are copied too
}

func (m *Multiplier) By(arg *int) (int, *erpc.Status) { return m.Times(*arg), nil }

// ByValue has a value receiver, so the pointer has the method only through a
// wrapper.
func (m Multiplier) ByValue(arg *int) (string, *erpc.Status) {
	return m.Name + strconv.Itoa(m.Times(*arg)), nil
}

func (m *Multiplier) Overridden(arg *int) (int, *erpc.Status) { return m.shared.Factor, nil }

func (m *Multiplier) Who(*struct{}) (string, *erpc.Status) {
	if m.log == nil {
		return "", erpc.NewStatus(1, "the unexported field was lost")
	}
	return string(m.PeekMeta("who")), nil
}

// base embeds the context for the controllers that embed it.
type base struct{ erpc.CallCtx }

func (b *base) who() string { return string(b.PeekMeta("who")) }

type Deep struct{ base }

func (d *Deep) Who(*struct{}) (string, *erpc.Status) { return d.who(), nil }

type Generic[T any] struct {
	erpc.CallCtx
	shared
}

func (*Generic[T]) Same(arg *T) (T, *erpc.Status)    { return *arg, nil }
func (Generic[T]) SameToo(arg *T) (*T, *erpc.Status) { return arg, nil }

type Note struct {
	erpc.PushCtx
	shared
	Got chan<- string
}

func (n *Note) Down(arg *string) *erpc.Status {
	n.Got <- n.ServiceMethod() + " " + *arg
	return nil
}

func (n Note) DownToo(arg *string) *erpc.Status { return (&n).Down(arg) }

func FreeAdd(ctx erpc.CallCtx, arg *[]int) (int, *erpc.Status) {
	if string(ctx.PeekMeta("who")) == "nobody" {
		return 0, erpc.NewStatus(erpc.CodeUnauthorized, "who?", "nobody")
	}
	return sum(*arg), nil
}

func Same_Type[T any](_ erpc.CallCtx, arg *T) (T, *erpc.Status) { return *arg, nil }

func formsPeer(t testing.TB, got chan<- string) (paths []string, addr string) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	add := func(p ...string) { paths = append(paths, p...) }
	add(srv.RouteCall(new(PlainAdder))...)
	add(srv.RouteCall(&Multiplier{shared: shared{3}, Name: "x", log: new(strings.Builder)})...)
	add(srv.RouteCall(new(Deep))...)
	add(srv.RouteCall(&Generic[int]{})...)
	add(srv.RoutePush(&Note{Got: got})...)
	add(srv.RouteCallFunc(FreeAdd))
	add(srv.RouteCallFunc((*PlainAdder).Add))
	add(srv.RouteCallFunc(Same_Type[string]))
	add(srv.RoutePushFunc(func(ctx erpc.PushCtx, arg *int) *erpc.Status {
		got <- ctx.ServiceMethod() + " " + strconv.Itoa(*arg)
		return nil
	}))
	group := srv.SubRoute("Group")
	add(group.RouteCall(func() erpc.CtrlStructPtr {
		return &Multiplier{shared: shared{5}, Name: "pool", log: new(strings.Builder)}
	})...)
	sub := group.SubRoute("/sub/")
	add(sub.RouteCall(PlainAdder{})...)
	add(sub.RoutePush(func() *Note { return &Note{Got: got} })...)
	add(sub.RouteCallFunc(FreeAdd))
	return paths, addr
}

func TestHandlerForms(t *testing.T) {
	got := make(chan string, 1)
	paths, addr := formsPeer(t, got)
	want := []string{
		"/plain_adder/add",
		"/multiplier/by", "/multiplier/by_value", "/multiplier/overridden", "/multiplier/who",
		"/deep/who",
		"/generic/same", "/generic/same_too",
		"/note/down", "/note/down_too",
		"/free_add", "/add", "/same/type", "/func2",
		"/group/multiplier/by", "/group/multiplier/by_value", "/group/multiplier/overridden", "/group/multiplier/who",
		"/group/sub/plain_adder/add",
		"/group/sub/note/down", "/group/sub/note/down_too",
		"/group/sub/free_add",
	}
	if !slices.Equal(paths, want) {
		t.Errorf("registered\n%v, want\n%v", paths, want)
	}
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for _, c := range []struct {
		path      string
		arg, want any
	}{
		{"/plain_adder/add", []int{1, 2}, "3"}, {"/add", []int{1, 2, 3}, "6"}, {"/free_add", []int{4}, "4"},
		{"/group/sub/plain_adder/add", []int{1, 2}, "3"}, {"/group/sub/free_add", []int{1, 2}, "3"},
		{"/multiplier/by", 7, "21"}, {"/multiplier/by_value", 7, `"x21"`}, {"/multiplier/overridden", 7, "3"}, {"/multiplier/who", nil, `"me"`},
		{"/group/multiplier/by", 7, "35"}, {"/group/multiplier/by_value", 7, `"pool35"`}, {"/group/multiplier/who", nil, `"me"`},
		{"/deep/who", nil, `"me"`}, {"/generic/same", 5, "5"}, {"/generic/same_too", 6, "6"}, {"/same/type", "s", `"s"`},
	} {
		var reply []byte
		if st := sess.Call(c.path, c.arg, &reply, erpc.WithAddMeta("who", "me")).Status(); !st.OK() || string(reply) != c.want {
			t.Errorf("%s(%v) is %s, %v; want %s", c.path, c.arg, reply, st, c.want)
		}
	}
	for _, path := range []string{"/note/down", "/note/down_too", "/group/sub/note/down", "/group/sub/note/down_too"} {
		if st := sess.Push(path, "p"); !st.OK() {
			t.Errorf("%s: %v", path, st)
		} else if g := kit.Await(t, path, got); g != path+" p" {
			t.Errorf("%s: got %q", path, g)
		}
	}
	if st := sess.Push("/func2", 3); !st.OK() {
		t.Error(st)
	} else if g := kit.Await(t, "/func2", got); g != "/func2 3" {
		t.Errorf("got %q", g)
	}
	for _, path := range []string{"/multiplier/times", "/multiplier/looks", "/generic/looks", "/multiplier/value", "/note/down", "/nothing", "", "plain_adder/add"} {
		want := erpc.CodeNotFound
		if path == "" {
			want = erpc.CodeBadMessage
		}
		if st := sess.Call(path, 1, nil).Status(); st.Code() != want {
			t.Errorf("%q: %v, want code %d", path, st, want)
		}
	}
	st := sess.Call("/free_add", []int{}, nil, erpc.WithAddMeta("who", "nobody")).Status()
	if st.Code() != erpc.CodeUnauthorized || st.Msg() != "who?" || st.Cause() == nil || st.Cause().Error() != "nobody" {
		t.Errorf("a handler's status came as %v", st)
	}
	if st := sess.Call("/plain_adder/add", "no numbers", nil).Status(); st.Code() != erpc.CodeBadMessage {
		t.Errorf("a body that does not fit: %v", st)
	}
}

// Routes use the RPC mapping, in which sub-routes are joined by dots.
func TestFormsWithRPCMapping(t *testing.T) {
	srv := kit.Peer(t, erpc.PeerConfig{Mapper: erpc.RPCServiceMethodMapper})
	var got []string
	got = append(got, srv.RouteCall(new(PlainAdder))...)
	got = append(got, srv.RouteCallFunc(Same_Type[int]), srv.RouteCallFunc(FreeAdd))
	sub := srv.SubRoute("a").SubRoute("B")
	got = append(got, sub.RouteCall(new(PlainAdder))...)
	got = append(got, sub.RouteCallFunc((*PlainAdder).Add))
	want := []string{"PlainAdder.Add", "Same.Type", "FreeAdd", "a.B.PlainAdder.Add", "a.B.Add"}
	if !slices.Equal(got, want) {
		t.Errorf("registered %v, want %v", got, want)
	}
}

func TestUnknownMethods(t *testing.T) {
	got := make(chan string, 1)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	srv.RouteCall(new(PlainAdder))
	srv.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		t.Error("the handler set first was not replaced")
		return nil, nil
	})
	srv.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		if string(ctx.PeekMeta("fail")) != "" {
			return nil, erpc.NewStatus(1234, "no")
		}
		raw := string(ctx.InputBodyBytes())
		var v map[string]int
		id, err := ctx.Bind(&v)
		if err != nil {
			return nil, erpc.NewStatus(erpc.CodeBadMessage, "", err)
		}
		ctx.AddMeta("raw", raw)
		ctx.SetBodyCodec(codec.ID_PLAIN)
		return fmt.Sprintf("%s %c %d %c", ctx.ServiceMethod(), id, v["n"], ctx.GetBodyCodec()), nil
	})
	srv.SetUnknownPush(func(ctx erpc.UnknownPushCtx) *erpc.Status {
		var n int
		_, err := ctx.Bind(&n)
		got <- fmt.Sprintf("%s %q %d %v", ctx.ServiceMethod(), ctx.InputBodyBytes(), n, err)
		return nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})

	var reply string
	cmd := sess.Call("/no/such", map[string]int{"n": 5}, &reply)
	if st := cmd.Status(); !st.OK() || reply != "/no/such j 5 j" {
		t.Errorf("%q %v", reply, st)
	}
	if raw := cmd.InputMeta().Peek("raw"); string(raw) != `{"n":5}` || cmd.InputBodyCodec() != codec.ID_PLAIN {
		t.Errorf("body as it came: %s; reply in %c", raw, cmd.InputBodyCodec())
	}
	if st := sess.Call("/no/such", 1, nil).Status(); st.Code() != erpc.CodeBadMessage || st.Cause() == nil {
		t.Errorf("a body that can't be bound: %v", st)
	}
	if st := sess.Call("/no/such", 1, nil, erpc.WithAddMeta("fail", "1")).Status(); st.Code() != 1234 {
		t.Errorf("the status of the handler: %v", st)
	}
	var n int
	if st := sess.Call("/plain_adder/add", []int{1, 2}, &n).Status(); !st.OK() || n != 3 {
		t.Errorf("a known method: %d %v", n, st)
	}
	if st := sess.Push("/no/such/push", 17); !st.OK() {
		t.Fatal(st)
	}
	if g := kit.Await(t, "the push", got); g != `/no/such/push "17" 17 <nil>` {
		t.Errorf("got %s", g)
	}
}

// PoolMade counts how many were made.
type PoolMade struct {
	erpc.CallCtx
	id   int64
	busy atomic.Int32
}

func (p *PoolMade) Hold(arg *int) (int, *erpc.Status) {
	if p.busy.Add(1) != 1 {
		return 0, erpc.NewStatus(1, "two calls share a receiver")
	}
	defer p.busy.Add(-1)
	who := p.PeekMeta("who")
	if string(who) != strconv.Itoa(*arg) || p.Seq() == 0 {
		return 0, erpc.NewStatus(1, "the context of another call: "+string(who))
	}
	return *arg, nil
}

// Concurrent calls share neither receiver nor context nor argument, while
// routes are added.
func TestConcurrentCallsAndLateRegistration(t *testing.T) {
	var made atomic.Int64
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	srv.RouteCall(func() erpc.CtrlStructPtr { return &PoolMade{id: made.Add(1)} })
	srv.RouteCall(&Multiplier{shared: shared{2}, Name: "n"})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})

	const callers, calls = 16, 200
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				n := c*calls + i
				var got int
				if st := sess.Call("/pool_made/hold", n, &got, erpc.WithAddMeta("who", strconv.Itoa(n))).Status(); !st.OK() || got != n {
					t.Errorf("%d: %d %v", n, got, st)
					return
				}
				var text string
				if st := sess.Call("/multiplier/by_value", n, &text).Status(); !st.OK() || text != "n"+strconv.Itoa(2*n) {
					t.Errorf("%d: %q %v", n, text, st)
					return
				}
			}
		})
	}
	for i := range 50 {
		prefix := "late" + strconv.Itoa(i)
		path := srv.SubRoute(prefix).RouteCall(new(PlainAdder))[0]
		var n int
		if st := sess.Call(path, []int{i, i}, &n).Status(); !st.OK() || n != 2*i {
			t.Errorf("%s: %d %v", path, n, st)
		}
	}
	wg.Wait()
	if made.Load() == 0 {
		t.Error("the pool function was not used")
	}
}

// A decoded argument does not change when later messages arrive.
func TestArgumentsAreNotAliased(t *testing.T) {
	type kept struct {
		S string
		B []byte
		M map[string]string
	}
	var mu sync.Mutex
	var all []*kept
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	path := srv.RouteCallFunc(func(_ erpc.CallCtx, arg *kept) (*kept, *erpc.Status) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, arg)
		return arg, nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for i := range 300 {
		s := strconv.Itoa(i)
		var back kept
		if st := sess.Call(path, &kept{s, []byte(s), map[string]string{s: s}}, &back).Status(); !st.OK() || back.S != s {
			t.Fatal(back, st)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i, k := range all {
		if s := strconv.Itoa(i); k.S != s || string(k.B) != s || k.M[s] != s {
			t.Errorf("argument %d is %+v now", i, k)
		}
	}
}
