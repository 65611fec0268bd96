package docs

import (
	"context"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// parts is an argument and a result. The other side sends A, one hook sets B
// before the body is decoded, and another sets C after it.
type parts struct{ A, B, C int }

// counted counts what is written to it.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// What a hook may change according to the table can be changed there. For other
// hooks the table is empty.
func TestDocOfHooksThatChange(t *testing.T) {
	_, says, _, names := hookColumns(t)
	effects := hookEffects(t)
	for _, hook := range names {
		want := "nothing"
		if e, ok := effects[hook]; ok {
			want = e.says
			if !e.happened {
				t.Errorf("%s changed nothing; docs/plugins.md says %q", hook, says[hook])
			}
		}
		if says[hook] != want {
			t.Errorf("%s: docs/plugins.md says that it may change %q, want %q", hook, says[hook], want)
		}
	}
}

type effect struct {
	says     string
	happened bool
}

// hookEffects lets every hook that may change something do so, and returns whether
// that took effect.
func hookEffects(t *testing.T) map[string]effect {
	const mark = "changed-by"
	var fromServer, fromClient atomic.Int64
	var held atomic.Bool // PreReadHeader of the server waits for release
	release, waiting := make(chan struct{}), make(chan struct{}, 1)
	wrap := func(sess erpc.PreSession, n *atomic.Int64) {
		sess.ModifySocket(func(c net.Conn) (net.Conn, erpc.ProtoFunc) { return counted{c, n}, nil })
	}
	pre := func(ctx erpc.ReadCtx) *erpc.Status {
		if p, ok := ctx.Input().Body().(*parts); ok {
			p.B = 2
		}
		return nil
	}
	post := func(ctx erpc.ReadCtx) *erpc.Status {
		if p, ok := ctx.Input().Body().(*parts); ok {
			p.C = 3
		}
		return nil
	}
	stamp := func(ctx erpc.WriteCtx) *erpc.Status { ctx.Output().Meta().Set(mark, "hook"); return nil }
	alias := func(ctx erpc.ReadCtx) *erpc.Status {
		ctx.ResetServiceMethod(strings.TrimPrefix(ctx.ServiceMethod(), "/alias"))
		return nil
	}
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, &erpc.PluginImpl{
		PluginName: "server",
		OnPreNewPeer: func(cfg *erpc.PeerConfig, c *erpc.PluginContainer) error {
			cfg.MaxSessionHandlers = 77
			c.AppendRight(&erpc.PluginImpl{PluginName: "added"})
			return nil
		},
		OnPostNewPeer: func(p erpc.EarlyPeer) error {
			erpc.HandleCall(p, "/late", func(context.Context, *int) (*int, error) { return nil, nil })
			return nil
		},
		OnPostReg: func(h *erpc.Handler) error {
			if h.Name() == "/one" {
				h.SetLimit(1)
			}
			return nil
		},
		OnPostAccept: func(sess erpc.PreSession) *erpc.Status {
			sess.SetID("named by the server")
			wrap(sess, &fromServer)
			return sess.RawPush("/hello", "x")
		},
		OnPreReadHeader: func(erpc.PreCtx) error {
			if held.Load() {
				waiting <- struct{}{}
				<-release
			}
			return nil
		},
		OnPostReadCallHeader: alias, OnPostReadPushHeader: alias,
		OnPreReadCallBody: pre, OnPostReadCallBody: post, OnPreReadPushBody: pre, OnPostReadPushBody: post,
		OnPreWriteReply: stamp,
	})
	callArg, pushArg, metas := make(chan parts, 10), make(chan parts, 10), make(chan string, 20)
	erpc.HandleCall(srv, "/call", func(ctx context.Context, p *parts) (*map[string]int, error) {
		metas <- string(erpc.CallCtxFrom(ctx).PeekMeta(mark))
		callArg <- *p
		return &map[string]int{"A": 1}, nil
	})
	erpc.HandlePush(srv, "/push", func(ctx context.Context, p *parts) error {
		metas <- string(erpc.PushCtxFrom(ctx).PeekMeta(mark))
		pushArg <- *p
		return nil
	})
	begun, let := make(chan struct{}, 2), make(chan struct{})
	erpc.HandleCall(srv, "/one", func(context.Context, *int) (*int, error) {
		begun <- struct{}{}
		<-let
		return nil, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = srv.Close() // closed again: newQuietPeer checks the error of the first Close
		kit.Await(t, "Serve to return", served)
	})

	hello := make(chan string, 1)
	cli := kit.Peer(t, erpc.PeerConfig{}, &erpc.PluginImpl{
		PluginName: "client",
		OnPostDial: func(sess erpc.PreSession, _ bool) *erpc.Status {
			sess.SetID("named by the client")
			wrap(sess, &fromClient)
			m := sess.PreReceive(func(erpc.Header) any { return new(string) })
			hello <- m.ServiceMethod()
			return m.Status()
		},
		OnPreWriteCall: stamp, OnPreWritePush: stamp,
		OnPreReadReplyBody: pre, OnPostReadReplyBody: post,
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	talked := kit.Await(t, "the message of the connect hook", hello) == "/hello"

	arg := map[string]int{"A": 1}
	result := new(parts)
	cmd := sess.Call("/alias/call", arg, result)
	aliasCall := cmd.StatusOK()
	callMeta := kit.Await(t, "the call", metas)
	callBody := kit.Await(t, "the call", callArg)
	if st := sess.Push("/alias/push", arg); !st.OK() {
		t.Fatal(st)
	}
	pushMeta := kit.Await(t, "the push", metas)
	pushBody := kit.Await(t, "the push", pushArg)

	first := sess.AsyncCall("/one", 1, nil, nil)
	kit.Await(t, "a handler", begun)
	second := sess.Call("/one", 1, nil).Status()
	close(let)
	kit.Await(t, "the end of the first", first.Done())

	// When the server next reads, it waits in the hook.
	held.Store(true)
	slow := sess.AsyncCall("/late", 1, nil, nil) // may be read or held back, because its hook may have run already
	kit.Await(t, "PreReadHeader", waiting)
	again := sess.AsyncCall("/late", 1, nil, nil)
	waits := true
	select {
	case <-again.Done():
		waits = false
	case <-time.After(50 * time.Millisecond): // enough for a call that is not held back
	}
	held.Store(false)
	close(release)
	kit.Await(t, "the calls held back", slow.Done())
	kit.Await(t, "the calls held back", again.Done())

	_, named := srv.GetSession("named by the server")
	_, namedHere := cli.GetSession("named by the client")
	added := srv.PluginContainer().GetByName("added") != nil
	sends, receives := streamHookEffects(t)
	const session = "the session, its connection and protocol; may exchange messages"
	return map[string]effect{
		"PreNewPeer":         {"its configuration, its plugins", srv.Config().MaxSessionHandlers == 77 && added},
		"PostNewPeer":        {"its routes", slow.StatusOK()},
		"PostReg":            {"its order and limit", second.Code() == erpc.CodeExhausted},
		"PostDial":           {session, namedHere && fromClient.Load() > 0 && talked},
		"PostAccept":         {session, named && fromServer.Load() > 0 && talked},
		"PreWriteCall":       {"the message", callMeta == "hook"},
		"PreWriteReply":      {"the message", string(cmd.InputMeta().Peek(mark)) == "hook"},
		"PreWritePush":       {"the message", pushMeta == "hook"},
		"PreReadHeader":      {"how fast it is read", waits && again.StatusOK()},
		"PostReadCallHeader": {"the service method, and so the handler", aliasCall},
		"PostReadPushHeader": {"the service method, and so the handler", pushBody.A == 1},
		"PreReadCallBody":    {"the body that is decoded into", callBody.A == 1 && callBody.B == 2},
		"PostReadCallBody":   {"the argument", callBody.C == 3},
		"PreReadPushBody":    {"the body that is decoded into", pushBody.B == 2},
		"PostReadPushBody":   {"the argument", pushBody.C == 3},
		"PreReadReplyBody":   {"the body that is decoded into", result.B == 2},
		"PostReadReplyBody":  {"the result", *result == parts{1, 2, 3}},
		"PreSendMessage":     {"its body and metadata", sends},
		"PreRecvMessage":     {"its bytes", receives},
	}
}

// Every package of plugins has a section.
func TestDocOfPluginsIsComplete(t *testing.T) {
	doc, err := os.ReadFile("docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := os.ReadDir("plugin")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.Name() == "internal" {
			continue
		}
		if head := "\n### [plugin/" + d.Name() + "](../plugin/" + d.Name() + ")\n"; d.IsDir() && !strings.Contains(string(doc), head) {
			t.Errorf("docs/plugins.md has no section %q", head)
		}
	}
}
