package router_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

type stringsToInts = session.TypedStream[string, int]

// Controllers of streams, and types that resemble one.
type (
	Feeds       struct{ session.CallCtx }
	PushFeeds   struct{ session.PushCtx }
	ValueStream struct{ session.CallCtx }
	NoStream    struct{ session.CallCtx }
	Wrapped     struct{ *stringsToInts }
	WrapStream  struct{ session.CallCtx }
	TextResult  struct{ session.CallCtx }
	NoResult    struct{ session.CallCtx }
)

func (*Feeds) Watch(*stringsToInts) *Status                 { return nil }
func (*Feeds) Upload_File(*stringsToInts) error             { return nil }
func (*PushFeeds) Do(*stringsToInts) *Status                { return nil }
func (*ValueStream) Do(stringsToInts) *Status               { return nil }
func (*NoStream) Do(*int) *Status                           { return nil }
func (*WrapStream) Do(*Wrapped) *Status                     { return nil }
func (*TextResult) Do(*stringsToInts) string                { return "" }
func (*NoResult) Do(*stringsToInts)                         {}
func StreamFunc(session.CallCtx, *stringsToInts) error      { return nil }
func StreamOfContext(context.Context, *stringsToInts) error { return nil }

// The methods of a controller and functions become handlers of streams, with names
// like those of calls.
func TestRouteStream(t *testing.T) {
	for name, c := range map[string]struct {
		mapper   router.ServiceMethodMapper
		register func(r *router.Router) []string
		want     []string
	}{
		"struct":            {nil, func(r *router.Router) []string { return r.RouteStream(new(Feeds)) }, []string{"/feeds/upload/file", "/feeds/watch"}},
		"sub-router":        {nil, func(r *router.Router) []string { return r.SubRoute("v1").RouteStream(new(Feeds)) }, []string{"/v1/feeds/upload/file", "/v1/feeds/watch"}},
		"pool":              {nil, func(r *router.Router) []string { return r.RouteStream(func() any { return new(Feeds) }) }, []string{"/feeds/upload/file", "/feeds/watch"}},
		"other mapper":      {router.RPCServiceMethodMapper, func(r *router.Router) []string { return r.RouteStream(new(Feeds)) }, []string{"Feeds.Upload.File", "Feeds.Watch"}},
		"function":          {nil, func(r *router.Router) []string { return []string{r.RouteStreamFunc(StreamFunc)} }, []string{"/stream_func"}},
		"method expression": {nil, func(r *router.Router) []string { return []string{r.RouteStreamFunc((*Feeds).Watch)} }, []string{"/watch"}},
		"next to calls":     {nil, func(r *router.Router) []string { r.RouteCall(new(Good)); return r.RouteStream(new(Feeds)) }, []string{"/feeds/upload/file", "/feeds/watch"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := router.New(plugin.NewContainer(nil), c.mapper)
			got := c.register(r)
			if !reflect.DeepEqual(got, c.want) {
				t.Fatalf("registered %q, want %q", got, c.want)
			}
			for _, method := range got {
				h, ok := r.DispatchStream(method)
				if !ok {
					t.Fatalf("%s is not found", method)
				}
				if !h.IsStream() || h.RouterTypeName() != session.RouteStream || h.ArgElemType() != reflect.TypeFor[string]() || h.ReplyType() != reflect.TypeFor[*int]() {
					t.Errorf("%s: %s of %v and %v", method, h.RouterTypeName(), h.ArgElemType(), h.ReplyType())
				}
				if _, ok := r.Dispatch(true, method); ok {
					t.Errorf("%s takes calls", method)
				}
			}
		})
	}
}

func TestUnknownStream(t *testing.T) {
	r := newRouter()
	r.RouteStream(new(Feeds))
	name := func(method string) string {
		h, ok := r.DispatchStream(method)
		if ok != (h != nil) {
			t.Errorf("%s: found is %v and the handler %v", method, ok, h)
		}
		if h == nil {
			return ""
		}
		return h.Name()
	}
	if got := name("/other"); got != "" {
		t.Errorf("without a handler it goes to %q", got)
	}
	r.SetUnknownStream(func(session.CallCtx, *session.Stream) *Status { return nil })
	for method, want := range map[string]string{"/other": session.RouteUnknownStream, "/feeds/watch": "/feeds/watch"} {
		if got := name(method); got != want {
			t.Errorf("%s goes to %q, want %q", method, got, want)
		}
	}
	h, _ := r.DispatchStream("/other")
	if !h.IsUnknown() || !h.IsStream() || h.IsCall() || h.IsPush() {
		t.Errorf("it is a %s", h.RouterTypeName())
	}
	if _, ok := r.Dispatch(true, "/other"); ok {
		t.Error("it takes calls")
	}
	if msg := panicOf(func() { r.SetUnknownStream(nil) }); !strings.Contains(msg, "SetUnknownStream got a nil function") {
		t.Errorf("nil: %s", msg)
	}
}

func TestMistakesWithStreamsPanicWithWhatToDo(t *testing.T) {
	const shape = "func (*router_test.%s) Do(s *erpc.Stream[In, Out]) *erpc.Status"
	for name, c := range map[string]struct {
		register func(*router.Router)
		want     []string
	}{
		"push context":   {func(r *router.Router) { r.RouteStream(new(PushFeeds)) }, []string{"*router_test.PushFeeds does not embed erpc.CallCtx", "STREAM"}},
		"by value":       {func(r *router.Router) { r.RouteStream(new(ValueStream)) }, []string{"which is not a *erpc.Stream[In, Out]", fmt.Sprintf(shape, "ValueStream")}},
		"no stream":      {func(r *router.Router) { r.RouteStream(new(NoStream)) }, []string{"takes a *int, which is not a *erpc.Stream[In, Out]"}},
		"embedding one":  {func(r *router.Router) { r.RouteStream(new(WrapStream)) }, []string{"takes a *router_test.Wrapped, which is not a *erpc.Stream[In, Out]"}},
		"other result":   {func(r *router.Router) { r.RouteStream(new(TextResult)) }, []string{"returns a string where a *erpc.Status or error must be"}},
		"no result":      {func(r *router.Router) { r.RouteStream(new(NoResult)) }, []string{"returns 0 values"}},
		"call":           {func(r *router.Router) { r.RouteStream(new(Good)) }, []string{"takes a *int"}},
		"stream as call": {func(r *router.Router) { r.RouteCall(new(Feeds)) }, []string{"returns 1 values"}},
		"other context":  {func(r *router.Router) { r.RouteStreamFunc(StreamOfContext) }, []string{"context.Context", "CallCtx"}},
		"twice":          {func(r *router.Router) { r.RouteStream(new(Feeds)); r.RouteStream(new(Feeds)) }, []string{"a STREAM handler is registered already"}},
		"nil":            {func(r *router.Router) { r.RouteStream(nil) }, []string{"nil is not a controller"}},
	} {
		t.Run(name, func(t *testing.T) {
			msg := panicOf(func() { c.register(newRouter()) })
			for _, part := range c.want {
				if !strings.Contains(msg, part) {
					t.Errorf("%q does not say %q", msg, part)
				}
			}
		})
	}
}
