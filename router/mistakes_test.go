package router_test

import (
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
)

func (n named) Name() string                              { return string(n) }
func (refuser) PostReg(*session.Handler) error            { return errors.New("not on my watch") }
func (header) PostReadCallHeader(session.ReadCtx) *Status { return nil }

func TestMistakesPanicWithWhatToDo(t *testing.T) {
	const callShape = "func (*router_test.%s) Do(arg *A) (R, *erpc.Status)"
	for name, c := range map[string]struct {
		register func(*router.Router)
		want     []string // parts of the message
	}{
		"nil":              {func(r *router.Router) { r.RouteCall(nil) }, []string{"nil is no controller", "erpc.CallCtx"}},
		"nil pointer":      {func(r *router.Router) { r.RouteCall((*Good)(nil)) }, []string{"*router_test.Good is no controller", "erpc.CallCtx"}},
		"no struct":        {func(r *router.Router) { r.RouteCall(3) }, []string{"int is no controller", "pointer to a struct"}},
		"pointer to other": {func(r *router.Router) { r.RouteCall(new(int)) }, []string{"*int is no controller"}},
		"pool of nothing":  {func(r *router.Router) { r.RouteCall(func() any { return nil }) }, []string{"func() interface {} is no controller"}},
		"pool of values":   {func(r *router.Router) { r.RouteCall(func() any { return Good{} }) }, []string{"no controller", "pointer"}},
		"pool with args":   {func(r *router.Router) { r.RouteCall(func(int) any { return new(Good) }) }, []string{"no controller", "function that returns one"}},
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
		"nil plugin":          {func(r *router.Router) { r.RouteCall(new(Good), nil) }, []string{"a nil plugin"}},
		"plugin twice":        {func(r *router.Router) { r.SubRoute("x", header{"h"}).RouteCall(new(Good), header{"h"}) }, []string{`"h" is given twice`}},
		"plugin refuses":      {func(r *router.Router) { r.RouteCall(new(Good), refuser{"r"}) }, []string{`plugin "r" refuses CALL handler /good/do: not on my watch`}},
		"unknown refused":     {func(r *router.Router) { r.SetUnknownPush(nil, refuser{"r"}) }, []string{`plugin "r" refuses UNKNOWN_PUSH handler`}},
	} {
		t.Run(name, func(t *testing.T) {
			msg := panicOf(func() { c.register(newRouter()) })
			if !strings.HasPrefix(msg, "router: ") && !strings.HasPrefix(msg, "plugin: ") {
				t.Errorf("it does not say whose it is: %q", msg)
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

// What was registered before a mistake stays, and nothing of the mistake.
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

// Header hooks come before a route is known, so they can't run for one; programs
// written against v7 give them all the same.
func TestHeaderHooksAreLetPass(t *testing.T) {
	r := newRouter()
	if got := r.RouteCall(new(Good), header{"h"}); len(got) != 1 || got[0] != "/good/do" {
		t.Errorf("registered %v", got)
	}
}
