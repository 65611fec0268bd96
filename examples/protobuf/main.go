// Command protobuf is a chat whose services are defined in chat/chat.proto. The
// server calls its clients back, through a service that the clients serve.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"slices"
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/examples/protobuf/chat"
	"github.com/goerpc/erpc/examples/protobuf/chat/chaterpc"
)

// rooms is the handler of Chat.
type rooms struct {
	mu    sync.Mutex // guards lines
	lines map[string][]string
}

func (r *rooms) Say(ctx context.Context, in *chat.Line) (*chat.Said, error) {
	// The session that called serves Member.
	member := chaterpc.NewMemberClient(erpc.CallCtxFrom(ctx).Session())
	answer, err := member.Agree(ctx, in)
	if err != nil {
		return nil, err
	}
	if !answer.Yes {
		return nil, erpc.NewStatus(1001, "the member does not agree").Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[in.Room] = append(r.lines[in.Room], in.Text)
	return &chat.Said{Number: int64(len(r.lines[in.Room]))}, nil
}

func (r *rooms) said(room string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines[room])
}

func (r *rooms) Count(_ context.Context, in *chat.Room) (*chat.Said, error) {
	return &chat.Said{Number: int64(len(r.said(in.Name)))}, nil
}

func (r *rooms) Watch(_ context.Context, in *chat.Room, s *erpc.Stream[chat.Room, chat.Line]) error {
	for _, text := range r.said(in.Name) {
		if err := s.Send(&chat.Line{Room: in.Name, Text: text}); err != nil {
			return err
		}
	}
	return nil
}

// member is the handler of Member. Because of the embedded type, it still
// compiles when Member gets more methods.
type member struct {
	chaterpc.UnimplementedMemberHandler
	joined chan string
}

func (m *member) Agree(_ context.Context, in *chat.Line) (*chat.Answer, error) {
	return &chat.Answer{Yes: in.Text != "spam"}, nil
}

func (m *member) Joined(_ context.Context, in *chat.Room) error {
	m.joined <- in.Name
	return nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	server := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer server.Close()
	chaterpc.RegisterChat(server, &rooms{lines: map[string][]string{}})
	lis, err := server.Listen()
	if err != nil {
		return err
	}
	go server.Serve(lis)
	return client(ctx, server, lis.Addr())
}

func client(ctx context.Context, server erpc.Peer, addr net.Addr) error {
	peer := erpc.NewPeer(erpc.PeerConfig{})
	defer peer.Close()
	me := &member{joined: make(chan string, 1)}
	chaterpc.RegisterMember(peer, me)
	sess, st := peer.Dial(addr.String())
	if !st.OK() {
		return st.Err()
	}
	c := chaterpc.NewChatClient(sess)
	for _, text := range []string{"hello", "spam", "bye"} {
		said, err := c.Say(ctx, &chat.Line{Room: "den", Text: text})
		if err != nil {
			fmt.Println(text, "failed with", erpc.StatusFromError(err).Code())
			continue
		}
		fmt.Println(text, "is line", said.Number)
	}
	for line, err := range c.Watch(ctx, &chat.Room{Name: "den"}) {
		if err != nil {
			return err
		}
		fmt.Println("watched", line.Text)
	}
	sent, _ := chaterpc.NewMemberBroadcaster(server).Joined(&chat.Room{Name: "den"})
	fmt.Println("told", sent, "member of", <-me.joined)
	return nil
}
