package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

type pair struct{ A, B int }

// A status travels inside the errors of typed handlers and calls, both ways.
func TestTypedErrors(t *testing.T) {
	noUser := erpc.NewStatus(1404, "no such user", "id 7")
	srv, addr := kit.Serve(t, erpc.PeerConfig{ErrorDetail: true})
	handlerError := map[int]error{
		1: noUser.Err(),
		2: fmt.Errorf("load: %w", noUser.Err()),
		3: io.ErrUnexpectedEOF,
		4: fmt.Errorf("query: %w", context.DeadlineExceeded),
		5: context.Canceled,
		6: errors.Join(io.EOF, noUser.Err()),
	}
	erpc.HandleCall(srv, "/fails", func(_ context.Context, how *int) (*pair, error) { return &pair{1, 2}, handlerError[*how] })
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for _, c := range []struct {
		how   int
		code  int32
		cause string
	}{
		{1, 1404, "id 7"},
		{2, 1404, "load: status 1404 no such user: id 7"},
		{6, 1404, "EOF\nstatus 1404 no such user: id 7"},
		{3, erpc.CodeUnknownError, "unexpected EOF"},
		{4, erpc.CodeHandleTimeout, "query: context deadline exceeded"},
		{5, erpc.CodeCanceled, "context canceled"},
	} {
		res, err := erpc.Call[pair](t.Context(), sess, "/fails", c.how)
		var se *erpc.StatusError
		if !errors.As(fmt.Errorf("wrapped: %w", err), &se) || res != nil {
			t.Errorf("%d: %v with result %v", c.how, err, res)
			continue
		}
		if se.Status.Code() != c.code || se.Status.Cause() == nil || se.Status.Cause().Error() != c.cause {
			t.Errorf("%d: %v, want code %d and cause %q", c.how, se.Status, c.code, c.cause)
		}
		if erpc.StatusFromError(err) != se.Status {
			t.Errorf("%d: StatusFromError finds another status", c.how)
		}
	}
	res, err := erpc.Call[pair](t.Context(), sess, "/fails", 0)
	if err != nil || *res != (pair{1, 2}) {
		t.Errorf("%v %v", res, err)
	}
	if _, err := erpc.Call[pair](t.Context(), sess, "/nowhere", 0); erpc.StatusFromError(err).Code() != erpc.CodeNotFound {
		t.Errorf("%v", err)
	}
}

func TestTypedHandlers(t *testing.T) {
	pushed := make(chan string, 1)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	sub := srv.SubRoute("v1")
	var hooked int
	count := &erpc.PluginImpl{PluginName: "count", OnPostReadCallBody: func(erpc.ReadCtx) *erpc.Status { hooked++; return nil }}
	add := erpc.HandleCall(sub, "/Add", func(ctx context.Context, p *pair) (*int, error) {
		c := erpc.CallCtxFrom(ctx)
		if c == nil || c.ServiceMethod() != "/v1/Add" {
			t.Errorf("the context of the call is %v", c)
		}
		if erpc.PushCtxFrom(ctx) == nil { // a call's context can do what a push's can
			t.Error("no context of a push in that of a call")
		}
		c.SetMeta("who", string(c.PeekMeta("who")))
		sum := p.A + p.B
		return &sum, nil
	}, count)
	erpc.HandleCall(srv, "/nil", func(context.Context, *pair) (*pair, error) { return nil, nil })
	erpc.HandlePush(sub, "note", func(ctx context.Context, s *string) error {
		if erpc.CallCtxFrom(context.Background()) != nil || erpc.PushCtxFrom(t.Context()) != nil {
			t.Error("a context that has none gave one")
		}
		pushed <- erpc.PushCtxFrom(ctx).ServiceMethod() + " " + *s
		return errors.New("nobody hears of it")
	})
	if add != "/v1/Add" {
		t.Errorf("registered as %s", add)
	}
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	sum, err := erpc.Call[int](t.Context(), sess, add, &pair{2, 3}, erpc.WithAddMeta("who", "me"))
	if err != nil || *sum != 5 || hooked != 1 {
		t.Errorf("%v %v, %d hooks", sum, err, hooked)
	}
	if sum, err = erpc.Call[int](context.Background(), sess, add, &pair{2, 3}); err != nil || *sum != 5 {
		t.Errorf("%v %v", sum, err)
	}
	if none, err := erpc.Call[pair](t.Context(), sess, "/nil", pair{}); err != nil || *none != (pair{}) {
		t.Errorf("a reply of nothing: %v %v", none, err)
	}
	if st := sess.Push("/v1/note", "n"); !st.OK() {
		t.Error(st)
	}
	if got := kit.Await(t, "the push", pushed); got != "/v1/note n" {
		t.Errorf("got %s", got)
	}
}

// A typed call ends with its context, and so does its handler.
func TestTypedCallEndsWithItsContext(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		srv, addr := kit.Serve(t, on(erpc.PeerConfig{}))
		began, ended := make(chan struct{}, 1), make(chan error, 1)
		erpc.HandleCall(srv, "/wait", func(ctx context.Context, _ *int) (*int, error) {
			began <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		})
		_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{}))
		for name, c := range map[string]struct {
			end  func(context.Context) (context.Context, context.CancelFunc)
			code int32
		}{
			"timeout": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 50*time.Millisecond)
			}, erpc.CodeHandleTimeout},
			"cancel": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				go func() { <-began; began <- struct{}{}; cancel() }()
				return ctx, cancel
			}, erpc.CodeCanceled},
		} {
			ctx, cancel := c.end(t.Context())
			_, err := erpc.Call[int](ctx, sess, "/wait", 1)
			cancel()
			if st := erpc.StatusFromError(err); st.Code() != c.code {
				t.Errorf("%s: %v", name, err)
			}
			if err := kit.Await(t, name+": the handler", ended); err == nil {
				t.Errorf("%s: its context has not ended", name)
			}
			kit.Await(t, "the handler's sign", began)
		}
	})
}

// TestTypedCallKeepsItsContext: hooks of calls and pushes see the values of the
// context, whether it can end or not.
func TestTypedCallKeepsItsContext(t *testing.T) {
	kit.NoLeaks(t)
	type key struct{}
	got := make(chan any, 1)
	_, addr := kit.Serve(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{}, &erpc.PluginImpl{
		PluginName: "trace",
		OnPreWriteCall: func(ctx erpc.WriteCtx) *erpc.Status {
			got <- ctx.Output().Context().Value(key{})
			return nil
		},
	})
	ending, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"without an end": context.Background(), "with an end": ending} {
		_, err := erpc.Call[int](context.WithValue(ctx, key{}, name), sess, "/none", 1)
		if err == nil {
			t.Error("nobody answered well")
		}
		if v := kit.Await(t, "the hook", got); v != name {
			t.Errorf("%s: the hook saw %v", name, v)
		}
	}
}
