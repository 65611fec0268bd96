package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
)

// Join is the argument of the call /chat/join, whose reply is Members.
type Join struct {
	Room string `json:"room"`
	Name string `json:"name"`
}

// Members lists who is in a room. It is pushed to /chat/members when the list
// changes.
type Members struct {
	Room    string   `json:"room"`
	Members []string `json:"members"`
}

// Say is the argument of the call /chat/say, whose reply is the number of
// guests that the text was sent to.
type Say struct {
	Text string `json:"text"`
}

// Message is pushed to /chat/message of everyone in a room, including the
// sender.
type Message struct {
	Room string `json:"room"`
	From string `json:"from"`
	Text string `json:"text"`
}

// handle registers the chat's handlers.
func (r *rooms) handle(p erpc.Peer) {
	r.handleFeed(p)
	chat := p.Router().SubRoute("/chat")
	erpc.HandleCall(chat, "/join", func(ctx context.Context, arg *Join) (*Members, error) {
		members, st := r.join(erpc.CallCtxFrom(ctx).Session(), arg.Room, arg.Name)
		if !st.OK() {
			return nil, st.Err()
		}
		return members, nil
	}, limit.Ordered()) // messages of one guest, in the order in which they were sent
	erpc.HandleCall(chat, "/say", func(ctx context.Context, arg *Say) (*int, error) {
		n, st := r.say(erpc.CallCtxFrom(ctx).Session(), arg.Text)
		if !st.OK() {
			return nil, st.Err()
		}
		return &n, nil
	}, limit.Ordered())
}

// Feed is the argument of the stream /chat/feed, which sends each Message of a
// room.
type Feed struct {
	Room string `json:"room" form:"room"`
}

// handleFeed registers the feed. It is marked as safe, so a browser's
// EventSource and curl can GET it.
func (r *rooms) handleFeed(p erpc.Peer) {
	erpc.HandleStream(p, "/chat/feed", func(ctx context.Context, s *erpc.Stream[Feed, Message]) error {
		arg, err := s.Recv()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if arg == nil || !fits(arg.Room, longestName) {
			return erpc.NewStatus(codeBadInput, "name a room, of 1 to 40 characters").Err()
		}
		f := r.follow(strings.TrimSpace(arg.Room))
		defer r.unfollow(f)
		for {
			select {
			case m := <-f.messages:
				if err := s.Send(&m); err != nil {
					return err
				}
			case <-f.behind:
				return erpc.NewStatus(codeBehind, "you read more slowly than messages arrive").Err()
			case <-s.Draining():
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}, erpc.Safe())
}

// leaving is a plugin that removes sessions from their room when they end.
func (r *rooms) leaving() erpc.Plugin {
	return &erpc.PluginImpl{
		PluginName:       "chat",
		OnPostDisconnect: func(sess erpc.BaseSession) *erpc.Status { r.leave(sess); return nil },
	}
}
