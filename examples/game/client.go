package main

import (
	"context"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
)

// enterTime bounds the entering of a room. That the call has a timeout also tells
// the server that this side understands the reason when it closes the session.
const enterTime = 10 * time.Second

// A client is a player at their machine. It dials again when the connection
// breaks, and enters its room again, until the server says not to come back.
type client struct {
	peer    erpc.Peer
	sess    erpc.Session
	room    string
	welcome *Welcome // of the first connection
}

// play connects to a server and enters a room. onState gets the states in their
// order.
func play(ctx context.Context, cfg erpc.PeerConfig, addr, token, room string, onState func(*State)) (*client, error) {
	c := &client{room: room}
	cfg.RedialTimes = -1
	c.peer = erpc.NewPeer(cfg,
		auth.NewBearerPlugin(auth.Token(token)), // on each connection
		&erpc.PluginImpl{PluginName: "game", OnPostOpen: c.opened},
	)
	roomState.HandlePush(c.peer, func(_ context.Context, s *State) error { onState(s); return nil }, limit.Ordered())
	sess, st := c.peer.DialContext(ctx, addr)
	if !st.OK() {
		_ = c.peer.Close() // the status says more
		return nil, fmt.Errorf("dial %s: %w", addr, st.Err())
	}
	c.sess = sess
	welcome, err := c.enter(ctx, sess)
	if err != nil {
		_ = c.peer.Close() // the error says more
		return nil, fmt.Errorf("enter %s: %w", room, err)
	}
	c.welcome = welcome
	return c, nil
}

func (c *client) enter(ctx context.Context, sess erpc.Session) (*Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, enterTime)
	defer cancel()
	return enterRoom.Call(ctx, sess, &Enter{c.room})
}

// opened is the hook for a connection that is there, or there again.
func (c *client) opened(sess erpc.Session, isRedial bool) {
	if !isRedial {
		return // play does it, and has somebody to tell
	}
	if _, err := c.enter(context.Background(), sess); err != nil {
		c.peer.Config().Logger.Warn("the room can't be entered again", "room", c.room, "err", err)
		_ = sess.Close() // so that the player notices
	}
}

// steer says where to go. It may be lost with the connection.
func (c *client) steer(ctx context.Context, x, y int) error {
	return steer.Push(ctx, c.sess, &Heading{x, y})
}
