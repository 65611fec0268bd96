package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/centrifugal/protocol"
	"github.com/nats-io/nats.go"

	"github.com/goerpc/erpc/cluster/nats/embed"
)

// A rival is a cluster of centrifuge with clients, over the same NATS servers. Its
// clients are in memory, too: a message counts when it is written to the transport and
// decoded.
type rival struct {
	servers []*embed.Server
	nodes   []*rivalNode
	clients []*rivalClient
	got     arrivals
}

type rivalNode struct {
	*centrifuge.Node
	conn *nats.Conn
}

type rivalClient struct {
	*centrifuge.Client
	end centrifuge.ClientCloseFunc
}

func newRival(nodes int) (*rival, error) {
	r := &rival{got: newArrivals()}
	servers, err := startMesh(nodes)
	if err != nil {
		return nil, err
	}
	r.servers = servers
	for _, s := range servers {
		if err := r.newNode(s); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *rival) newNode(s *embed.Server) error {
	conn, err := nats.Connect("", s.ConnectOptions()...)
	if err != nil {
		return err
	}
	n, err := centrifuge.New(centrifuge.Config{ClientStaleCloseDelay: time.Hour})
	if err != nil {
		return err
	}
	r.nodes = append(r.nodes, &rivalNode{n, conn})
	n.SetBroker(&broker{conn: conn, subs: map[string]*nats.Subscription{}})
	n.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "somebody"}}, nil
	})
	return n.Run()
}

func (r *rival) connect(sessions int) error {
	for _, n := range r.nodes {
		for range sessions {
			c, end, err := centrifuge.NewClient(context.Background(), n.Node, &sink{got: &r.got})
			if err != nil {
				return err
			}
			c.Connect(centrifuge.ConnectRequest{})
			r.clients = append(r.clients, &rivalClient{c, end})
		}
	}
	return nil
}

func (r *rival) join(room func(i int) string) error {
	return each(r.clients, func(i int, c *rivalClient) error { return c.Subscribe(room(i)) })
}

func (r *rival) publish(body []byte, times int) error {
	r.got.expect(times * len(r.clients))
	for range times {
		if _, err := r.nodes[0].Publish(room, body); err != nil {
			return err
		}
	}
	return r.got.await()
}

func (r *rival) close() {
	_ = each(r.clients, func(_ int, c *rivalClient) error { return c.end() }) // what is measured is over
	for _, n := range r.nodes {
		_ = n.Shutdown(context.Background())
		n.conn.Close()
	}
	for _, s := range r.servers {
		s.Close()
	}
}

// A broker carries publications between nodes of centrifuge, without history,
// with one NATS subscription for each channel.
type broker struct {
	conn   *nats.Conn
	events centrifuge.BrokerEventHandler

	mu   sync.Mutex // guards subs
	subs map[string]*nats.Subscription
}

var errNoHistory = errors.New("bench: no history")

// RegisterBrokerEventHandler implements [centrifuge.Broker].
func (b *broker) RegisterBrokerEventHandler(h centrifuge.BrokerEventHandler) error {
	b.events = h
	return nil
}

// Subscribe implements [centrifuge.Broker].
func (b *broker) Subscribe(channels ...string) error {
	for _, ch := range channels {
		sub, err := b.conn.Subscribe(subject(ch), func(m *nats.Msg) {
			// Its only error is that the node is shutting down.
			_ = b.events.HandlePublication(ch, &centrifuge.Publication{Data: m.Data}, centrifuge.StreamPosition{}, false, nil)
		})
		if err != nil {
			return err
		}
		b.mu.Lock()
		b.subs[ch] = sub
		b.mu.Unlock()
	}
	return nil
}

// Unsubscribe implements [centrifuge.Broker].
func (b *broker) Unsubscribe(channels ...string) error {
	for _, ch := range channels {
		b.mu.Lock()
		sub := b.subs[ch]
		delete(b.subs, ch)
		b.mu.Unlock()
		if sub == nil {
			continue
		}
		if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			return err
		}
	}
	return nil
}

// Publish implements [centrifuge.Broker].
func (b *broker) Publish(ch string, data []byte, _ centrifuge.PublishOptions) (centrifuge.PublishResult, error) {
	return centrifuge.PublishResult{}, b.conn.Publish(subject(ch), data)
}

// PublishJoin implements [centrifuge.Broker]. The benchmark does not use it.
func (*broker) PublishJoin(string, *centrifuge.ClientInfo) error { return nil }

// PublishLeave implements [centrifuge.Broker]. The benchmark does not use it.
func (*broker) PublishLeave(string, *centrifuge.ClientInfo) error { return nil }

// History implements [centrifuge.Broker].
func (*broker) History(string, centrifuge.HistoryOptions) ([]*centrifuge.Publication, centrifuge.StreamPosition, error) {
	return nil, centrifuge.StreamPosition{}, errNoHistory
}

// RemoveHistory implements [centrifuge.Broker].
func (*broker) RemoveHistory(string) error { return errNoHistory }

// subject returns the subject of a channel. It encodes the name, which may
// contain spaces.
func subject(ch string) string { return fmt.Sprintf("rival.%x", ch) }

// A sink is the transport of a client that counts its publications.
type sink struct{ got *arrivals }

// Name implements [centrifuge.TransportInfo], as the following do.
func (*sink) Name() string                                { return "sink" }
func (*sink) AcceptProtocol() string                      { return "" }
func (*sink) Protocol() centrifuge.ProtocolType           { return centrifuge.ProtocolTypeProtobuf }
func (*sink) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }
func (*sink) Unidirectional() bool                        { return true }
func (*sink) Emulation() bool                             { return false }
func (*sink) DisabledPushFlags() uint64                   { return 0 }
func (*sink) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: -1}
}

// Write implements [centrifuge.Transport].
func (s *sink) Write(data []byte) error {
	var push protocol.Push
	if err := push.UnmarshalCF(data); err != nil {
		return err
	}
	if push.Pub != nil {
		s.got.add()
	}
	return nil
}

// WriteMany implements [centrifuge.Transport].
func (s *sink) WriteMany(all ...[]byte) error {
	for _, data := range all {
		if err := s.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// Close implements [centrifuge.Transport].
func (*sink) Close(centrifuge.Disconnect) error { return nil }
