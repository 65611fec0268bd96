package peer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

type pair struct{ A, B int }

var (
	sum  = router.Method[pair, int]{Name: "/sum"}
	tell = router.Method[string, struct{}]{Name: "/tell"}
)

// A method known to both ends is called and pushed to with its types; a result can
// be had as a value, and with the metadata of its reply.
func TestTypedCalls(t *testing.T) {
	on := memory.New()
	srv := newPeer(t, on, peer.Config{})
	told := make(chan string, 1)
	if path := sum.Handle(srv, func(ctx context.Context, p *pair) (*int, error) {
		c := session.CallCtxFrom(ctx)
		c.SetMeta("asked", c.GetMeta("by")+c.GetMeta("none"))
		if p.A < 0 {
			return nil, message.NewStatus(1001, "negative").Err()
		}
		n := p.A + p.B
		return &n, nil
	}); path != "/sum" {
		t.Errorf("registered as %s", path)
	}
	tell.HandlePush(srv, func(_ context.Context, text *string) error { told <- *text; return nil })
	serve(t, srv, "a")
	s, st := newPeer(t, on, peer.Config{}).Dial("a")
	if !st.OK() {
		t.Fatal(st)
	}
	ctx := t.Context()
	if n, err := sum.Call(ctx, s, &pair{1, 2}); err != nil || *n != 3 {
		t.Error(n, err)
	}
	if n, err := session.CallValue[int](ctx, s, sum.Name, pair{3, 4}); err != nil || n != 7 {
		t.Error(n, err)
	}
	if n, err := session.CallValue[int](ctx, s, sum.Name, pair{-1, 0}); n != 0 || message.FromError(err).Code() != 1001 {
		t.Error(n, err)
	}
	by := message.WithSetMeta("by", "me")
	if n, meta, err := session.CallMeta[int](ctx, s, sum.Name, pair{3, 4}, by); err != nil || *n != 7 || string(meta.Peek("asked")) != "me" {
		t.Error(n, meta, err)
	}
	if n, meta, err := session.CallMeta[int](ctx, s, "/none", nil); n != nil || meta == nil || message.FromError(err).Code() != message.CodeNotFound {
		t.Error(n, meta, err)
	}
	text := "hello"
	if err := tell.Push(ctx, s, &text); err != nil {
		t.Error(err)
	}
	if got := receive(t, "the push", told); got != text {
		t.Errorf("got %q", got)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := session.CallMeta[int](ended, s, "/none", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}
