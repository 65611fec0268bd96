package streams

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/socket/websocket"
)

// v7Wires are the transports and protocols shared with erpc v7 that carry streams
// between our peers.
func v7Wires() map[string]erpc.PeerConfig {
	ws := func(pf erpc.ProtoFunc) erpc.PeerConfig {
		t := websocket.Transport{Config: websocket.Config{Path: "/ws", Messages: true}}
		return erpc.PeerConfig{Network: "ws", ProtoFunc: pf, Transports: []erpc.Transport{t}}
	}
	return map[string]erpc.PeerConfig{
		"-proto raw":              {ProtoFunc: protocols["raw"]},
		"-proto json":             {ProtoFunc: protocols["json"]},
		"-proto pb":               {ProtoFunc: protocols["protobuf"]},
		"-proto thrift-binary":    {ProtoFunc: protocols["thrift binary"]},
		"-network websocket-json": ws(jsonproto.NewSubProtoFunc()),
		"-network websocket-pb":   ws(pbproto.NewSubProtoFunc()),
	}
}

// refusesStreams checks that streams over the session are refused, and that the
// session goes on.
func refusesStreams(t *testing.T, sess erpc.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for i := range 3 {
		_, err := erpc.OpenStream[note, note](ctx, sess, "/echo")
		if !errors.Is(err, erpc.ErrNoStreams) {
			t.Errorf("attempt %d: %v", i, err)
		}
		wantCode(t, "the status", err, erpc.CodeMtypeNotAllowed)
		sum, err := erpc.Call[int](ctx, sess, "/math/add", []int{1, 2, i})
		if err != nil || *sum != 3+i {
			t.Errorf("a call after attempt %d: %v, %v", i, sum, err)
		}
	}
	if !sess.Health() {
		t.Error("the session has ended")
	}
}

// Real programs of erpc v7, as server, as client and as proxy in the middle,
// refuse streams, and the session is not affected.
func TestV7KnowsNoStreams(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	for wire, cfg := range v7Wires() {
		flags := strings.Fields(wire)
		t.Run(wire, func(t *testing.T) {
			t.Run("server", func(t *testing.T) {
				t.Parallel()
				_, sess := kit.Dial(t, wiretest.ServeV7(t, v7peer, flags...).Addr, cfg)
				refusesStreams(t, sess)
			})
			t.Run("proxy in the middle", func(t *testing.T) {
				t.Parallel()
				ours := wiretest.NewServer(t, cfg)
				register(ours.Peer)
				ours.Listen(t)
				_, direct := kit.Dial(t, ours.Addr, cfg)
				testEcho(t, direct)
				theirs := wiretest.ServeV7(t, v7peer, append(flags, "-proxy", ours.Addr)...)
				_, sess := kit.Dial(t, theirs.Addr, cfg)
				refusesStreams(t, sess)
				testEcho(t, direct)
			})
			t.Run("behind our proxy", func(t *testing.T) {
				t.Parallel()
				_, back := kit.Dial(t, wiretest.ServeV7(t, v7peer, flags...).Addr, cfg)
				front := cfg
				front.ListenAddress = "127.0.0.1:0"
				srv := kit.Peer(t, front, proxy.NewPlugin(func(*proxy.Label) proxy.Forwarder { return back }))
				_, sess := kit.Dial(t, kit.Start(t, srv), cfg)
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				_, err := open[note, note](t, ctx, sess, "/echo").Recv()
				wantCode(t, "what the proxy says of it", err, erpc.CodeMtypeNotAllowed)
				if sum, err := erpc.Call[int](ctx, sess, "/math/add", []int{1, 2}); err != nil || *sum != 3 {
					t.Errorf("a call after that: %v, %v", sum, err)
				}
				refusesStreams(t, back)
			})
			t.Run("client", func(t *testing.T) {
				t.Parallel()
				opened := make(chan error, 100)
				ours := wiretest.NewServer(t, cfg, &erpc.PluginImpl{
					PluginName: "opens", // opens a stream to each caller
					OnPostReadCallBody: func(ctx erpc.ReadCtx) *erpc.Status {
						if ctx.ServiceMethod() == "/math/add" {
							_, st := ctx.Session().OpenStream(ctx.Context(), "/client/add")
							opened <- st.Err()
						}
						return nil
					},
				})
				ours.Listen(t)
				checks := wiretest.CallV7(t, v7peer, append(flags, "-addr", ours.Addr, "-nested", "-skip", "math/concurrent")...)
				if len(checks) < 5 {
					t.Errorf("v7's client ran %d checks", len(checks))
				}
				close(opened)
				n := 0
				for err := range opened {
					n++
					if !errors.Is(err, erpc.ErrNoStreams) {
						t.Errorf("a stream to v7's client: %v", err)
					}
				}
				if n == 0 {
					t.Error("no stream was tried")
				}
			})
		})
	}
}

// testEcho sends a message over a stream and checks that it comes back.
func testEcho(t *testing.T, sess erpc.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	s := open[note, note](t, ctx, sess, "/echo")
	defer s.Close()
	if err := s.Send(&note{7}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Recv(); err != nil || m.N != 7 {
		t.Errorf("%v, %v", m, err)
	}
}
