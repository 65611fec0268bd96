package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/dashboard"
)

// Codes of the shop.
const (
	codeSoldOut int32 = 1001
	codePayment int32 = 1002
)

// A shop is the peer that the dashboard shows.
type shop struct {
	peer   erpc.Peer
	addr   string
	orders atomic.Int64
}

// Search asks for products.
type Search struct {
	Words string `json:"words"`
	Max   int    `json:"max"`
}

// Product is a product of the shop.
type Product struct {
	Name  string  `json:"name"`
	Price float64 `json:"price"`
}

// Order buys products.
type Order struct {
	Items []struct {
		Product string `json:"product"`
		Number  int    `json:"number"`
	} `json:"items"`
	Express bool `json:"express,omitempty"`
}

// Receipt is the reply to an order.
type Receipt struct {
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
}

// open returns a shop that serves on an address, with its dashboard.
func open(addr string, d *dashboard.Dashboard, logger *slog.Logger) (*shop, error) {
	s := &shop{peer: erpc.NewPeer(erpc.PeerConfig{
		ListenAddress: addr, Logger: logger, MaxSessions: 100, MaxHandlers: 200, IdleTimeout: 5 * time.Minute,
	}, d)}
	erpc.HandleCall(s.peer, "/shop/search", s.search)
	erpc.HandleCall(s.peer, "/shop/order", s.order)
	erpc.HandleCall(s.peer, "/shop/report", s.report)
	erpc.HandleCall(s.peer, "/account/login", s.login)
	erpc.HandlePush(s.peer, "/chat/say", s.say)
	erpc.HandleStream(s.peer, "/shop/prices", s.prices)
	lis, err := s.peer.Listen()
	if err != nil {
		_ = s.peer.Close() // it does not serve yet
		return nil, err
	}
	s.addr = lis.Addr().String()
	go s.serve(lis)
	return s, nil
}

func (s *shop) serve(lis net.Listener) {
	if err := s.peer.Serve(lis); err != nil {
		s.peer.Config().Logger.Info("shop: closed", "err", err)
	}
}

func (s *shop) login(ctx context.Context, name *string) (*bool, error) {
	sess := erpc.CallCtxFrom(ctx).Session()
	sess.Swap().Store(nameKey{}, *name)
	room := "chat of the " + strings.Fields("north south east west")[s.peer.Group("customers").Len()%4]
	ok := s.peer.Group("customers").Join(sess) && s.peer.Group(room).Join(sess)
	return &ok, nil
}

func (s *shop) search(ctx context.Context, q *Search) (*[]Product, error) {
	if err := pause(ctx, time.Duration(rand.ExpFloat64()*float64(2*time.Millisecond))); err != nil {
		return nil, err
	}
	found := make([]Product, min(q.Max, 20))
	for i := range found {
		found[i] = Product{Name: q.Words, Price: float64(i) + 0.99}
	}
	return &found, nil
}

func (s *shop) order(ctx context.Context, _ *Order) (*Receipt, error) {
	if err := pause(ctx, time.Duration(10+rand.ExpFloat64()*30)*time.Millisecond); err != nil {
		return nil, err
	}
	switch n := rand.IntN(100); {
	case n < 6:
		return nil, erpc.NewStatus(codeSoldOut, "sold out").Err()
	case n < 8:
		return nil, erpc.NewStatus(codePayment, "the card was refused").Err()
	}
	return &Receipt{Number: s.orders.Add(1), At: time.Now()}, nil
}

// report is a slow call.
func (s *shop) report(ctx context.Context, _ *struct{}) (*map[string]int64, error) {
	if err := pause(ctx, time.Duration(200+rand.IntN(1500))*time.Millisecond); err != nil {
		return nil, err
	}
	return &map[string]int64{"orders": s.orders.Load()}, nil
}

// say pushes a chat line to the customers in the same room.
func (s *shop) say(ctx context.Context, line *string) error {
	sess := erpc.PushCtxFrom(ctx).Session()
	for _, name := range s.peer.Groups(sess) {
		if name != "customers" {
			s.peer.Group(name).Broadcast("/chat/heard", line, []erpc.Session{sess})
		}
	}
	return nil
}

// prices sends the price of each product that the customer names, from time to
// time.
func (s *shop) prices(ctx context.Context, stream *erpc.Stream[string, Product]) error {
	name, err := stream.Recv()
	if err != nil {
		return err
	}
	for {
		if err := stream.Send(&Product{Name: *name, Price: rand.Float64() * 100}); err != nil {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
