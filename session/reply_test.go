package session

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

// inFlight registers a call on the unit, and returns it with its number.
func (u *unit) inFlight(result any) (*CallCmd, int32) {
	u.t.Helper()
	cmd := &CallCmd{sess: u.sess, result: result, wake: make(chan struct{}, 1)}
	cmd.req.method = "/m"
	seq, n, _ := cmd.enter(u.conn)
	if n == 0 {
		u.t.Fatal("the table is closed")
	}
	return cmd, seq
}

// TestReplies: what a reply makes of its call.
func TestReplies(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   any
		set    []message.Setting
		proven bool
		code   int32
		not    bool // not executed
		result int
		codec  byte // 0: 'j'
	}{
		{name: "a result", body: 7, result: 7},
		{name: "a status", body: 7, set: []message.Setting{message.WithStatus(message.NewStatus(1001, "no"))}, code: 1001},
		{name: "a body of another type", body: "seven", code: message.CodeBadMessage},
		{name: "a codec that is not there", body: 7, set: []message.Setting{message.WithBodyCodec(200)}, code: message.CodeBadMessage, codec: 200},
		{name: "a refusal", set: []message.Setting{message.WithStatus(message.NewStatus(429, "full")), message.WithSetMeta(metaRefused, "1")}, proven: true, code: 429, not: true},
		{name: "a refusal of a stranger", set: []message.Setting{message.WithStatus(message.NewStatus(429, "full")), message.WithSetMeta(metaRefused, "1")}, code: 429},
		{name: "a refusal of another call", set: []message.Setting{message.WithStatus(message.NewStatus(429, "full")), message.WithSetMeta(metaRefused, "2")}, proven: true, code: 429},
		{name: "a refusal that succeeded", body: 7, set: []message.Setting{message.WithSetMeta(metaRefused, "1")}, proven: true, result: 7},
	} {
		u := newUnit(t, callRoute{}, nil)
		if c.proven {
			u.prove()
		}
		result := 0
		cmd, seq := u.inFlight(&result)
		if out := u.accept(message.TypeReply, seq, "", c.body, append(c.set, message.WithSetMeta("k", "v"))...); !out.keep || !out.read {
			t.Errorf("%s: outcome %+v", c.name, out)
		}
		receive(t, cmd.wake)
		if cmd.st.Code() != c.code || NotExecuted(cmd.st) != c.not || result != c.result {
			t.Errorf("%s: %v, not executed %v, result %d", c.name, cmd.st, NotExecuted(cmd.st), result)
		}
		if got := cmd.InputBodyCodec(); got != cmp.Or(c.codec, 'j') {
			t.Errorf("%s: the codec is %q", c.name, got)
		}
		if cmd.InputMeta().Get("k") != "v" || c.code != 0 && cmd.InputMeta().Has(metaRefused) {
			t.Errorf("%s: the metadata is %v", c.name, cmd.InputMeta())
		}
		if u.pending.peek().Len() != 0 {
			t.Errorf("%s: the call is in the table", c.name)
		}
		if out := u.accept(message.TypeReply, seq, "", c.body); !out.keep || !out.read { // once more
			t.Errorf("%s: outcome of the second %+v", c.name, out)
		}
		if len(cmd.wake) != 0 {
			t.Errorf("%s: the call ends twice", c.name)
		}
	}
}

// TestHowOftenACallIsSent: if its session can dial another connection, again and
// again, but no more than maxSends times.
func TestHowOftenACallIsSent(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	for _, redials := range []*redials{nil, new(redials)} {
		u.sess.conns.redials = redials
		cmd := &CallCmd{sess: u.sess}
		for n := 1; n <= maxSends; n++ {
			x := getExchange(u.conn, roleOutgoing)
			if st := cmd.recompose(x); !st.OK() {
				t.Fatal(st)
			}
			putExchange(x)
			if want := redials != nil && n < maxSends; cmd.resendable != want {
				t.Errorf("it can dial: %v; sent %d times, it may be sent again: %v", redials != nil, n, cmd.resendable)
			}
		}
	}
	u.sess.conns.redials = nil
}

