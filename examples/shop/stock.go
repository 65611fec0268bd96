package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/overloader"
)

// A stock reserves items for orders. Each order has at most one reservation, so
// both methods are idempotent.
type stock struct {
	mu       sync.Mutex // guards the following
	items    map[string]*ItemConfig
	reserved map[string]Reserve // by order
}

func newStock(items []ItemConfig) *stock {
	s := &stock{items: map[string]*ItemConfig{}, reserved: map[string]Reserve{}}
	for _, item := range items {
		s.items[item.Name] = &item
	}
	return s
}

func startStock(_ context.Context, cfg *Config, log *slog.Logger, observers []erpc.Plugin) (*service, error) {
	c := cfg.Stock
	c.Peer.Logger = log
	p := erpc.NewPeer(c.Peer, slices.Concat(observers, []erpc.Plugin{overloader.New(c.Overload)})...)
	newStock(c.Items).handle(p)
	return serve(p)
}

func (s *stock) handle(p erpc.Peer) {
	reserveItems.Handle(p, s.reserve)
	releaseItems.Handle(p, s.release)
}

func (s *stock) reserve(_ context.Context, r *Reserve) (*Reservation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[r.Item]
	if !ok {
		return nil, erpc.NewStatus(codeSoldOut, "there is no such item", r.Item).Err()
	}
	cost := &Reservation{item.Cents * int64(r.Count)}
	if old, ok := s.reserved[r.ID]; ok {
		if old != *r {
			return nil, erpc.NewStatus(codeOtherOrder, "other items are reserved for this order", r.ID).Err()
		}
		return cost, nil
	}
	if r.Count < 1 || r.Count > item.Count {
		return nil, erpc.NewStatus(codeSoldOut, "sold out", r.Item).Err()
	}
	item.Count -= r.Count
	s.reserved[r.ID] = *r
	return cost, nil
}

func (s *stock) release(_ context.Context, id *OrderID) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.reserved[id.ID]; ok {
		s.items[r.Item].Count += r.Count
		delete(s.reserved, id.ID)
	}
	return &struct{}{}, nil
}
