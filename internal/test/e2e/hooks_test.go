package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A hookLog gets the hooks that ran on one side, each as "plugin.Hook".
type hookLog chan string

// plugin returns a plugin that records its hooks.
func (l hookLog) plugin(name string) *erpc.PluginImpl {
	return kit.EveryHook(name, func(hook string) *erpc.Status {
		l <- name + "." + hook
		return nil
	})
}

// onRoute is plugin with only the hooks that a route can have.
func (l hookLog) onRoute(name string) *erpc.PluginImpl {
	p := l.plugin(name)
	return &erpc.PluginImpl{
		PluginName: name, OnPostReg: p.OnPostReg,
		OnPostReadCallHeader: p.OnPostReadCallHeader, OnPreReadCallBody: p.OnPreReadCallBody, OnPostReadCallBody: p.OnPostReadCallBody,
		OnPostReadPushHeader: p.OnPostReadPushHeader, OnPreReadPushBody: p.OnPreReadPushBody, OnPostReadPushBody: p.OnPostReadPushBody,
		OnPreWriteReply: p.OnPreWriteReply, OnPostWriteReply: p.OnPostWriteReply,
	}
}

// expect checks that exactly the hooks want run next. Hooks of reading and of
// writing may run at the same time, so they are compared separately.
func (l hookLog) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, kit.Await(t, what+": "+strings.Join(want, " "), l))
	}
	for half, of := range map[string]func(string) bool{"write": isWrite, "other": func(s string) bool { return !isWrite(s) }} {
		g, w := filter(got, of), filter(want, of)
		if !slices.Equal(g, w) {
			t.Errorf("%s: %s hooks ran as\n%v, want\n%v", what, half, g, w)
		}
	}
}

// expectNoMore fails the test if an unexpected hook has run. A hook that runs too
// often does so right after the others, so a short wait is enough.
func (l hookLog) expectNoMore(t *testing.T) {
	t.Helper()
	select {
	case h := <-l:
		t.Errorf("%s ran too", h)
	case <-time.After(20 * time.Millisecond):
	}
}

func isWrite(event string) bool { return strings.Contains(event, "Write") }