// TestLargeRepliesAreDecodedByTheCaller: the goroutine that reads decodes small
// replies, and all replies of an AsyncCall, for which no goroutine need wait.
func TestLargeRepliesAreDecodedByTheCaller(t *testing.T) {
	for _, size := range []int{largeReply - 3, largeReply - 2, largeReply * 2} { // JSON adds quotes
		u := newUnit(t, callRoute{}, nil)
		result := ""
		cmd, seq := u.inFlight(&result)
		body := strings.Repeat("x", size)
		out := u.accept(message.TypeReply, seq, "", body)
		receive(t, cmd.wake)
		large := size+2 >= largeReply
		if out.keep == large || !out.read || (cmd.late != nil) != large || (result == body) == large {
			t.Errorf("%d bytes: outcome %+v, late %v, decoded %v", size, out, cmd.late != nil, result == body)
		}
		if in := cmd.late; in != nil {
			if st := cmd.decodeReply(in); !st.OK() || result != body {
				t.Errorf("%d bytes: decoded by the caller: %v", size, st)
			}
			putExchange(in)
		}
		async := newAsyncCall(u.sess, &result, nil)
		seq, _, _ = async.enter(u.conn)
		result = ""
		u.accept(message.TypeReply, seq, "", body)
		receive(t, async.Done())
		if result != body {
			t.Errorf("%d bytes of an AsyncCall are not decoded", size)
		}
	}
}

// A replyTracer has the hooks of replies.
type replyTracer struct {
	at   string
	do   func() *message.Status
	seen []string
	swap any
}

func (*replyTracer) Name() string { return "reply tracer" }

func (p *replyTracer) hook(ctx ReadCtx, phase string) *message.Status {
	p.seen = append(p.seen, phase+" "+ctx.ServiceMethod())
	if v, ok := ctx.Swap().Load("k"); ok {
		p.swap = v
	}
	if phase == p.at {
		return p.do()
	}
	return nil
}

func (p *replyTracer) PostReadReplyHeader(c ReadCtx) *message.Status { return p.hook(c, "header") }
func (p *replyTracer) PreReadReplyBody(c ReadCtx) *message.Status    { return p.hook(c, "pre") }
func (p *replyTracer) PostReadReplyBody(c ReadCtx) *message.Status   { return p.hook(c, "body") }

func TestHooksOfReplies(t *testing.T) {
	no := message.NewStatus(777, "no")
	for _, c := range []struct {
		name, at string
		do       func() *message.Status
		set      []message.Setting
		seen     []string
		code     int32
	}{
		{name: "all", seen: []string{"header /m", "pre /m", "body /m"}},
		{name: "the first fails", at: "header", do: func() *message.Status { return no }, seen: []string{"header /m"}, code: 777},
		{name: "the second fails", at: "pre", do: func() *message.Status { return no }, seen: []string{"header /m", "pre /m"}, code: 777},
		{name: "the last fails", at: "body", do: func() *message.Status { return no }, seen: []string{"header /m", "pre /m", "body /m"}, code: 777},
		{name: "one panics", at: "pre", do: func() *message.Status { panic("x") }, seen: []string{"header /m", "pre /m"}, code: message.CodeInternalServerError},
		{name: "a failed reply has no body", set: []message.Setting{message.WithStatus(message.NewStatus(1001, "no"))}, seen: []string{"header /m", "pre /m"}, code: 1001},
	} {
		p := &replyTracer{at: c.at, do: c.do}
		u := newUnit(t, callRoute{}, func(sh *Shared) { sh.Hooks.Store(NewHooks([]plugin.Plugin{p})) })
		u.unwatched() // the stack of a panic may take longer than a hook may
		result := 0
		cmd, seq := u.inFlight(&result)
		cmd.swap = new(Swap)
		cmd.swap.Store("k", "of the call")
		if out := u.accept(message.TypeReply, seq, "", 7, c.set...); !out.keep || !out.read {
			t.Errorf("%s: outcome %+v", c.name, out)
		}
		receive(t, cmd.wake)
		if cmd.st.Code() != c.code || !slices.Equal(p.seen, c.seen) || p.swap != "of the call" {
			t.Errorf("%s: %v, the hooks were %q, store %v", c.name, cmd.st, p.seen, p.swap)
		}
	}
}

