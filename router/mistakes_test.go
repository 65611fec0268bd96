package router_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

type Status = message.Status

func newRouter(plugins ...plugin.Plugin) *router.Router {
	c := plugin.NewContainer(nil)
	c.AppendRight(plugins...)
	return router.New(c, nil)
}

// Controllers and functions with one mistake each.
type (
	Good          struct{ session.CallCtx }
	GoodPush      struct{ session.PushCtx }
	NoContext     struct{}
	NamedContext  struct{ CallCtx session.CallCtx }
	WrongContext  struct{ session.PushCtx }
	NoMethod      struct{ session.CallCtx }
	OnlyPromoted  struct{ Good }
	NoArgument    struct{ session.CallCtx }
	TwoArguments  struct{ session.CallCtx }
	ByValue       struct{ session.CallCtx }
	Variadic      struct{ session.CallCtx }
	NoStatus      struct{ session.CallCtx }
	ErrorStatus   struct{ session.CallCtx }
	ThreeResults  struct{ session.CallCtx }
	PushWithReply struct{ session.PushCtx }
	PushWithError struct{ session.PushCtx }
	Holder        struct{ session.CallCtx }
	ThroughPtr    struct{ *Holder }
)

func (*Good) Do(*int) (int, *Status)                         { return 0, nil }
func (*GoodPush) Do(*int) *Status                            { return nil }
func (*NoContext) Do(*int) (int, *Status)                    { return 0, nil }
func (*NamedContext) Do(*int) (int, *Status)                 { return 0, nil }
func (*WrongContext) Do(*int) (int, *Status)                 { return 0, nil }
func (*NoArgument) Do() (int, *Status)                       { return 0, nil }
func (*TwoArguments) Do(_, _ *int) (int, *Status)            { return 0, nil }
func (*ByValue) Do(int) (int, *Status)                       { return 0, nil }
func (*Variadic) Do(...*int) (int, *Status)                  { return 0, nil }
func (*NoStatus) Do(*int) int                                { return 0 }
func (*ErrorStatus) Do(*int) (int, error)                    { return 0, nil }
func (*ThreeResults) Do(*int) (int, int, *Status)            { return 0, 0, nil }
func (*PushWithReply) Do(*int) (int, *Status)                { return 0, nil }
func (*PushWithError) Do(*int) error                         { return nil }
func (*ThroughPtr) Do(*int) (int, *Status)                   { return 0, nil }
func Func(session.CallCtx, *int) (int, *Status)              { return 0, nil }
func PushFunc(session.PushCtx, *int) *Status                 { return nil }
func NoCtxFunc(*int) (int, *Status)                          { return 0, nil }
func OtherCtx(fmt.Stringer, *int) (int, *Status)             { return 0, nil }
func NothingAtAll()                                          {}
func PushFuncWithReply(session.PushCtx, *int) (int, *Status) { return 0, nil }

// named is a plugin without a hook; refuser and header are plugins with one.
type (
	named   string
	refuser struct{ named }
	header  struct{ named }

	ofSession  struct{ named }  // has no hook of a route
	guard      struct{ header } // has hooks of routes and of sessions
	wrongShape struct{ header }
	nearName   struct{ header }
)

func (ofSession) PostAccept(session.PreSession) *Status    { return nil }
func (ofSession) PostDisconnect(session.Base) *Status      { return nil }
func (guard) PostAccept(session.PreSession) *Status        { return nil }
func (wrongShape) PreReadCallBody(session.CallCtx) error   { return nil }
func (nearName) PostReadCallBodys(session.ReadCtx) *Status { return nil }

func noPush(context.Context, *int) error { return nil }

func (n named) Name() string                              { return string(n) }
func (refuser) PostReg(*session.Handler) error            { return errors.New("not on my watch") }
func (header) PostReadCallHeader(session.ReadCtx) *Status { return nil }

