package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/md5"
)

const (
	gzipID = 201
	md5ID  = 202
)

// filters registers the transfer filters of the tests.
var filters = sync.OnceFunc(func() {
	gzip.Reg(gzipID, "gzip-tests", 5)
	md5.Reg(md5ID, "md5-tests")
})

// What a handler of calls gets and returns.
func TestCallContext(t *testing.T) {
	filters()
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	type key struct{}
	path := srv.RouteCallFunc(func(ctx erpc.CallCtx, arg *string) (string, *erpc.Status) {
		var facts []string
		ctx.VisitMeta(func(k, v []byte) { facts = append(facts, string(k)+"="+string(v)) })
		if got, want := fmt.Sprint(facts), "[a=1 a=2 X-Real-IP=192.0.2.7:9]"; got != want {
			t.Errorf("metadata %s, want %s", got, want)
		}
		copied := ctx.CopyMeta()
		copied.Set("a", "changed")
		if string(ctx.PeekMeta("a")) != "1" || ctx.PeekMeta("b") != nil {
			t.Errorf("metadata a=%s b=%s", ctx.PeekMeta("a"), ctx.PeekMeta("b"))
		}
		if ctx.Seq() <= 0 || ctx.Seq() != ctx.Input().Seq() || ctx.ServiceMethod() != ctx.Input().ServiceMethod() {
			t.Errorf("seq %d of %s", ctx.Seq(), ctx.ServiceMethod())
		}
		if ctx.RealIP() != "192.0.2.7" || ctx.IP()+":"+portOf(ctx.Session()) != ctx.Session().RemoteAddr().String() {
			t.Errorf("addresses %s and %s", ctx.RealIP(), ctx.IP())
		}
		if ctx.Peer() != ctx.Session().Peer() || ctx.Peer().(erpc.Peer) != srv {
			t.Errorf("peer %v", ctx.Peer())
		}
		if ctx.GetBodyCodec() != codec.ID_JSON || ctx.ReplyBodyCodec() != codec.ID_JSON || ctx.Context().Err() != nil {
			t.Errorf("codecs %c and %c, context %v", ctx.GetBodyCodec(), ctx.ReplyBodyCodec(), ctx.Context().Err())
		}
		if in := ctx.Input(); in.Mtype() != erpc.TypeCall || in.Size() == 0 || in.Body() != any(arg) || !slices.Equal(in.XferPipe().IDs(), []byte{md5ID}) {
			t.Errorf("input %v", in)
		}
		ctx.Swap().Store(key{}, "of this call")
		ctx.AddMeta("r", "1")
		ctx.AddMeta("r", "2")
		ctx.SetMeta("s", "x")
		ctx.SetMeta("s", "y")
		ctx.AddXferPipe(gzipID)
		if out := ctx.Output(); string(out.Meta().QueryString()) != "r=1&r=2&s=y" || out.Mtype() != erpc.TypeReply {
			t.Errorf("output %v", out)
		}
		return *arg + *arg, nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	arg, result := "twice ", ""
	cmd := sess.Call(path, arg, &result, erpc.WithAddMeta("a", "1"), erpc.WithAddMeta("a", "2"), erpc.WithRealIP("192.0.2.7:9"), erpc.WithXferPipe(md5ID))
	if st := cmd.Status(); !st.OK() || result != "twice twice " {
		t.Fatalf("%q %v", result, st)
	}
	if got := string(cmd.InputMeta().QueryString()); got != "r=1&r=2&s=y" {
		t.Errorf("metadata of the reply: %s", got)
	}
	if reply, st := cmd.Reply(); reply != any(&result) || !st.OK() || !cmd.StatusOK() || cmd.InputBodyCodec() != codec.ID_JSON {
		t.Errorf("%v %v in %c", reply, st, cmd.InputBodyCodec())
	}
	if out := cmd.Output(); out.ServiceMethod() != path || out.Body() != any(arg) || out.Seq() == 0 || out.Mtype() != erpc.TypeCall || string(out.Meta().Peek("a")) != "1" {
		t.Errorf("output of the call: %v", out)
	}
	select {
	case <-cmd.Done():
	default:
		t.Error("a call that has returned is not done")
	}
	if cmd.CostTime() != 0 {
		t.Errorf("the time was measured without CountTime: %v", cmd.CostTime())
	}
	srv.RangeSession(func(s erpc.Session) bool {
		if s.Swap().Len() != 0 {
			t.Error("a value stored by a call is in its session")
		}
		return true
	})
}

// The codec of a reply is the one the handler sets, else the one the caller
// accepts, else that of the call.
func TestCodecOfReply(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	path := srv.RouteCallFunc(func(ctx erpc.CallCtx, arg *string) (string, *erpc.Status) {
		if id := ctx.PeekMeta("codec"); id != nil {
			ctx.SetBodyCodec(id[0])
		}
		return *arg, nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{DefaultBodyCodec: "xml"})
	for name, c := range map[string]struct {
		settings []erpc.MessageSetting
		want     byte
	}{
		"default of the caller": {nil, codec.ID_XML},
		"of the call":           {settings(erpc.WithBodyCodec(codec.ID_JSON)), codec.ID_JSON},
		"accepted":              {settings(erpc.WithBodyCodec(codec.ID_JSON), erpc.WithAcceptBodyCodec(codec.ID_PLAIN)), codec.ID_PLAIN},
		"accepted by nobody":    {settings(erpc.WithBodyCodec(codec.ID_JSON), erpc.WithAcceptBodyCodec('?')), codec.ID_JSON},
		"of the handler":        {settings(erpc.WithAddMeta("codec", "s")), codec.ID_PLAIN},
		"handler before caller": {settings(erpc.WithAddMeta("codec", "j"), erpc.WithAcceptBodyCodec(codec.ID_PLAIN)), codec.ID_JSON},
	} {
		var got string
		cmd := sess.Call(path, "text", &got, c.settings...)
		if st := cmd.Status(); !st.OK() || got != "text" || cmd.InputBodyCodec() != c.want {
			t.Errorf("%s: %q in %c, %v, want %c", name, got, cmd.InputBodyCodec(), st, c.want)
		}
	}
}

// The store of a context begins as a copy of the session's, and hooks and
// handler of one message share it.
func TestSwapOfContext(t *testing.T) {
	hook := func(ctx erpc.ReadCtx) *erpc.Status {
		ctx.Swap().Store("hook", "was here")
		return nil
	}
	var leaked atomic.Bool
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, &erpc.PluginImpl{
		PluginName: "swap", OnPostReadCallHeader: hook,
		OnPreWriteReply: func(ctx erpc.WriteCtx) *erpc.Status {
			n, _ := ctx.Swap().Load("n")
			ctx.Output().Meta().Set("n", fmt.Sprint(n))
			return nil
		},
		OnPostAccept: func(s erpc.PreSession) *erpc.Status {
			s.Swap().Store("session", "known")
			return nil
		},
	})
	path := srv.RouteCallFunc(func(ctx erpc.CallCtx, n *int) (string, *erpc.Status) {
		swap := ctx.Swap()
		if _, dirty := swap.LoadOrStore("n", *n); dirty {
			leaked.Store(true)
		}
		known, _ := swap.Load("session")
		hooked, _ := swap.Load("hook")
		swap.Delete("session")
		return fmt.Sprintf("%v %v %d", known, hooked, swap.Len()), nil
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for i := range 20 {
		var got string
		cmd := sess.Call(path, i, &got)
		if st := cmd.Status(); !st.OK() || got != "known was here 2" || string(cmd.InputMeta().Peek("n")) != strconv.Itoa(i) {
			t.Errorf("%q %v, n=%s", got, st, cmd.InputMeta().Peek("n"))
		}
	}
	if leaked.Load() {
		t.Error("a call saw what another stored")
	}
}

// portOf returns the port of a session's remote address.
func portOf(s erpc.Session) string {
	_, port, _ := net.SplitHostPort(s.RemoteAddr().String())
	return port
}

// A handler of pushes gets what a handler of calls gets.
func TestPushContext(t *testing.T) {
	got := make(chan string, 1)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	path := srv.RoutePushFunc(func(ctx erpc.PushCtx, arg *string) *erpc.Status {
		meta := ctx.CopyMeta()
		got <- fmt.Sprintf("%s %s %v %c %s %v %v", ctx.ServiceMethod(), *arg, meta, ctx.GetBodyCodec(), ctx.RealIP(), ctx.RealIP() == ctx.IP(), ctx.Context().Err())
		return erpc.NewStatus(1, "nobody hears of it")
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	local, _, err := net.SplitHostPort(sess.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if st := sess.Push(path, "p", erpc.WithAddMeta("k", "v"), erpc.WithBodyCodec(codec.ID_PLAIN)); !st.OK() {
		t.Fatal(st)
	}
	if g, want := kit.Await(t, "the push", got), path+" p k=v s "+local+" true <nil>"; g != want {
		t.Errorf("got %s, want %s", g, want)
	}
}

// The contexts of hooks give access to their message.
func TestHookContexts(t *testing.T) {
	filters()
	check := func(ok bool, what string, ctx erpc.PreCtx) {
		t.Helper()
		if !ok {
			t.Errorf("%s of session %s", what, ctx.Session().ID())
		}
	}
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, &erpc.PluginImpl{
		PluginName: "s",
		OnPreReadHeader: func(ctx erpc.PreCtx) error {
			check(ctx.IP() == ctx.RealIP() && ctx.Context().Err() == nil, "PreReadHeader", ctx)
			return nil
		},
		OnPostReadCallHeader: func(ctx erpc.ReadCtx) *erpc.Status {
			check(ctx.ServiceMethod() == "/free_add" && ctx.Input().Body() == nil && ctx.Status() == nil && ctx.StatusOK(), "PostReadCallHeader", ctx)
			return nil
		},
		OnPreReadCallBody: func(ctx erpc.ReadCtx) *erpc.Status {
			arg, ok := ctx.Input().Body().(*[]int)
			check(ok && *arg == nil, "PreReadCallBody", ctx)
			return nil
		},
		OnPostReadCallBody: func(ctx erpc.ReadCtx) *erpc.Status {
			arg := ctx.Input().Body().(*[]int)
			check(slices.Equal(*arg, []int{1, 2}), "PostReadCallBody", ctx)
			*arg = append(*arg, 3) // a hook may change it
			return nil
		},
		OnPreWriteReply: func(ctx erpc.WriteCtx) *erpc.Status {
			out := ctx.Output()
			check(out.Body() == any(6) && out.ServiceMethod() == "/free_add" && out.Mtype() == erpc.TypeReply && ctx.StatusOK(), "PreWriteReply", ctx)
			out.SetBody(7)
			out.Meta().Set("seen", "yes")
			return nil
		},
		OnPostWriteReply: func(ctx erpc.WriteCtx) *erpc.Status {
			check(ctx.Output().Size() > 0, "PostWriteReply", ctx)
			return nil
		},
	})
	srv.RouteCallFunc(FreeAdd)
	result := 0
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{}, &erpc.PluginImpl{
		PluginName: "c",
		OnPreWriteCall: func(ctx erpc.WriteCtx) *erpc.Status {
			out := ctx.Output()
			check(out.Mtype() == erpc.TypeCall && out.ServiceMethod() == "/free_add" && slices.Equal(out.Body().([]int), []int{1}), "PreWriteCall", ctx)
			out.SetBody([]int{1, 2})
			if err := out.XferPipe().Append(gzipID); err != nil {
				t.Error(err)
			}
			ctx.Swap().Store("call", "mine")
			return nil
		},
		OnPostReadReplyHeader: func(ctx erpc.ReadCtx) *erpc.Status {
			mine, _ := ctx.Swap().Load("call")
			check(mine == "mine" && ctx.ServiceMethod() == "/free_add" && string(ctx.PeekMeta("seen")) == "yes", "PostReadReplyHeader", ctx)
			check(ctx.Context().Value(ctxKey{}) == "of the call", "the context in PostReadReplyHeader", ctx)
			return nil
		},
		OnPostReadReplyBody: func(ctx erpc.ReadCtx) *erpc.Status {
			check(ctx.Input().Body() == any(&result) && result == 7, "PostReadReplyBody", ctx)
			return nil
		},
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "of the call"))
	defer cancel()
	if st := sess.Call("/free_add", []int{1}, &result, erpc.WithContext(ctx)).Status(); !st.OK() || result != 7 {
		t.Errorf("%d %v", result, st)
	}
}

type ctxKey struct{}

// The time that the caller has left, and its cancellation, reach the handler.
func TestCallersTimeReachesTheHandler(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		srv, addr := kit.Serve(t, on(erpc.PeerConfig{}))
		deadlines, ends := make(chan time.Duration, 1), make(chan error, 1)
		release := make(chan struct{}) // so that the reply does not arrive before the caller's time is over
		defer close(release)
		path := srv.RouteCallFunc(func(ctx erpc.CallCtx, wait *bool) (bool, *erpc.Status) {
			left := time.Duration(0)
			if at, ok := ctx.Context().Deadline(); ok {
				left = time.Until(at)
			}
			deadlines <- left
			if *wait {
				<-ctx.Context().Done()
				ends <- ctx.Context().Err()
				<-release
			}
			return true, nil
		})
		_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{}))

		long, cancelLong := context.WithTimeout(t.Context(), time.Hour)
		defer cancelLong()
		for name, c := range map[string]struct {
			ctx         context.Context
			least, most time.Duration
		}{
			"no end":   {t.Context(), 0, 0},
			"an hour":  {long, time.Hour - kit.Bound, time.Hour + time.Millisecond},
			"nothing":  {context.Background(), 0, 0},
			"no value": {nil, 0, 0},
		} {
			var setting erpc.MessageSetting
			if c.ctx != nil {
				setting = erpc.WithContext(c.ctx)
			}
			if st := sess.Call(path, false, new(bool), setting).Status(); !st.OK() {
				t.Errorf("%s: %v", name, st)
			}
			if left := kit.Await(t, name, deadlines); left < c.least || left > c.most {
				t.Errorf("%s: the handler has %v, want %v to %v", name, left, c.least, c.most)
			}
		}

		short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancelShort()
		if st := sess.Call(path, true, nil, erpc.WithContext(short)).Status(); st.Code() != erpc.CodeHandleTimeout {
			t.Errorf("a call whose time is up: %v", st)
		}
		if left := kit.Await(t, "a deadline", deadlines); left <= 0 || left > 50*time.Millisecond {
			t.Errorf("the handler has %v", left)
		}
		if err := kit.Await(t, "the end of the handler", ends); err != context.DeadlineExceeded && err != context.Canceled {
			t.Errorf("the context of the handler ended with %v", err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		cmd := sess.AsyncCall(path, true, nil, nil, erpc.WithContext(ctx))
		kit.Await(t, "the handler", deadlines)
		cancel()
		kit.Await(t, "the call", cmd.Done())
		if st := cmd.Status(); st.Code() != erpc.CodeCanceled {
			t.Errorf("a cancelled call: %v", st)
		}
		if err := kit.Await(t, "the end of the handler", ends); err != context.Canceled {
			t.Errorf("the context of the handler ended with %v", err)
		}

		cmd = sess.AsyncCall(path, true, nil, nil)
		kit.Await(t, "the handler", deadlines)
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
		if err := kit.Await(t, "the end of the handler", ends); err != context.Canceled {
			t.Errorf("the context of the handler ended with %v when its connection did", err)
		}
		if st := cmd.Status(); st.Code() != erpc.CodeConnClosed {
			t.Errorf("a call without a connection: %v", st)
		}
	})
}

// The context age limits a handler: the caller gets the error at once.
func TestContextAge(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		srv, addr := kit.Serve(t, on(erpc.PeerConfig{DefaultContextAge: 30 * time.Millisecond}))
		ends, release := make(chan error, 1), make(chan struct{})
		defer close(release)
		path := srv.RouteCallFunc(func(ctx erpc.CallCtx, _ *int) (int, *erpc.Status) {
			<-ctx.Context().Done()
			ends <- ctx.Context().Err()
			<-release // its caller no longer waits
			return 1, nil
		})
		_, sess := kit.Dial(t, addr, on(erpc.PeerConfig{}))
		if sess.ContextAge() != 0 {
			t.Errorf("the client has the age %v", sess.ContextAge())
		}
		began := time.Now()
		if st := sess.Call(path, 1, nil).Status(); st.Code() != erpc.CodeHandleTimeout {
			t.Errorf("%v", st)
		} else if took := time.Since(began); took != 30*time.Millisecond {
			t.Errorf("after %v", took)
		}
		if err := kit.Await(t, "the handler", ends); err != context.DeadlineExceeded {
			t.Errorf("its context ended with %v", err)
		}
		srv.RangeSession(func(s erpc.Session) bool { s.SetContextAge(0); return true })
		sess.SetContextAge(20 * time.Millisecond)
		if st := sess.Call(path, 1, nil).Status(); st.Code() != erpc.CodeHandleTimeout {
			t.Errorf("the age of the caller: %v", st)
		}
		kit.Await(t, "the handler", ends)
	})
}

func TestSessionAge(t *testing.T) {
	_, addr := kit.Serve(t, erpc.PeerConfig{})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{DefaultSessionAge: time.Hour})
	if sess.SessionAge() != time.Hour || !sess.Health() {
		t.Errorf("age %v, health %v", sess.SessionAge(), sess.Health())
	}
	sess.SetSessionAge(20 * time.Millisecond)
	kit.Await(t, "the end of the session", sess.CloseNotify())
	if st := sess.Push("/x", 1); st.Code() != erpc.CodeConnClosed || sess.Health() {
		t.Errorf("a session that is over its age: %v, health %v", st, sess.Health())
	}
}

