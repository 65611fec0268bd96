package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
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
	got      arrivals
	dir      string
	sinks    bool // sessions have no clients, but a [sinkConn]
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

// startMesh starts servers that have a route to the first.
func startMesh(n int) (servers []*embed.Server, err error) {
	var routes []string
	for range n {
		s, err := embed.Start(embed.Config{Listen: "127.0.0.1:0", Routes: routes})
		if err != nil {
			for _, s := range servers {
				s.Close()
			}
			return nil, err
		}
		servers = append(servers, s)
		routes = []string{servers[0].MeshAddr()}
	}
	return servers, nil
}

// newBed starts nodes. Each has its own server of a mesh; with histories they
// share one server, which stores messages.
func newBed(nodes int, keep []cluster.History) (b *bed, err error) {
	b = &bed{got: newArrivals()}
	if keep == nil {
		b.servers, err = startMesh(nodes)
	} else {
		b.dir, err = os.MkdirTemp("", "erpc-bench-")
		if err == nil {
			var s *embed.Server
			s, err = embed.Start(embed.Config{Store: &embed.Store{Dir: b.dir}})
			b.servers = []*embed.Server{s}
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		if err := b.newNode(b.servers[i%len(b.servers)], keep); err != nil {
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
		b.got.add()
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

// connect opens the given number of sessions with each node.
func (b *bed) connect(sessions int) error {
	for _, n := range b.nodes {
		if err := b.connectTo(n, sessions); err != nil {
			return err
		}
	}
	return nil
}

// connectTo opens the given number of sessions with a node.
func (b *bed) connectTo(n *bedNode, sessions int) error {
	if b.sinks {
		for range sessions {
			sess, st := n.peer.ServeConn(newSinkConn(&b.got))
			if !st.OK() {
				return fmt.Errorf("serve: %w", st.Err())
			}
			b.sessions = append(b.sessions, &bedSession{n, sess})
		}
		return nil
	}
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
	return nil
}

// join makes every session a member of a room.
func (b *bed) join(room func(i int) string) error {
	return each(b.sessions, func(i int, s *bedSession) error {
		return s.node.Join(context.Background(), s.sess, room(i))
	})
}

// publish publishes to the common room and waits until all members have
// received everything.
func (b *bed) publish(body []byte, times int) error {
	b.got.expect(times * len(b.sessions))
	for range times {
		if err := b.nodes[0].Publish(context.Background(), room, "/said", body); err != nil {
			return err
		}
	}
	return b.got.await()
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
