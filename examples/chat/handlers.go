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
}

// Members lists the users in a room. It is pushed to /chat/members when somebody
// comes or goes.
type Members struct {
	Room    string   `json:"room"`
	Members []string `json:"members"`
}

// Say is the argument of the call /chat/say, whose reply is the number of
// sessions that the text was sent to.
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

// Feed is the argument of the stream /chat/feed, which sends each Message of a
// room.
type Feed struct {
	Room string `json:"room" form:"room"`
}

// handle registers the chat's handlers. HTTP clients can GET those that are
// marked as safe.
func (r *rooms) handle() {
	chat := r.peer.Router().SubRoute("/chat")
	erpc.HandleCall(chat, "/join", r.join, limit.Ordered()) // messages of one session, in the order in which they were sent
	erpc.HandleCall(chat, "/say", r.say, limit.Ordered())
	erpc.HandleCall(chat, "/rooms", r.list, erpc.Safe())
	erpc.HandleStream(chat, "/feed", r.feed, erpc.Safe())
}

func (r *rooms) feed(ctx context.Context, s *erpc.Stream[Feed, Message]) error {
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
}