// TestGoexitInAHookOfAReply: the call ends all the same.
func TestGoexitInAHookOfAReply(t *testing.T) {
	p := &replyTracer{at: "pre", do: func() *message.Status { runtime.Goexit(); return nil }}
	u := newUnit(t, callRoute{}, func(sh *Shared) { sh.Hooks.Store(NewHooks([]plugin.Plugin{p})) })
	cmd, seq := u.inFlight(new(int))
	x := u.inbound(message.TypeReply, seq, "", 7)
	go func() {
		l := readLoop{c: u.conn, x: x, done: true}
		defer func() {
			if l.turn != nil {
				l.exit()
			}
		}()
		l.accept()
	}()
	receive(t, cmd.wake)
	if cmd.st.Code() != message.CodeInternalServerError || !errors.Is(cmd.st.Cause(), errHookExited) {
		t.Errorf("it ended with %v", cmd.st)
	}
}

// TestCallBoundByItsContext: the call ends with its context, the other side is
// told, and the call is forgotten.
func TestCallBoundByItsContext(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.sess.conns.life.move(Preparing, Open)
	u.prove()
	for _, end := range []struct {
		ctx  func() (context.Context, context.CancelFunc)
		code int32
	}{
		{func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 5*time.Millisecond)
		}, message.CodeHandleTimeout},
		{func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Millisecond, cancel)
			return ctx, cancel
		}, message.CodeCanceled},
	} {
		ctx, cancel := end.ctx()
		cmd := u.sess.Call("/m", 1, nil, message.WithContext(ctx))
		cancel()
		if cmd.Status().Code() != end.code || !cmd.Sent() || u.pending.peek().Len() != 0 {
			t.Errorf("%v, sent %v, %d in the table", cmd.Status(), cmd.Sent(), u.pending.peek().Len())
		}
		all := u.sent()
		if len(all) != 2 || all[0].Mtype() != message.TypeCall || all[1].ServiceMethod() != controlCancel || all[1].Seq() != all[0].Seq() {
			t.Errorf("sent %v", all)
		}
	}
}

// TestFailedWrites: the status of each way in which a message is not sent.
func TestFailedWrites(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.sess.conns.life.move(Preparing, Open)
	for _, c := range []struct {
		name string
		body any
		set  message.Setting
		code int32
	}{
		{"a body that can't be encoded", make(chan int), nil, message.CodeWriteFailed},
		{"one that panics", panics{}, nil, message.CodeInternalServerError},
		{"a codec that is not there", 1, message.WithBodyCodec(200), message.CodeWriteFailed},
		{"a filter that is not there", 1, message.WithXferPipe(250), message.CodeWriteFailed},
		{"a name that is too long", 1, func(m *message.Message) { m.SetServiceMethod(strings.Repeat("x", 1<<16)) }, message.CodeWriteFailed},
	} {
		set := []message.Setting{}
		if c.set != nil {
			set = append(set, c.set)
		}
		cmd := u.sess.Call("/m", c.body, nil, set...)
		if cmd.Status().Code() != c.code || cmd.Sent() || u.pending.peek().Len() != 0 {
			t.Errorf("%s: %v, sent %v, %d in the table", c.name, cmd.Status(), cmd.Sent(), u.pending.peek().Len())
		}
		async := u.sess.AsyncCall("/m", c.body, nil, nil, set...)
		if async.Status().Code() != c.code || async.Sent() || u.pending.peek().Len() != 0 {
			t.Errorf("%s: %v of an AsyncCall, sent %v", c.name, async.Status(), async.Sent())
		}
		if st := u.sess.Push("/m", c.body, set...); st.Code() != c.code {
			t.Errorf("%s: %v of a push", c.name, st)
		}
	}
	u.sentNothing("everything failed")
}

