package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster/member"
)

// A client is in both rooms, and records the words that it receives.
type client struct {
	name  string
	nodes []string // addresses, its own first
	rooms *member.Rooms
	peer  erpc.Peer

	mu     sync.Mutex // guards the following
	sess   erpc.Session
	at     string                  // the node that it is connected to
	homes  int                     // number of sessions that it has had
	heard  map[string]map[int]bool // numbers of the words, by room
	afresh map[string]int          // how often it was told to start afresh
}

func newClient(name string, nodes []string) *client {
	c := &client{
		name: name, nodes: nodes,
		heard:  map[string]map[int]bool{keptRoom: {}, freeRoom: {}},
		afresh: map[string]int{},
	}
	c.rooms = member.New("/join", func(room string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.afresh[room]++
	})
	c.peer = erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}, c.rooms)
	erpc.HandlePush(c.peer, "/said", func(_ context.Context, w *Word) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heard[w.Room][w.Number] = true
		return nil
	})
	return c
}

// live keeps the client connected to a node until ctx ends, preferably to its
// own.
func (c *client) live(ctx context.Context) {
	for ctx.Err() == nil {
		sess := c.dial(ctx)
		if sess == nil {
			return
		}
		select {
		case <-sess.CloseNotify():
		case <-ctx.Done():
		}
	}
}

// dial tries one node after the other. The member plugin joins the rooms again.
func (c *client) dial(ctx context.Context) erpc.Session {
	for i := 0; ; i++ {
		address := c.nodes[i%len(c.nodes)]
		sess, st := c.peer.Dial(address)
		if st.OK() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.sess, c.at = sess, address
			c.homes++
			return sess
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *client) session() erpc.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sess
}

// join enters both rooms.
func (c *client) join(ctx context.Context) error {
	for _, room := range []string{keptRoom, freeRoom} {
		if err := c.rooms.Join(ctx, c.session(), room); err != nil {
			return fmt.Errorf("%s joins %s: %w", c.name, room, err)
		}
	}
	return nil
}

// say sends a word, and sends it again until a node has accepted it. So a word
// may be sent twice when a node dies.
func (c *client) say(ctx context.Context, w Word) error {
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := erpc.Call[Word](try, c.session(), "/say", &w)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// has returns how many of the words 1 to n the client has heard in a room.
func (c *client) has(room string, n int) (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i <= n; i++ {
		if c.heard[room][i] {
			count++
		}
	}
	return count
}