func filter(list []string, keep func(string) bool) (out []string) {
	for _, s := range list {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out
}

// in returns the events of each of the plugins for each of the hooks.
func in(plugins string, hooks ...string) (events []string) {
	for _, h := range hooks {
		for p := range strings.FieldsSeq(plugins) {
			events = append(events, p+"."+h)
		}
	}
	return events
}

// Every hook of every plugin runs once at its place, from the left of the peer's
// plugins to the right, with those of groups and routes in the middle.
func TestHooksRunInOrderExactlyOnce(t *testing.T) {
	atServer, atClient := make(hookLog, 1000), make(hookLog, 1000)
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, atServer.plugin("a"), atServer.plugin("b"))
	cli := kit.Peer(t, erpc.PeerConfig{}, atClient.plugin("x"), atClient.plugin("y"))
	atServer.expect(t, "a server", in("a b", "PreNewPeer", "PostNewPeer", "PostListen")...)
	atClient.expect(t, "a client", in("x y", "PreNewPeer", "PostNewPeer")...)

	srv.PluginContainer().AppendRight(atServer.plugin("z"))
	srv.PluginContainer().AppendLeft(atServer.plugin("first"))
	group := srv.SubRoute("group", atServer.onRoute("g"))
	group.RouteCall(new(PlainAdder), atServer.onRoute("r"))
	atServer.expect(t, "a route", in("first a b g r z", "PostReg")...)
	group.RoutePushFunc(drop, atServer.onRoute("p"))
	atServer.expect(t, "a route", in("first a b g p z", "PostReg")...)
	srv.RouteCallFunc(failing)
	cli.RoutePushFunc(drop)
	atServer.expect(t, "a route", in("first a b z", "PostReg")...)
	atClient.expect(t, "a route", in("x y", "PostReg")...)

	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	atClient.expect(t, "dial", in("x y", "PreDial", "PostDial", "PostOpen")...)
	atServer.expect(t, "accept", in("first a b z", "PostAccept", "PostOpen")...)

	called := in("x y", "PreWriteCall", "PostWriteCall")
	answered := in("x y", "PreReadHeader", "PostReadReplyHeader", "PreReadReplyBody", "PostReadReplyBody")
	refused := in("x y", "PreReadHeader", "PostReadReplyHeader", "PreReadReplyBody")
	read := in("first a b z", "PreReadHeader", "PostReadCallHeader")
	for _, c := range []struct {
		what           string
		do             func() *erpc.Status
		code           int32
		client, server []string
	}{
		{"a call", func() *erpc.Status { return sess.Call("/group/plain_adder/add", []int{1}, new(int)).Status() }, erpc.CodeOK,
			slices.Concat(called, answered),
			slices.Concat(read, in("g r", "PostReadCallHeader"), in("first a b g r z", "PreReadCallBody", "PostReadCallBody", "PreWriteReply", "PostWriteReply"))},
		{"an asynchronous call", func() *erpc.Status { return sess.AsyncCall("/group/plain_adder/add", []int{1}, new(int), nil).Status() }, erpc.CodeOK,
			slices.Concat(called, answered),
			slices.Concat(read, in("g r", "PostReadCallHeader"), in("first a b g r z", "PreReadCallBody", "PostReadCallBody", "PreWriteReply", "PostWriteReply"))},
		{"a call without result", func() *erpc.Status { return sess.Call("/group/plain_adder/add", []int{1}, nil).Status() }, erpc.CodeOK,
			slices.Concat(called, answered),
			slices.Concat(read, in("g r", "PostReadCallHeader"), in("first a b g r z", "PreReadCallBody", "PostReadCallBody", "PreWriteReply", "PostWriteReply"))},
		{"a push", func() *erpc.Status { return sess.Push("/group/drop", 1) }, erpc.CodeOK,
			in("x y", "PreWritePush", "PostWritePush"),
			in("first a b z", "PreReadHeader", "PostReadPushHeader"),
		},
		{"a call that fails", func() *erpc.Status { return sess.Call("/failing", 1, nil).Status() }, 1001,
			slices.Concat(called, refused),
			slices.Concat(read, in("first a b z", "PreReadCallBody", "PostReadCallBody", "PreWriteReply", "PostWriteReply"))},
		{"a call to nowhere", func() *erpc.Status { return sess.Call("/nowhere", 1, nil).Status() }, erpc.CodeNotFound,
			slices.Concat(called, refused),
			slices.Concat(read, in("first a b z", "PreWriteReply", "PostWriteReply"))},
		{"a call with another body", func() *erpc.Status { return sess.Call("/group/plain_adder/add", "text", nil).Status() }, erpc.CodeBadMessage,
			slices.Concat(called, refused),
			slices.Concat(read, in("g r", "PostReadCallHeader"), in("first a b g r z", "PreReadCallBody", "PreWriteReply", "PostWriteReply"))},
		{"a push to nowhere", func() *erpc.Status { return sess.Push("/nowhere", 1) }, erpc.CodeOK,
			in("x y", "PreWritePush", "PostWritePush"), in("first a b z", "PreReadHeader", "PostReadPushHeader")},
		{"a call that can't be encoded", func() *erpc.Status { return sess.Call("/failing", func() {}, nil).Status() }, erpc.CodeWriteFailed,
			in("x y", "PreWriteCall"), nil},
		{"a push that can't be encoded", func() *erpc.Status { return sess.Push("/failing", func() {}) }, erpc.CodeWriteFailed,
			in("x y", "PreWritePush"), nil},
	} {
		if st := c.do(); st.Code() != c.code {
			t.Errorf("%s: %v, want code %d", c.what, st, c.code)
		}
		if c.what == "a push" {
			c.server = slices.Concat(c.server, in("g p", "PostReadPushHeader"), in("first a b g p z", "PreReadPushBody", "PostReadPushBody"))
		}
		atClient.expect(t, c.what+", at the client", c.client...)
		atServer.expect(t, c.what+", at the server", c.server...)
		atClient.expectNoMore(t)
		atServer.expectNoMore(t)
	}

	srv.RangeSession(func(back erpc.Session) bool {
		if st := back.Push("/drop", 1); !st.OK() {
			t.Error(st)
		}
		return true
	})
	atServer.expect(t, "a push back", in("first a b z", "PreWritePush", "PostWritePush")...)
	atClient.expect(t, "a push back", in("x y", "PreReadHeader", "PostReadPushHeader", "PreReadPushBody", "PostReadPushBody")...)

	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	atClient.expect(t, "close", in("x y", "PostDisconnect")...)
	atServer.expect(t, "close", in("first a b z", "PostDisconnect")...)
	for _, close := range []func() error{sess.Close, cli.Close, srv.Close} {
		if err := close(); err != nil {
			t.Error(err)
		}
	}
	atClient.expectNoMore(t)
	atServer.expectNoMore(t)
}

