package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/examples/protobuf/chat"
	"github.com/goerpc/erpc/examples/protobuf/chat/chaterpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/reflect"
)

const chatProto = "../../examples/protobuf/chat/chat.proto"

type chatServer struct {
	chaterpc.UnimplementedChatHandler
}

func (chatServer) Say(_ context.Context, in *chat.Line) (*chat.Said, error) {
	return &chat.Said{Number: int64(len(in.Text))}, nil
}

func (chatServer) Watch(_ context.Context, in *chat.Room, s *erpc.Stream[chat.Room, chat.Line]) error {
	return s.Send(&chat.Line{Room: in.Name, Text: "hello"})
}

// joined is the handler of a push.
type joined struct {
	chaterpc.UnimplementedMemberHandler
	rooms chan string
}

func (j joined) Joined(_ context.Context, in *chat.Room) error {
	j.rooms <- in.Name
	return nil
}

// Protobuf is written and read as JSON, by reflection, with a .proto file, or with
// a descriptor set: for calls, pushes and streams, and over HTTP.
func TestProtobufFromFilesAndReflection(t *testing.T) {
	rooms := make(chan string, 1)
	register := func(p erpc.Peer) {
		chaterpc.RegisterChat(p, chatServer{})
		chaterpc.RegisterMember(p, joined{rooms: rooms})
	}
	r := reflect.New(reflect.Config{})
	with := listenWith(t, erpc.PeerConfig{}, register, r)
	without := listenWith(t, erpc.PeerConfig{}, register)
	overHTTP := "http://" + listenWith(t, erpc.PeerConfig{Protocol: "http"}, register)
	for _, c := range []struct {
		target string
		flags  []string
	}{
		{with, []string{"-codec", "protobuf"}},
		{without, []string{"-proto", chatProto}},
		{without, []string{"-proto", "chat.proto", "-I", filepath.Dir(chatProto)}},
		{overHTTP, []string{"-proto", chatProto}},
	} {
		run := func(command string, more ...string) (int, string, string) {
			return erpcRun(t, "", append(append([]string{command}, c.flags...), append([]string{c.target}, more...)...)...)
		}
		if code, out, errs := run("call", "/chat.v1.Chat/Say", `{"text":"four"}`); code != exitOK || out != "{\"number\":\"4\"}\n" {
			t.Errorf("%q: call: exit %d, %q, %q", c.flags, code, out, errs)
		}
		if code, out, errs := run("push", "/chat.v1.Member/Joined", `{"name":"den"}`); code != exitOK || out != "" {
			t.Errorf("%q: push: exit %d, %q, %q", c.flags, code, out, errs)
		} else if got := <-rooms; got != "den" {
			t.Errorf("%q: pushed %q", c.flags, got)
		}
		if c.target == overHTTP {
			continue // which has no streams for peers that dial
		}
		if code, out, errs := run("stream", "/chat.v1.Chat/Watch", `{"name":"den"}`); code != exitOK || out != "{\"room\":\"den\",\"text\":\"hello\"}\n" {
			t.Errorf("%q: stream: exit %d, %q, %q", c.flags, code, out, errs)
		}
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"call", "-proto", chatProto, without, "/math/add"}, "no method /math/add"},
		{[]string{"call", "-proto", chatProto, without, "/chat.v1.Chat/Say", `{"x":1}`}, "chat.v1.Line"},
		{[]string{"call", "-proto", chatProto, "-protoset", "x", without, "/chat.v1.Chat/Say"}, "not both"},
		{[]string{"call", "-protoset", "main.go", without, "/chat.v1.Chat/Say"}, "not a descriptor set"},
		{[]string{"describe", "-proto", chatProto, "/nothing"}, "no method"},
	} {
		if code, _, errs := erpcRun(t, "", c.args...); code != exitUsage || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit %d, %q; want %q", c.args, code, errs, c.says)
		}
	}
}