// Bodies that are bytes are passed unchanged, whatever their codec.
func TestBytesPassUntouched(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	path := srv.RouteCallFunc(func(_ erpc.CallCtx, arg *[]byte) ([]byte, *erpc.Status) { return *arg, nil })
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	for _, id := range []byte{codec.ID_JSON, codec.ID_PROTOBUF, codec.ID_XML, codec.ID_FORM, codec.ID_PLAIN, codec.ID_THRIFT} {
		for _, sent := range [][]byte{{}, {0, 255, '{'}, bytes.Repeat([]byte{7}, 100_000)} {
			got := []byte("what was there before")
			if st := sess.Call(path, sent, &got, erpc.WithBodyCodec(id)).Status(); !st.OK() {
				t.Errorf("%c: %v", id, st)
			} else if len(sent) > 0 && !bytes.Equal(got, sent) {
				t.Errorf("%c: %d bytes came back for %d", id, len(got), len(sent))
			}
		}
	}
}

// A peer serves connections that the program has accepted itself.
func TestServeConn(t *testing.T) {
	srv := kit.Peer(t, erpc.PeerConfig{})
	path := srv.RouteCall(new(PlainAdder))[0]
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	accepted := make(chan *erpc.Status, 1)
	go func() {
		conn, err := lis.Accept()
		if err != nil {
			accepted <- erpc.StatusFromError(err)
			return
		}
		_, st := srv.ServeConn(conn)
		accepted <- st
	}()
	_, sess := kit.Dial(t, lis.Addr().String(), erpc.PeerConfig{})
	if st := kit.Await(t, "the connection", accepted); !st.OK() {
		t.Fatal(st)
	}
	var n int
	if st := sess.Call(path, []int{2, 3}, &n).Status(); !st.OK() || n != 5 || srv.CountSession() != 1 {
		t.Errorf("%d %v", n, st)
	}
}
