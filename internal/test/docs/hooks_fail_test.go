package docs

import (
	"context"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// hookTable returns the rows of the table of hooks in docs/plugins.md: the effect
// of a failed status by the name of the hook, and the names in order.
func hookTable(t *testing.T) (fails map[string]string, names []string) {
	t.Helper()
	fails, _, _, names = hookColumns(t)
	return fails, names
}

// hookColumns is hookTable with what each hook may change and what it returns.
func hookColumns(t *testing.T) (fails, changes, returns map[string]string, names []string) {
	t.Helper()
	doc, err := os.ReadFile("docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "|---|---|---|---|---|\n")
	fails, changes, returns = make(map[string]string), make(map[string]string), make(map[string]string)
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 {
			break
		}
		name := strings.TrimSpace(cells[1])
		names = append(names, name)
		changes[name], returns[name], fails[name] = strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4]), strings.TrimSpace(cells[5])
	}
	return fails, changes, returns, names
}

// The table says what each hook returns.
func TestDocOfHooksThatReturn(t *testing.T) {
	_, _, returns, names := hookColumns(t)
	impl := reflect.TypeFor[*erpc.PluginImpl]()
	for _, name := range names {
		m, ok := impl.MethodByName(name)
		if !ok {
			t.Errorf("there is no hook %s", name)
			continue
		}
		want := "nothing"
		if m.Type.NumOut() > 0 {
			want = map[reflect.Type]string{reflect.TypeFor[error](): "an error", reflect.TypeFor[*erpc.Status](): "a status"}[m.Type.Out(0)]
		}
		if returns[name] != want {
			t.Errorf("%s returns %s; docs/plugins.md says %q", name, want, returns[name])
		}
	}
}

// The table has exactly the hooks, in the order of PluginImpl.
func TestDocOfHooksIsComplete(t *testing.T) {
	_, names := hookTable(t)
	var want []string
	impl := reflect.TypeFor[erpc.PluginImpl]()
	for i := range impl.NumField() {
		if name, ok := strings.CutPrefix(impl.Field(i).Name, "On"); ok {
			want = append(want, name)
		}
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("docs/plugins.md has\n%v, want\n%v", names, want)
	}
}

// A failing hook has the effect that the table describes.
func TestDocOfHooksThatFail(t *testing.T) {
	fails, names := hookTable(t)
	for _, hook := range names {
		t.Run(hook, func(t *testing.T) {
			if got := whatFails(t, hook); got != fails[hook] {
				t.Errorf("docs/plugins.md says %q; what happens: %q", fails[hook], got)
			}
		})
	}
}

// whatFails lets two peers call and push to each other while one hook fails, and
// returns the effect in the words of docs/plugins.md.
func whatFails(t *testing.T, hook string) string {
	if hook == "PostOpen" {
		if reflect.TypeFor[erpc.PostOpenPlugin]().Method(1).Type.NumOut() == 0 {
			return "it can't"
		}
		return "it can"
	}
	if hook == "PostHandle" {
		if reflect.TypeFor[erpc.PostHandlePlugin]().Method(1).Type.NumOut() == 0 {
			return "it can't"
		}
		return "it can"
	}
	if hook == "PostEndStream" {
		if reflect.TypeFor[erpc.PostEndStreamPlugin]().Method(1).Type.NumOut() == 0 {
			return "it can't"
		}
		return "it can"
	}
	if hook == "PreSendMessage" || hook == "PreRecvMessage" {
		return streamHookFails(t, hook)
	}
	const code = 1001
	var armed atomic.Bool
	armed.Store(strings.HasSuffix(hook, "NewPeer") || hook == "PostReg" || hook == "PostListen" ||
		hook == "PreDial" || hook == "PostDial" || hook == "PostAccept")
	failing := func() erpc.Plugin {
		return kit.EveryHook("failing", func(h string) *erpc.Status {
			if h == hook && armed.Load() {
				return erpc.NewStatus(code, "as asked")
			}
			return nil
		})
	}
	panics := func(f func()) (did bool) {
		defer func() { did = recover() != nil }()
		f()
		return false
	}

	var srv erpc.Peer
	if panics(func() { srv = kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, failing()) }) {
		return "making the peer panics"
	}
	handled := make(chan string, 10)
	if panics(func() {
		erpc.HandleCall(srv, "/call", func(_ context.Context, n *int) (*int, error) {
			handled <- "call"
			return n, nil
		})
		erpc.HandlePush(srv, "/push", func(context.Context, *int) error {
			handled <- "push"
			return nil
		})
	}) {
		return "registering it panics"
	}
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	if hook == "PostListen" {
		if err := srv.Serve(lis); err == nil || !strings.Contains(err.Error(), "as asked") {
			t.Errorf("Serve: %v", err)
		}
		return "the listening ends with the error"
	}
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = srv.Close() // closed again: newQuietPeer checks the error of the first Close
		kit.Await(t, "Serve to return", served)
	})

	// The client has the same plugin: a hook fails at the side that it runs at.
	cli := kit.Peer(t, erpc.PeerConfig{}, failing())
	sess, st := cli.Dial(lis.Addr().String())
	switch {
	case hook == "PreDial" && st.Code() == code:
		return "the attempt ends with the status"
	case !st.OK() && cli.CountSession() == 0:
		return "the connection is refused"
	case hook == "PostAccept":
		kit.Await(t, "the end of a refused session", sess.CloseNotify())
		return "the connection is refused"
	}
	armed.Store(true)
	if hook == "PostDisconnect" {
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
		return "it is logged"
	}
	push := sess.Push("/push", 1)
	call := sess.Call("/call", 2, new(int)).Status()
	armed.Store(false)
	if hook == "PreReadHeader" {
		kit.Await(t, "the end of the session", sess.CloseNotify())
		return "the connection ends"
	}
	if !sess.Health() {
		t.Error("the session has ended")
	}
	// A call behind the push shows whether the push was dropped.
	if st := sess.Call("/call", 3, nil).Status(); !st.OK() {
		t.Error(st)
	}
	pushed, calls := 0, 0
	for n := len(handled); n > 0; n-- {
		if <-handled == "push" {
			pushed++
		} else {
			calls++
		}
	}
	switch {
	case push.Code() == code:
		return "the push ends with the status"
	case call.Code() == code && strings.Contains(hook, "Reply") && !strings.Contains(hook, "Write"), call.Code() == code && calls == 1 && hook == "PreWriteCall":
		return "the call ends with the status"
	case call.Code() == code:
		return "the status is the reply"
	case strings.Contains(hook, "ReadPush") && pushed == 0:
		return "the push is dropped"
	case push.OK() && call.OK():
		return "nothing is left to stop"
	}
	return "push: " + push.String() + ", call: " + call.String()
}
