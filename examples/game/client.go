package main

import (
	"context"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
)

// enterTime bounds entering a room. The timeout of the call also shows the
// server that this side understands the reason when the server closes the
// session.
const enterTime = 10 * time.Second

// A client is the program of a player. When the connection breaks, it dials
// again and enters its room again, until the server tells it not to come back.
type client struct {
	peer    erpc.Peer
	sess    erpc.Session
	room    string
	welcome *Welcome // reply on the first connection
}

// play connects to a server and enters a room. onState is called with the
// states in order.
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
		_ = c.peer.Close() // return the status instead
		return nil, fmt.Errorf("dial %s: %w", addr, st.Err())
	}
	c.sess = sess
	welcome, err := c.enter(ctx, sess)
	if err != nil {
		_ = c.peer.Close() // return the error instead
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

// opened is the hook for an open or reopened connection.
func (c *client) opened(sess erpc.Session, isRedial bool) {
	if !isRedial {
		return // play enters the room itself and returns the error
	}
	if _, err := c.enter(context.Background(), sess); err != nil {
		c.peer.Config().Logger.Warn("the room can't be entered again", "room", c.room, "err", err)
		_ = sess.Close() // makes the player notice
	}
}

// steer sends a heading, which may be lost with the connection.
func (c *client) steer(ctx context.Context, x, y int) error {
	return steer.Push(ctx, c.sess, &Heading{x, y})
}