func TestMistakesPanicWithWhatToDo(t *testing.T) {
	const callShape = "func (*router_test.%s) Do(arg *A) (R, *erpc.Status)"
	for name, c := range map[string]struct {
		register func(*router.Router)
		want     []string // parts of the message
	}{
		"nil":              {func(r *router.Router) { r.RouteCall(nil) }, []string{"nil is not a controller", "erpc.CallCtx"}},
		"nil pointer":      {func(r *router.Router) { r.RouteCall((*Good)(nil)) }, []string{"*router_test.Good is not a controller", "erpc.CallCtx"}},
		"no struct":        {func(r *router.Router) { r.RouteCall(3) }, []string{"int is not a controller", "pointer to a struct"}},
		"pointer to other": {func(r *router.Router) { r.RouteCall(new(int)) }, []string{"*int is not a controller"}},
		"pool of nothing":  {func(r *router.Router) { r.RouteCall(func() any { return nil }) }, []string{"func() interface {} is not a controller"}},
		"pool of values":   {func(r *router.Router) { r.RouteCall(func() any { return Good{} }) }, []string{"is not a controller", "pointer"}},
		"pool with args":   {func(r *router.Router) { r.RouteCall(func(int) any { return new(Good) }) }, []string{"is not a controller", "function that returns one"}},
		"no context":       {func(r *router.Router) { r.RouteCall(new(NoContext)) }, []string{"*router_test.NoContext does not embed erpc.CallCtx", "type NoContext struct { erpc.CallCtx }"}},
		"named context":    {func(r *router.Router) { r.RouteCall(new(NamedContext)) }, []string{"*router_test.NamedContext does not embed erpc.CallCtx"}},
		"push context":     {func(r *router.Router) { r.RouteCall(new(WrongContext)) }, []string{"*router_test.WrongContext does not embed erpc.CallCtx"}},
		"call as push":     {func(r *router.Router) { r.RoutePush(new(Good)) }, []string{"*router_test.Good does not embed erpc.PushCtx", "PUSH"}},
		"through pointer":  {func(r *router.Router) { r.RouteCall(&ThroughPtr{new(Holder)}) }, []string{"*router_test.ThroughPtr", "pointer *router_test.Holder", "embed router_test.Holder itself"}},
		"no method":        {func(r *router.Router) { r.RouteCall(new(NoMethod)) }, []string{"*router_test.NoMethod has no handler", "Name(arg *A) (R, *erpc.Status)"}},
		"only promoted":    {func(r *router.Router) { r.RouteCall(new(OnlyPromoted)) }, []string{"*router_test.OnlyPromoted has no handler"}},
		"no argument":      {func(r *router.Router) { r.RouteCall(new(NoArgument)) }, []string{"*router_test.NoArgument.Do takes 0 arguments in place of 1", fmt.Sprintf(callShape, "NoArgument")}},
		"two arguments":    {func(r *router.Router) { r.RouteCall(new(TwoArguments)) }, []string{"*router_test.TwoArguments.Do takes 2 arguments in place of 1", fmt.Sprintf(callShape, "TwoArguments")}},
		"by value":         {func(r *router.Router) { r.RouteCall(new(ByValue)) }, []string{"*router_test.ByValue.Do takes a int, which is not a pointer", fmt.Sprintf(callShape, "ByValue")}},
		"variadic":         {func(r *router.Router) { r.RouteCall(new(Variadic)) }, []string{"*router_test.Variadic.Do takes any number of arguments"}},
		"no status":        {func(r *router.Router) { r.RouteCall(new(NoStatus)) }, []string{"*router_test.NoStatus.Do returns 1 values", fmt.Sprintf(callShape, "NoStatus")}},
		"error":            {func(r *router.Router) { r.RouteCall(new(ErrorStatus)) }, []string{"*router_test.ErrorStatus.Do returns a error where a *erpc.Status must be"}},
		"three results":    {func(r *router.Router) { r.RouteCall(new(ThreeResults)) }, []string{"*router_test.ThreeResults.Do returns 3 values"}},
		"push with reply":  {func(r *router.Router) { r.RoutePush(new(PushWithReply)) }, []string{"*router_test.PushWithReply.Do returns 2 values", "Do(arg *A) *erpc.Status"}},
		"push with error":  {func(r *router.Router) { r.RoutePush(new(PushWithError)) }, []string{"*router_test.PushWithError.Do returns a error"}},

		"func: nil":          {func(r *router.Router) { r.RouteCallFunc(nil) }, []string{"<nil> is not a function of the shape func Name(ctx erpc.CallCtx, arg *A) (R, *erpc.Status)"}},
		"func: no func":      {func(r *router.Router) { r.RouteCallFunc(new(Good)) }, []string{"*router_test.Good is not a function"}},
		"func: nil func":     {func(r *router.Router) { r.RouteCallFunc((func(session.CallCtx, *int) (int, *Status))(nil)) }, []string{"is not a function of the shape"}},
		"func: no context":   {func(r *router.Router) { r.RouteCallFunc(NoCtxFunc) }, []string{"NoCtxFunc", "takes 1 arguments in place of 2", "func Name(ctx erpc.CallCtx, arg *A) (R, *erpc.Status)"}},
		"func: other":        {func(r *router.Router) { r.RouteCallFunc(OtherCtx) }, []string{"OtherCtx", "fmt.Stringer", "CallCtx"}},
		"func: nothing":      {func(r *router.Router) { r.RouteCallFunc(NothingAtAll) }, []string{"NothingAtAll", "takes 0 arguments in place of 2"}},
		"func: push":         {func(r *router.Router) { r.RoutePushFunc(PushFuncWithReply) }, []string{"PushFuncWithReply", "returns 2 values", "func Name(ctx erpc.PushCtx, arg *A) *erpc.Status"}},
		"func: call as push": {func(r *router.Router) { r.RouteCallFunc(PushFunc) }, []string{"PushFunc", "returns 1 values"}},
		"func: method value": {func(r *router.Router) { r.RouteCallFunc(new(Good).Do) }, []string{"takes 1 arguments in place of 2", "method expression"}},
		"func: expression":   {func(r *router.Router) { r.RouteCallFunc((*NoContext).Do) }, []string{"*router_test.NoContext does not embed erpc.CallCtx"}},

		"twice":               {func(r *router.Router) { r.RouteCall(new(Good)); r.RouteCall(new(Good)) }, []string{`registered already for "/good/do"`, "another name or prefix"}},
		"push twice":          {func(r *router.Router) { r.RoutePushFunc(PushFunc); r.RoutePushFunc(PushFunc) }, []string{`PUSH`, `"/push_func"`}},
		"plugin without hook": {func(r *router.Router) { r.RouteCall(new(Good), named("idle")) }, []string{`plugin "idle" (router_test.named) implements no hook`, "NewPeer"}},
		"group without hook":  {func(r *router.Router) { r.SubRoute("x", named("idle")) }, []string{`plugin "idle"`}},
		"nil plugin":          {func(r *router.Router) { r.RouteCall(new(Good), nil) }, []string{"a plugin is nil"}},
		"plugin twice":        {func(r *router.Router) { r.SubRoute("x", header{"h"}).RouteCall(new(Good), header{"h"}) }, []string{`"h" is given twice`}},
		"plugin refuses":      {func(r *router.Router) { r.RouteCall(new(Good), refuser{"r"}) }, []string{`plugin "r" refuses CALL handler /good/do: not on my watch`}},
		"only of a session":   {func(r *router.Router) { r.RouteCall(new(Good), ofSession{"s"}) }, []string{`plugin "s" at the route /good/do`, "would never be called there", "PostAccept, PostDisconnect", "NewPeer"}},
		"partly of a session": {func(r *router.Router) { r.SubRoute("admin", guard{header{"g"}}) }, []string{`plugin "g" at the group /admin`, "PostAccept"}},
		"wrong shape":         {func(r *router.Router) { r.RouteCall(new(Good), wrongShape{header{"w"}}) }, []string{"method PreReadCallBody of plugin \"w\"", "it must be PreReadCallBody(erpc.ReadCtx) *erpc.Status"}},
		"near name":           {func(r *router.Router) { r.RouteCall(new(Good), nearName{header{"n"}}) }, []string{"method PostReadCallBodys of plugin \"n\"", "the hook is PostReadCallBody, with the signature PostReadCallBody(erpc.ReadCtx) *erpc.Status"}},

		"nil handler":        {func(r *router.Router) { r.Handle(nil) }, []string{"nil is not a handler"}},
		"handler of nothing": {func(r *router.Router) { r.Handle(session.NewHandler(session.Spec{Name: "/x"})) }, []string{`"/x" has no function`}},
		"typed nil":          {func(r *router.Router) { router.HandleCall[int, int](r, "/x", nil) }, []string{`HandleCall of "/x" got a nil function`}},
		"typed nil push":     {func(r *router.Router) { router.HandlePush[int](r, "/x", nil) }, []string{`HandlePush of "/x" got a nil function`}},
		"unknown call nil":   {func(r *router.Router) { r.SetUnknownCall(nil) }, []string{"SetUnknownCall got a nil function"}},
		"unknown push nil":   {func(r *router.Router) { r.SetUnknownPush(nil) }, []string{"SetUnknownPush got a nil function"}},
		"no name":            {func(r *router.Router) { router.HandlePush(r, "", noPush) }, []string{"needs a name"}},
		"long name":          {func(r *router.Router) { router.HandlePush(r, "/"+strings.Repeat("x", 255), noPush) }, []string{"has 256 bytes; messages hold 255"}},
		"reserved":           {func(r *router.Router) { router.HandlePush(r, "/erpc.control/hello", noPush) }, []string{`"/erpc.control/hello" is reserved`}},
		"reserved by prefix": {func(r *router.Router) { router.HandlePush(r.SubRoute("erpc.control"), "x", noPush) }, []string{`"/erpc.control/x" is reserved`}},

		"unknown refused": {func(r *router.Router) {
			r.SetUnknownPush(func(session.UnknownPushCtx) *Status { return nil }, refuser{"r"})
		}, []string{`plugin "r" refuses UNKNOWN_PUSH handler`}},
	} {
		t.Run(name, func(t *testing.T) {
			msg := panicOf(func() { c.register(newRouter()) })
			if !strings.HasPrefix(msg, "router: ") && !strings.HasPrefix(msg, "plugin: ") {
				t.Errorf("it does not name the package: %q", msg)
			}
			for _, part := range c.want {
				if !strings.Contains(msg, part) {
					t.Errorf("%q does not say %q", msg, part)
				}
			}
		})
	}
}

