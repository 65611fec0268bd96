package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/overloader"
)

// A payment charges customers. It charges each order once, however often it is
// asked.
type payment struct {
	maxCents int64

	mu       sync.Mutex // guards the following
	receipts map[string]Receipt
	spent    map[string]int64 // by customer
}

func newPayment(maxCents int64) *payment {
	return &payment{maxCents: maxCents, receipts: map[string]Receipt{}, spent: map[string]int64{}}
}

func startPayment(_ context.Context, cfg *Config, log *slog.Logger, observers []erpc.Plugin) (*service, error) {
	c := cfg.Payment
	c.Peer.Logger = log
	p := erpc.NewPeer(c.Peer, slices.Concat(observers, []erpc.Plugin{overloader.New(c.Overload)})...)
	chargeCustomer.Handle(p, newPayment(c.MaxCents).charge)
	return serve(p)
}

func (p *payment) charge(_ context.Context, c *Charge) (*Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.receipts[c.ID]; ok {
		return &r, nil
	}
	if c.Cents <= 0 || c.Cents > p.maxCents-p.spent[c.Customer] {
		return nil, erpc.NewStatus(codeDeclined, "the payment was declined", c.Customer).Err()
	}
	p.spent[c.Customer] += c.Cents
	r := Receipt{len(p.receipts) + 1}
	p.receipts[c.ID] = r
	return &r, nil
}
