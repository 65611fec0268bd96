package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/xfer"
)

// boomCodec, boomFilter and boomPlugin panic on demand.
type boomCodec struct{}

func (boomCodec) ID() byte                        { return 'B' }
func (boomCodec) Name() string                    { return "cases-boom" }
func (boomCodec) Marshal(any) ([]byte, error)     { return []byte("boom"), nil }
func (boomCodec) Unmarshal(b []byte, v any) error { panic(secret) }

type boomReply struct{}

func (boomReply) ID() byte                    { return 'C' }
func (boomReply) Name() string                { return "cases-boom-reply" }
func (boomReply) Marshal(any) ([]byte, error) { panic(secret) }
func (boomReply) Unmarshal([]byte, any) error { return nil }

type boomFilter struct{ id byte }

func (f boomFilter) ID() byte     { return f.id }
func (f boomFilter) Name() string { return "cases-boom-" + string(f.id) }

func (f boomFilter) OnPack(b []byte) ([]byte, error) {
	if f.id == 'P' {
		panic(secret)
	}
	return b, nil
}

func (f boomFilter) OnUnpack(b []byte) ([]byte, error) {
	if f.id == 'U' {
		panic(secret)
	}
	return b, nil
}

// secret is the value of the panics in these tests; callers must not see it.
const secret = "the internals"

var registerBooms = sync.OnceFunc(func() {
	codec.Reg(boomCodec{})
	codec.Reg(boomReply{})
	xfer.Reg(boomFilter{'P'})
	xfer.Reg(boomFilter{'U'})
})

// boomPlugin panics in the hook that the metadata of the call names.
type boomPlugin struct{}

func (boomPlugin) Name() string { return "boom" }

func (boomPlugin) at(m erpc.Message, where string) *erpc.Status {
	if string(m.Meta().Peek("boom")) == where {
		panic(secret)
	}
	return nil
}

func (p boomPlugin) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	return p.at(ctx.Input(), "header")
}
func (p boomPlugin) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return p.at(ctx.Input(), "body") }
func (p boomPlugin) PostReadCallBody(ctx erpc.ReadCtx) *erpc.Status {
	return p.at(ctx.Input(), "decoded")
}
func (p boomPlugin) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	return p.at(ctx.(interface{ Input() erpc.Message }).Input(), "reply")
}

// Case 26 of the catalogue.
func TestPanics(t *testing.T) {
	registerBooms()
	for _, detail := range []bool{false, true} {
		t.Run(fmt.Sprint("detail ", detail), func(t *testing.T) {
			kit.OverEach(t, func(t *testing.T, on kit.Medium) {
				var log kit.Log
				log.Min = slog.LevelWarn
				server := on.Peer(t, erpc.PeerConfig{ErrorDetail: detail, Logger: slog.New(&log)}, boomPlugin{})
				erpc.HandleCall(server, "/add", kit.Add)
				erpc.HandleCall(server, "/boom", func(context.Context, *int) (*int, error) { panic(secret) })
				erpc.HandleCall(server, "/exit", func(context.Context, *int) (*int, error) {
					runtime.Goexit()
					return nil, nil
				})
				s := kit.Open(t, on.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
				reply := func(id byte) erpc.MessageSetting { return erpc.WithAcceptBodyCodec(id) }
				boom := func(where string) erpc.MessageSetting { return erpc.WithSetMeta("boom", where) }
				for _, c := range []struct {
					what, method string
					setting      erpc.MessageSetting
				}{
					{"a handler", "/boom", nil},
					{"a handler that ends its goroutine", "/exit", nil},
					{"a codec that decodes", "/add", erpc.WithBodyCodec('B')},
					{"a codec that encodes", "/add", reply('C')},
					{"a plugin before the body", "/add", boom("header")},
					{"a plugin before decoding", "/add", boom("body")},
					{"a plugin before the handler", "/add", boom("decoded")},
					{"a plugin before the reply", "/add", boom("reply")},
				} {
					var st *erpc.Status
					arg := any(1)
					if c.method == "/add" {
						arg = &kit.Sum{A: 1, B: 2}
					}
					for range 30 { // on workers, and inline
						kit.Within(t, kit.Bound, c.what, func() { st = s.Call(c.method, arg, nil, c.setting).Status() })
						kit.WantCode(t, c.what, st, erpc.CodeInternalServerError)
					}
					if c.method != "/exit" && strings.Contains(st.String(), secret) != detail {
						t.Errorf("%s: detail is %v and the caller got %v", c.what, detail, st)
					}
					kit.Answers(t, s)
				}
				if len(log.Says(secret)) == 0 {
					t.Error("the log says nothing of the panics")
				}

				// A filter panics when the caller packs a call, which then fails,
				// and when the server unpacks one: the sequence number is not
				// known, so the connection ends.
				var st *erpc.Status
				kit.Within(t, kit.Bound, "a filter that packs", func() { st = s.Call("/boom", 1, nil, erpc.WithXferPipe('P')).Status() })
				kit.WantCode(t, "a filter of the caller that panics", st, erpc.CodeInternalServerError)
				kit.Answers(t, s)
				kit.Within(t, kit.Bound, "a filter that unpacks", func() { st = s.Call("/add", &kit.Sum{}, nil, erpc.WithXferPipe('U')).Status() })
				kit.WantCode(t, "a filter that unpacks", st, erpc.CodeConnClosed)
				kit.AwaitIn(t, kit.Prompt, "end of the connection", s.CloseNotify())
				kit.Answers(t, kit.Open(t, on.Peer(t, erpc.PeerConfig{}), s.RemoteAddr().String()))
			})
		})
	}
}

// Case 26 of the catalogue.
func TestFilterOfReplyPanics(t *testing.T) {
	registerBooms()
	kit.NoLeaks(t)
	server := kit.TCP.Peer(t, erpc.PeerConfig{})
	erpc.HandleCall(server, "/add", kit.Add)
	erpc.HandleCall(server, "/filtered", func(ctx context.Context, _ *int) (*int, error) {
		erpc.CallCtxFrom(ctx).AddXferPipe('P')
		return nil, nil
	})
	s := kit.Open(t, kit.TCP.Peer(t, erpc.PeerConfig{}), kit.Start(t, server))
	var st *erpc.Status
	kit.Within(t, kit.Bound, "call", func() { st = s.Call("/filtered", 1, nil).Status() })
	kit.WantCode(t, "call", st, erpc.CodeInternalServerError)
	if strings.Contains(st.String(), secret) {
		t.Errorf("the caller got %v", st)
	}
	kit.Answers(t, s)
}
