package e2e

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
)

// heavyID is the id of a codec whose bodies each cost heavyCost bytes. Decoding
// takes long enough for others to exceed the room, if they could.
const (
	heavyID   = 'H'
	heavyCost = 4 << 20
)

type heavyCodec struct{ now, most *atomic.Int64 }

func (heavyCodec) ID() byte                          { return heavyID }
func (heavyCodec) Name() string                      { return "cases-heavy" }
func (heavyCodec) Marshal(any) ([]byte, error)       { return []byte("heavy"), nil }
func (heavyCodec) Cost([]byte, any, int) (bytes int) { return heavyCost }
func (c heavyCodec) Unmarshal([]byte, any) error {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	time.Sleep(20 * time.Millisecond) // meanwhile others may start
	return nil
}

var heavy = sync.OnceValue(func() heavyCodec {
	c := heavyCodec{new(atomic.Int64), new(atomic.Int64)}
	codec.Reg(c)
	httproto.RegBodyCodec("application/x-heavy", heavyID)
	return c
})

type anything struct{}

// TestDecodesShareTheirMemory: however bodies arrive at a peer, no more of them are
// decoded at the same time than decode_memory has room for.
func TestDecodesShareTheirMemory(t *testing.T) {
	kit.NoLeaks(t)
	c := heavy()
	const sessions, room = 6, 2
	bounded := erpc.PeerConfig{DecodeMemory: room*heavyCost + 1<<20, DefaultBodyCodec: c.Name()}
	heavily := erpc.PeerConfig{DefaultBodyCodec: c.Name(), DecodeMemory: -1}
	with := func(cfg erpc.PeerConfig, network string, pf erpc.ProtoFunc) erpc.PeerConfig {
		cfg.Network, cfg.ProtoFunc = network, pf
		return cfg
	}
	type door struct {
		name     string
		srv, cli erpc.PeerConfig
		do       func(t *testing.T, sess erpc.Session) // returns after a body was decoded
	}
	pushed := make(chan struct{}, sessions)
	call := func(t *testing.T, sess erpc.Session) {
		if err := sess.Call("/take", new(anything), nil).Status().Err(); err != nil {
			t.Error(err)
		}
	}
	doors := []door{
		{"a call", bounded, heavily, call},
		{"a call over json", with(bounded, "tcp", jsonproto.New), with(heavily, "tcp", jsonproto.New), call},
		{"a call over pb", with(bounded, "tcp", pbproto.New), with(heavily, "tcp", pbproto.New), call},
		{"a call over HTTP", with(bounded, "tcp", httproto.NewHTTProtoFunc()), with(heavily, "tcp", httproto.NewHTTProtoFunc()), call},
		{"a call over WebSocket", with(bounded, "ws", nil), with(heavily, "ws", nil), call},
		{"a call that the handler binds", bounded, heavily, func(t *testing.T, sess erpc.Session) {
			if err := sess.Call("/unknown", new(anything), nil).Status().Err(); err != nil {
				t.Error(err)
			}
		}},
		{"a push", bounded, heavily, func(t *testing.T, sess erpc.Session) {
			if err := sess.Push("/take", new(anything)).Err(); err != nil {
				t.Error(err)
			}
			kit.Await(t, "the push", pushed)
		}},
		{"a reply", heavily, bounded, func(t *testing.T, sess erpc.Session) {
			if err := sess.Call("/give", nil, new(anything)).Status().Err(); err != nil {
				t.Error(err)
			}
		}},
		{"a stream", bounded, heavily, func(t *testing.T, sess erpc.Session) { sendHeavy(t, sess, "/stream") }},
		{"a stream with hooks", bounded, heavily, func(t *testing.T, sess erpc.Session) { sendHeavy(t, sess, "/hooked/stream") }},
	}
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			srv, addr := kit.Serve(t, d.srv)
			take := func(context.Context, *anything) (*anything, error) { return nil, nil }
			erpc.HandleCall(srv, "/take", take)
			erpc.HandlePush(srv, "/take", func(context.Context, *anything) error { pushed <- struct{}{}; return nil })
			erpc.HandleCall(srv, "/give", func(context.Context, *[]byte) (*anything, error) { return new(anything), nil })
			srv.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
				_, err := ctx.Bind(new(anything))
				return nil, erpc.StatusFromError(err)
			})
			erpc.HandleStream(srv, "/stream", receive)
			hooked := srv.SubRoute("/hooked", &erpc.PluginImpl{PluginName: "hook", OnPreRecvMessage: func(erpc.StreamCtx) *erpc.Status { return nil }})
			erpc.HandleStream(hooked, "/stream", receive)
			cli := kit.Peer(t, d.cli)
			var all []erpc.Session
			for range sessions {
				all = append(all, kit.Open(t, cli, addr))
			}
			c.most.Store(0)
			var wg sync.WaitGroup
			for _, sess := range all {
				wg.Go(func() { d.do(t, sess) })
			}
			kit.Within(t, kit.Bound, d.name, wg.Wait)
			if n := c.most.Load(); n == 0 || n > room {
				t.Errorf("%d bodies were decoded at the same time, want 1 to %d", n, room)
			}
		})
	}
}

func receive(ctx context.Context, s *erpc.Stream[anything, anything]) error {
	_, err := s.RecvContext(ctx)
	return err
}

// sendHeavy sends a message over a stream whose handler receives one.
func sendHeavy(t *testing.T, sess erpc.Session, path string) {
	s, err := erpc.OpenStream[anything, anything](t.Context(), sess, path)
	if err == nil {
		if err = s.Send(new(anything)); err == nil {
			_, err = s.Recv()
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