func panicOf(f func()) (msg string) {
	defer func() { msg = fmt.Sprint(recover()) }()
	f()
	return ""
}

// Earlier registrations survive a mistake, and nothing of the mistake remains.
func TestMistakeLeavesTheRouterAsItWas(t *testing.T) {
	r := newRouter()
	r.RouteCall(new(Good))
	for _, mistake := range []func(){
		func() { r.RouteCall(new(ByValue)) },
		func() { r.RouteCallFunc(Func, refuser{"r"}) },
		func() { r.RouteCall(new(Good)) },
	} {
		if panicOf(mistake) == "<nil>" {
			t.Error("no panic")
		}
	}
	for method, want := range map[string]bool{"/good/do": true, "/func": false, "/by_value/do": false} {
		if h, ok := r.Dispatch(true, method); ok != want || ok != (h != nil) {
			t.Errorf("dispatch of %s: %v", method, ok)
		}
	}
	if path := r.RouteCallFunc(Func); path != "/func" {
		t.Errorf("registered as %s", path)
	}
}

// Several handlers that are registered at once are registered all or none.
func TestAllHandlersOrNone(t *testing.T) {
	for name, mistake := range map[string]func(*router.Router){
		"one is taken":         func(r *router.Router) { r.RouteCall(new(Two)) },
		"a plugin refuses one": func(r *router.Router) { r.RouteCall(new(Two), refuses{"r", "/two/b"}) },
		"a plugin panics":      func(r *router.Router) { r.RouteCall(new(Two), refuses{"r", ""}) },
	} {
		r := newRouter()
		if name == "one is taken" {
			router.HandleCall(r, "/two/b", func(context.Context, *int) (*int, error) { return nil, nil })
		}
		if panicOf(func() { mistake(r) }) == "<nil>" {
			t.Errorf("%s: no panic", name)
		}
		if _, ok := r.Dispatch(true, "/two/a"); ok {
			t.Errorf("%s: the other is registered", name)
		}
	}
	r := newRouter()
	long := r.SubRoute(strings.Repeat("x", 250))
	if panicOf(func() { long.RouteCall(new(Two)) }) == "<nil>" {
		t.Error("a name that is too long: no panic")
	}
}