func drop(erpc.PushCtx, *int) *erpc.Status { return nil }

func failing(erpc.CallCtx, *int) (int, *erpc.Status) { return 0, erpc.NewStatus(1001, "as asked") }

// A redial runs the hooks of dialing again, but not those of disconnecting,
// because the session goes on.
func TestHooksOfARedial(t *testing.T) {
	accepted := make(chan erpc.PreSession, 2)
	_, addr := kit.Serve(t, erpc.PeerConfig{}, &erpc.PluginImpl{PluginName: "accepted", OnPostAccept: func(s erpc.PreSession) *erpc.Status {
		accepted <- s
		return nil
	}})
	log := make(hookLog, 100)
	again := make(chan bool, 2)
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{RedialTimes: -1}, log.plugin("x"), &erpc.PluginImpl{
		PluginName: "y", OnPostDial: func(_ erpc.PreSession, isRedial bool) *erpc.Status {
			again <- isRedial
			return nil
		}})
	id := sess.ID()
	log.expect(t, "dial", "x.PreNewPeer", "x.PostNewPeer", "x.PreDial", "x.PostDial", "x.PostOpen")
	for i := range 3 {
		if got := kit.Await(t, "the dial hook", again); got != (i > 0) {
			t.Errorf("connection %d: isRedial is %v", i, got)
		}
		if i == 2 {
			break
		}
		if err := kit.Await(t, "a connection", accepted).Close(); err != nil {
			t.Error(err)
		}
		log.expect(t, "redial", "x.PreDial", "x.PostDial", "x.PostOpen")
	}
	if sess.ID() != id {
		t.Errorf("the session %s is called %s after a redial", id, sess.ID())
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	log.expect(t, "close", "x.PostDisconnect")
	log.expectNoMore(t)
}

// Plugins can be added and removed while a peer works.
func TestPluginsComeAndGo(t *testing.T) {
	log := make(hookLog, 1000)
	calls := func(event string) bool { return strings.HasSuffix(event, ".PostReadCallBody") }
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, log.plugin("a"))
	path := srv.RouteCallFunc(FreeAdd, log.onRoute("route"))
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	ran := func() (order string) {
		for len(log) > 0 {
			<-log
		}
		if st := sess.Call(path, []int{1}, nil).Status(); !st.OK() {
			t.Error(st)
		}
		var events []string
		for len(log) > 0 {
			events = append(events, <-log)
		}
		return strings.ReplaceAll(strings.Join(filter(events, calls), " "), ".PostReadCallBody", "")
	}
	c := srv.PluginContainer()
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "a route"},
		{func() { c.AppendRight(log.plugin("r1"), log.plugin("r2")) }, "a route r1 r2"},
		{func() { c.AppendLeft(log.plugin("l1"), log.plugin("l2")) }, "l1 l2 a route r1 r2"},
		{func() { c.AppendLeft(log.plugin("l0")) }, "l0 l1 l2 a route r1 r2"},
		{func() { _ = c.Remove("l1") }, "l0 l2 a route r1 r2"},
		{func() { _ = c.Remove("r2") }, "l0 l2 a route r1"},
		{func() { _ = c.Remove("a") }, "l0 l2 route r1"},
	} {
		step.do()
		if got := ran(); got != step.want {
			t.Errorf("plugins %q ran, want %q", got, step.want)
		}
	}
	if err := c.Remove("a"); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("removed twice: %v", err)
	}
	if err := c.Remove("route"); err == nil {
		t.Error("the plugin of a route was removed from the peer")
	}
	if p := c.GetByName("l2"); p == nil || p.Name() != "l2" || c.GetByName("a") != nil || len(c.GetAll()) != 3 {
		t.Errorf("%d plugins are there", len(c.GetAll()))
	}
}
