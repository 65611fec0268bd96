package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats/embed"
	"github.com/goerpc/erpc/socket/memory"
)

// A bed is a cluster with clients.
type bed struct {
	servers  []*embed.Server
	nodes    []*bedNode
	sessions []*bedSession
	got      atomic.Int64 // pushes that arrived
	dir      string
}

type bedNode struct {
	*cluster.Cluster
	peer   erpc.Peer
	client erpc.Peer
	addr   string
}

// A bedSession is a session as its node sees it.
type bedSession struct {
	node *bedNode
	sess erpc.Session
}

// newBed starts nodes. With histories there is one, whose server keeps messages.
func newBed(nodes int, keep []cluster.History) (*bed, error) {
	b := &bed{}
	var routes []string
	for range nodes {
		cfg := embed.Config{Listen: "127.0.0.1:0", Routes: routes}
		if keep != nil {
			dir, err := os.MkdirTemp("", "erpc-bench-")
			if err != nil {
				return nil, err
			}
			b.dir = dir
			cfg = embed.Config{Store: &embed.Store{Dir: dir}}
		}
		s, err := embed.Start(cfg)
		if err != nil {
			b.close()
			return nil, err
		}
		b.servers = append(b.servers, s)
		if routes == nil {
			routes = []string{s.MeshAddr()}
		}
		if err := b.newNode(s, keep); err != nil {
			b.close()
			return nil, err
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		known := true
		for _, n := range b.nodes {
			known = known && len(n.Nodes()) == nodes-1
		}
		if known {
			return b, nil
		}
		if time.Now().After(end) {
			b.close()
			return nil, errors.New("the nodes do not find each other")
		}
	}
}

func (b *bed) newNode(s *embed.Server, keep []cluster.History) error {
	log := slog.New(slog.DiscardHandler)
	cfg := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{memory.New()}, Logger: log}
	n := &bedNode{Cluster: cluster.New(s.Engine(), cluster.Options{Answer: 10 * time.Second, History: keep})}
	n.peer = erpc.NewPeer(cfg, n.Cluster)
	n.client = erpc.NewPeer(cfg)
	b.nodes = append(b.nodes, n)
	erpc.HandlePush(n.client, "/said", func(context.Context, *[]byte) error {
		b.got.Add(1)
		return nil
	})
	lis, err := n.peer.ListenOn(memory.Network, "")
	if err != nil {
		return err
	}
	n.addr = lis.Addr().String()
	go func() { _ = n.peer.Serve(lis) }() // it ends with the peer
	return n.Start(context.Background())
}

// connect opens sessions with each node.
func (b *bed) connect(sessions int) error {
	for _, n := range b.nodes {
		for range sessions {
			if _, st := n.client.Dial(n.addr); !st.OK() {
				return fmt.Errorf("dial: %w", st.Err())
			}
		}
		for end := time.Now().Add(time.Minute); n.peer.CountSession() < sessions; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return errors.New("not all sessions were accepted")
			}
		}
		n.peer.RangeSession(func(s erpc.Session) bool {
			b.sessions = append(b.sessions, &bedSession{n, s})
			return true
		})
	}
	return nil
}

// join makes every session a member of a room.
func (b *bed) join(room func(i int) string) error {
	return each(b.sessions, func(i int, s *bedSession) error {
		return s.node.Join(context.Background(), s.sess, room(i))
	})
}

// publish publishes to the room of all, and waits until everybody has everything.
func (b *bed) publish(body []byte, times int) error {
	want := b.got.Load() + int64(times*len(b.sessions))
	for range times {
		if err := b.nodes[0].Publish(context.Background(), room, "/said", body); err != nil {
			return err
		}
	}
	return b.await(want)
}

func (b *bed) await(want int64) error {
	for end := time.Now().Add(2 * time.Minute); b.got.Load() < want; time.Sleep(20 * time.Microsecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d pushes are missing", want-b.got.Load(), want)
		}
	}
	return nil
}

func (b *bed) close() {
	for _, n := range b.nodes {
		_ = n.client.Close() // what is measured is over
		_ = n.peer.Close()
		_ = n.Cluster.Close()
	}
	for _, s := range b.servers {
		s.Close()
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}