// TestPackedPush: any session of the protocol sends it as it is.
func TestPackedPush(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.sess.conns.life.move(Preparing, Open)
	frame, st := u.sess.Pack("/news", []int{1, 2}, message.WithSetMeta("k", "v"))
	if !st.OK() {
		t.Fatal(st)
	}
	other := newUnit(t, callRoute{}, nil)
	other.sess.conns.life.move(Preparing, Open)
	for _, to := range []*unit{u, other} {
		if st := to.sess.Send(t.Context(), frame, true); !st.OK() {
			t.Error(st)
		}
		m := to.sentOne()
		if m.Mtype() != message.TypePush || m.ServiceMethod() != "/news" || m.Meta().Get("k") != "v" || !bytes.Equal(m.Raw(), []byte("[1,2]")) {
			t.Errorf("sent %v", m)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if st := u.sess.Send(ctx, frame, true); st.Code() != message.CodeCanceled {
		t.Errorf("with a context that has ended: %v", st)
	}
	_ = u.sess.Close()
	if st := u.sess.Send(t.Context(), frame, true); st.Code() != message.CodeConnClosed {
		t.Errorf("on a closed session: %v", st)
	}
	if _, st := other.sess.Pack("/news", make(chan int)); st.Code() != message.CodeWriteFailed {
		t.Errorf("packed what can't be: %v", st)
	}
}

// TestDetailsOfAContext: what a handler sees of its message.
func TestDetailsOfAContext(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.sess.Swap().Store("k", "of the session")
	x := u.inbound(message.TypeCall, 9, "/h", map[string]int{"a": 1}, message.WithSetMeta("one", "1"), message.WithSetMeta("two", "2"))
	x.role = roleInbound
	if x.Seq() != 9 || x.ServiceMethod() != "/h" || x.GetMeta("one") != "1" || string(x.PeekMeta("two")) != "2" || x.PeekMeta("three") != nil || x.GetBodyCodec() != 'j' {
		t.Errorf("it is %v", &x.in)
	}
	if x.IP() != "192.0.2.2" || x.RealIP() != "192.0.2.2" || x.Peer() != (fakeOwner{}) || x.Session() != Session(u.sess) {
		t.Errorf("it comes from %s, %s", x.IP(), x.RealIP())
	}
	x.in.Meta().Set(message.MetaRealIP, "198.51.100.7:99")
	if x.RealIP() != "198.51.100.7" || x.IP() != "192.0.2.2" {
		t.Errorf("behind a proxy it comes from %s, %s", x.IP(), x.RealIP())
	}
	copied := x.CopyMeta()
	copied.Set("one", "changed")
	if x.GetMeta("one") != "1" {
		t.Error("the copy is the metadata itself")
	}
	n := 0
	x.VisitMeta(func(_, _ []byte) { n++ })
	if n != 3 {
		t.Errorf("%d entries are visited", n)
	}
	x.Swap().Store("k", "of the exchange")
	if v, _ := u.sess.Swap().Load("k"); v != "of the session" {
		t.Errorf("the session's store has %v", v)
	}
	if v, _ := x.Swap().Load("k"); v != "of the exchange" {
		t.Errorf("the exchange's store has %v", v)
	}
	var got map[string]int
	raw := x.InputBodyBytes()
	if id, err := x.Bind(&got); err != nil || id != 'j' || got["a"] != 1 || !json.Valid(raw) {
		t.Errorf("bound %v, %v, codec %d", got, err, id)
	}
	if x.Context() != u.context() {
		t.Error("without a deadline its context is not that of the connection")
	}
	ctx := context.WithValue(x.Context(), ctxKey{}, 1)
	x.SetContext(ctx)
	if x.Context() != ctx {
		t.Error("the context of a hook does not count")
	}
	putExchange(x)
}

// TestCodecOfTheReply: the codec is the one that the handler sets, else one that
// the caller accepts and this side has, else that of the call.
func TestCodecOfTheReply(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	for _, c := range []struct {
		name     string
		says     byte
		accept   byte
		callsIn  byte
		want     byte
		settings []message.Setting
	}{
		{name: "that of the call", callsIn: 'p', want: 'p'},
		{name: "what it accepts", callsIn: 'p', accept: 'j', want: 'j'},
		{name: "what it accepts is not there", callsIn: 'p', accept: 250, want: 'p'},
		{name: "the handler's", says: 'x', callsIn: 'p', accept: 'j', want: 'x'},
	} {
		x := u.inbound(message.TypeCall, 1, "/h", 1)
		x.in.SetBodyCodec(c.callsIn)
		if c.accept != 0 {
			message.WithAcceptBodyCodec(c.accept)(&x.in)
		}
		if c.says != 0 {
			x.SetBodyCodec(c.says)
		}
		if got := x.ReplyBodyCodec(); got != c.want || x.out.BodyCodec() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		x.role = roleInbound
		putExchange(x)
	}
}
