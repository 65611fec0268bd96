package session

import (
	"context"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

// A meddler writes to the values that its hooks see before they are decoded into.
type meddler struct{}

func (meddler) Name() string { return "meddler" }

func (m meddler) PreReadCallBody(c ReadCtx) *message.Status  { return m.meddle(c) }
func (m meddler) PreReadReplyBody(c ReadCtx) *message.Status { return m.meddle(c) }

func (meddler) meddle(c ReadCtx) *message.Status {
	if d, ok := c.Input().Body().(*durationpb.Duration); ok {
		d.Seconds = 99
	}
	return nil
}

// TestDecodingReplaces: the argument of a handler and the result of a call hold what
// the other side has sent, and nothing else, whoever wrote to them before.
func TestDecodingReplaces(t *testing.T) {
	for name, c := range map[string]struct {
		server, client []plugin.Plugin
		result         *durationpb.Duration // nil: a typed call makes one
	}{
		"nobody":            {},
		"a hook of calls":   {server: []plugin.Plugin{meddler{}}},
		"a hook of replies": {client: []plugin.Plugin{meddler{}}},
		"the caller":        {result: &durationpb.Duration{Seconds: 99}},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHandler(Spec{
				Name: "/h", Kind: RouteCall, NewArg: func() any { return new(durationpb.Duration) },
				Call: func(_ CallCtx, arg any) (any, *message.Status) {
					d := arg.(*durationpb.Duration)
					return &durationpb.Duration{Nanos: d.Nanos + int32(d.Seconds)}, nil
				},
			})
			h.SetHooks(NewRouteHooks(c.server, nil))
			srv := startServer(t, oneRoute{h}, nil)
			s := srv.connect(0, func(sh *Shared) { sh.Hooks.Store(NewHooks(c.client)) })
			arg, set := &durationpb.Duration{Nanos: 7}, message.WithBodyCodec(codec.ID_PROTOBUF)
			res := c.result
			if res != nil {
				if st := s.Call("/h", arg, res, set).Status(); !st.OK() {
					t.Fatal(st)
				}
			} else {
				var err error
				res, err = Call[durationpb.Duration](context.Background(), s, "/h", arg, set)
				if err != nil {
					t.Fatal(err)
				}
			}
			if res.Seconds != 0 || res.Nanos != 7 {
				t.Errorf("the reply is %v, want 7 ns", res)
			}
		})
	}
}