// The queries about methods have the metadata and the timeout of the command, like
// its calls.
func TestQuestionsAreCalls(t *testing.T) {
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) {
		erpc.HandleCall(p, reflect.ListMethod, func(ctx context.Context, _ *reflect.ListArg) (*reflect.List, error) {
			return &reflect.List{Methods: []reflect.Method{{Name: erpc.CallCtxFrom(ctx).GetMeta("key")}}}, nil
		})
		erpc.HandleCall(p, reflect.DescribeMethod, func(ctx context.Context, _ *reflect.DescribeArg) (*reflect.Descriptions, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	if code, out, errs := erpcRun(t, "", "list", "-H", "key=/value", addr); code != exitOK || !strings.Contains(out, "/value") {
		t.Errorf("list: exit %d, %q, %q", code, out, errs)
	}
	for _, command := range []string{"call", "push", "stream", "bench", "describe"} {
		var code int
		var out, errs string
		kit.Within(t, 10*time.Second, command, func() {
			code, out, errs = erpcRun(t, "", command, "-timeout", "50ms", "-codec", "protobuf", addr, "/x")
		})
		if code != exitStatus || !strings.Contains(errs, `"code"`) {
			t.Errorf("%s: exit %d, %q, %q", command, code, out, errs)
		}
	}
}

// listenWith starts a server with the handlers that register sets.
func listenWith(t *testing.T, cfg erpc.PeerConfig, register func(erpc.Peer), plugins ...erpc.Plugin) string {
	t.Helper()
	if cfg.ListenAddress == "" {
		cfg.ListenAddress = "127.0.0.1:0"
	}
	p := kit.Peer(t, cfg, plugins...)
	register(p)
	return kit.Start(t, p)
}

// describe -template prints an argument that call accepts.
func TestTemplateIsAnArgument(t *testing.T) {
	r := reflect.New(reflect.Config{})
	addr := listenWith(t, erpc.PeerConfig{}, func(p erpc.Peer) { register(p, r) }, r)
	for _, c := range []struct {
		flags  []string
		method string
	}{
		{nil, "/math/add"},
		{nil, "/math/divide"},
		{nil, "/chat.v1.Chat/Say"},
		{[]string{"-codec", "protobuf"}, "/chat.v1.Chat/Say"},
	} {
		code, arg, errs := erpcRun(t, "", append(append([]string{"describe", "-template"}, c.flags...), addr, c.method)...)
		if code != exitOK || !strings.ContainsAny(arg, "{[") {
			t.Fatalf("%s: exit %d, %q, %q", c.method, code, arg, errs)
		}
		code, _, errs = erpcRun(t, "", append(append([]string{"call"}, c.flags...), addr, c.method, arg)...)
		if code != exitOK && !strings.Contains(errs, "division by zero") {
			t.Errorf("%s does not take %s: exit %d, %q", c.method, arg, code, errs)
		}
	}
	code, arg, _ := erpcRun(t, "", "describe", "-template", "-proto", chatProto, "/chat.v1.Chat/Say")
	if code != exitOK || !strings.Contains(arg, `"text": ""`) {
		t.Errorf("exit %d, %q", code, arg)
	}
}

// Forms and plain text are made from JSON, or sent as they are.
func TestOtherCodecs(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	for _, c := range []struct {
		codec, arg, method, want string
	}{
		{"form", `{"A":7,"B":2}`, "/hidden/form", "{\"A\":\"14\",\"Tags\":[\"x\",\"y\"]}\n"},
		{"form", `A=7&B=2`, "/hidden/form", "{\"A\":\"14\",\"Tags\":[\"x\",\"y\"]}\n"},
		{"plain", `"a b"`, "/hidden/echo", "\"a b!\"\n"},
		{"plain", `a b`, "/hidden/echo", "\"a b!\"\n"},
	} {
		code, out, errs := erpcRun(t, "", "call", "-codec", c.codec, addr, c.method, c.arg)
		if code != exitOK || out != c.want {
			t.Errorf("%s %s: exit %d, %q, %q", c.codec, c.arg, code, out, errs)
		}
	}
	if code, _, errs := erpcRun(t, "", "call", "-codec", "form", addr, "/hidden/form", `{"A":{}}`); code != exitUsage || !strings.Contains(errs, "objects") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// -color is for people; the colored output says the same as the plain one.
func TestColor(t *testing.T) {
	addr := serve(t, erpc.PeerConfig{}, nil)
	_, plain, _ := erpcRun(t, "", "describe", addr, "/math/divide")
	code, painted, _ := erpcRun(t, "", "describe", "-color", "always", addr, "/math/divide")
	if code != exitOK || painted == plain || strings.Count(painted, "\x1b[34m\"$schema\"\x1b[0m:") != 2 {
		t.Errorf("exit %d, painted %q", code, painted)
	}
	for _, c := range []color{bold, dim, red, green, blue, cyan} {
		painted = strings.ReplaceAll(painted, "\x1b["+string(c)+"m", "")
	}
	if strings.ReplaceAll(painted, "\x1b[0m", "") != plain {
		t.Errorf("colored is %q, plain %q", painted, plain)
	}
	_, evil, _ := erpcRun(t, "", "call", "-color", "always", addr, "/hidden/evil")
	if evil != green.of(`"\u001b[2J\u202e\u009b\n"`)+"\n" {
		t.Errorf("painted %q", evil)
	}
	if code, _, errs := erpcRun(t, "", "call", "-color", "pink", addr, "/math/add"); code != exitUsage || !strings.Contains(errs, "auto") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
