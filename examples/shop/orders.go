package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/overloader"
	"github.com/goerpc/erpc/plugin/retry"
)

// orders processes orders by calls to stock and payment. Each step is
// idempotent, and the state changes only when the outcome of a step is known.
// So a stuck order continues when its customer asks again, or when settle
// retries it.
type orders struct {
	stock, payment erpc.CallMaker
	max            int
	log            *slog.Logger

	mu  sync.Mutex // guards the following
	all map[string]*order
}

// An order is one order. place never changes. turn, which has room for one
// value, works as a lock for the other fields; the goroutine that processes the
// order holds it.
type order struct {
	place  Place
	turn   chan struct{}
	state  orderState
	reason string
	cents  int64
}

func newOrders(stock, payment erpc.CallMaker, max int, log *slog.Logger) *orders {
	return &orders{stock: stock, payment: payment, max: max, log: log, all: map[string]*order{}}
}

func startOrders(ctx context.Context, cfg *Config, log *slog.Logger, observers []erpc.Plugin) (_ *service, err error) {
	c := cfg.Orders
	c.Peer.Logger = log
	r := retry.New(c.Retry)
	p := erpc.NewPeer(c.Peer, slices.Concat(observers, []erpc.Plugin{overloader.New(c.Overload), r})...)
	defer func() {
		if err != nil {
			_ = p.Close() // return the error instead
		}
	}()
	stock, err := dial(ctx, p, c.Stock, r)
	if err != nil {
		return nil, err
	}
	payment, err := dial(ctx, p, c.Payment, r)
	if err != nil {
		return nil, err
	}
	o := newOrders(stock, payment, c.MaxOrders, log)
	placeOrder.Handle(p, o.placed)
	findOrder.Handle(p, o.find)
	s, err := serve(p)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	var settling sync.WaitGroup
	settling.Go(func() { o.settle(life, c.Settle) })
	s.stop = func() { end(); settling.Wait() }
	return s, nil
}

// placed is the handler of placeOrder.
func (o *orders) placed(ctx context.Context, arg *Place) (*Order, error) {
	x, err := o.enter(arg)
	if err != nil {
		return nil, err
	}
	return o.advance(ctx, x)
}

// find is the handler of findOrder. It only waits for the goroutine that
// processes the order.
func (o *orders) find(ctx context.Context, id *OrderID) (*Order, error) {
	o.mu.Lock()
	x := o.all[id.ID]
	o.mu.Unlock()
	if x == nil {
		return nil, erpc.NewStatus(codeUnknownOrder, "there is no such order", id.ID).Err()
	}
	if err := x.lock(ctx); err != nil {
		return nil, err
	}
	defer x.unlock()
	return x.viewLocked(), nil
}

// enter returns the order with that id, and adds it if there is none.
func (o *orders) enter(arg *Place) (*order, error) {
	if l := len(arg.ID); l == 0 || l > 64 || arg.Customer == "" || arg.Item == "" || arg.Count < 1 || arg.Count > 1000 {
		return nil, erpc.NewStatus(codeBadOrder, "an order has an id of up to 64 bytes, a customer, an item, and a count of 1 to 1000").Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if x := o.all[arg.ID]; x != nil {
		if x.place != *arg {
			return nil, erpc.NewStatus(codeOtherOrder, "this id belongs to another order", arg.ID).Err()
		}
		return x, nil
	}
	if len(o.all) >= o.max {
		return nil, erpc.NewStatus(erpc.CodeExhausted, "too many orders").Err()
	}
	x := &order{place: *arg, turn: make(chan struct{}, 1)}
	o.all[arg.ID] = x
	return x, nil
}

func (x *order) lock(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *order) unlock() { <-x.turn }

func (x *order) viewLocked() *Order {
	return &Order{Place: x.place, State: x.state.String(), Reason: x.reason, Cents: x.cents}
}

func (x *order) moveLocked(next orderState) {
	if !x.state.may(next) {
		panic(fmt.Sprintf("an order can't go from %v to %v", x.state, next))
	}
	x.state = next
}

// advance processes an order as far as possible. An error means that the
// outcome of a step is unknown, or that the step was not executed: the order
// keeps its state.
func (o *orders) advance(ctx context.Context, x *order) (*Order, error) {
	if err := x.lock(ctx); err != nil {
		return nil, err
	}
	defer x.unlock()
	for !x.state.settled() {
		if err := o.stepLocked(ctx, x); err != nil {
			return nil, err
		}
	}
	return x.viewLocked(), nil
}

func (o *orders) stepLocked(ctx context.Context, x *order) error {
	p := &x.place
	switch x.state {
	case orderNew:
		r, err := reserveItems.Call(ctx, o.stock, &Reserve{p.ID, p.Item, p.Count})
		if err == nil {
			x.cents = r.Cents
		}
		return x.outcomeLocked(err, orderReserved, orderRefused)
	case orderReserved:
		_, err := chargeCustomer.Call(ctx, o.payment, &Charge{p.ID, p.Customer, x.cents})
		return x.outcomeLocked(err, orderPaid, orderReleasing)
	default:
		_, err := releaseItems.Call(ctx, o.stock, &OrderID{p.ID})
		return x.outcomeLocked(err, orderRefused, orderRefused)
	}
}

// outcomeLocked moves the order to done, or to refused if a service has
// answered with one of the shop's codes, which is a decision. After any other
// error the outcome is unknown.
func (x *order) outcomeLocked(err error, done, refused orderState) error {
	switch st := erpc.StatusFromError(err); {
	case st.OK():
		x.moveLocked(done)
	case st.Code() > 1000:
		x.reason = st.Msg()
		x.moveLocked(refused)
	default:
		return err
	}
	return nil
}

// settle periodically continues orders that are not settled, until ctx ends.
func (o *orders) settle(ctx context.Context, every time.Duration) {
	for tick := time.Tick(every); ; {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
		for _, x := range o.unsettled() {
			stepCtx, cancel := context.WithTimeout(ctx, every)
			if _, err := o.advance(stepCtx, x); err != nil && ctx.Err() == nil {
				o.log.Warn("an order is not settled yet", "order", x.place.ID, "err", err)
			}
			cancel()
		}
	}
}

// unsettled returns the unfinished orders that are not being processed.
func (o *orders) unsettled() []*order {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*order
	for _, x := range o.all {
		select {
		case x.turn <- struct{}{}:
			if !x.state.settled() {
				list = append(list, x)
			}
			x.unlock()
		default:
		}
	}
	return list
}