// Two has two handlers.
type Two struct{ session.CallCtx }

func (*Two) A(*int) (int, *Status) { return 0, nil }
func (*Two) B(*int) (int, *Status) { return 0, nil }

// refuses is a plugin that refuses the handler of a method, and panics at "".
type refuses struct {
	named
	method string
}

func (r refuses) PostReg(h *session.Handler) error {
	switch r.method {
	case "":
		panic("not made for this")
	case h.Name():
		return errors.New("not this one")
	}
	return nil
}

// A plugin for both sides may be given to a route: its hooks of the calling side
// are ignored there.
func TestPluginForBothSides(t *testing.T) {
	if got := newRouter().RouteCall(new(Good), bothSides{header{"b"}}); len(got) != 1 {
		t.Errorf("registered %v", got)
	}
}

type bothSides struct{ header }

func (bothSides) PreWriteCall(session.WriteCtx) *Status { return nil }

// A program of v7 whose routes have plugins without effect there works, with a
// warning for each.
func TestIdleHooksAreTolerated(t *testing.T) {
	var warned []string
	r := router.New(plugin.NewContainer(nil), nil, func(err error) { warned = append(warned, err.Error()) })
	if got := r.SubRoute("admin", guard{header{"g"}}).RouteCall(new(Good), ofSession{"s"}); len(got) != 1 || got[0] != "/admin/good/do" {
		t.Errorf("registered %v", got)
	}
	if len(warned) != 2 || !strings.Contains(warned[0], `"g" at the group /admin`) || !strings.Contains(warned[1], `"s" at the route /admin/good/do`) {
		t.Errorf("warnings %q", warned)
	}
	if msg := panicOf(func() { r.RouteCall(new(Two), named("idle")) }); !strings.Contains(msg, "implements no hook") {
		t.Errorf("a plugin without any hook: %s", msg)
	}
}
