package main

import (
	"os"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/examples/protobuf/chat"
	"github.com/goerpc/erpc/examples/protobuf/chat/chaterpc"
)

func TestRun(t *testing.T) {
	if err := run(t.Context()); err != nil {
		t.Error(err)
	}
}

// docs/protobuf.md shows the files of this example; another test, together with
// those of the other pages, checks their output.
func TestPageShowsThisExample(t *testing.T) {
	page, err := os.ReadFile("../../docs/protobuf.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main.go", "chat/chat.proto"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "\n"+string(source)+"```\n") {
			t.Errorf("the page does not show %s as it is", name)
		}
	}
}

// A handler of a service is tested through its generated client.
func TestMemberDecides(t *testing.T) {
	r := &rooms{lines: map[string][]string{}}
	_, cli := erpctest.Pair(t, func(p erpc.Peer) { chaterpc.RegisterChat(p, r) }, func(p erpc.Peer) { chaterpc.RegisterMember(p, &member{}) })
	c := chaterpc.NewChatClient(cli)
	for text, code := range map[string]int32{"hello": 0, "spam": 1001} {
		if _, err := c.Say(t.Context(), &chat.Line{Room: "den", Text: text}); erpc.StatusFromError(err).Code() != code {
			t.Errorf("%s: %v", text, err)
		}
	}
	if n, err := c.Count(t.Context(), &chat.Room{Name: "den"}); err != nil || n.Number != 1 {
		t.Errorf("%v lines, %v", n, err)
	}
}
