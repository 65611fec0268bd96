package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// An Observer knows which services the nodes of a cluster announce, without
// being a node. It is for clients and gateways. All methods may be called
// concurrently.
type Observer struct {
	engine Engine
	opt    Options
	log    *slog.Logger
	name   string
	nodes  nodes
	stop   context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
}

// Observe starts an observer of the cluster with the prefix and beat of the
// options. Later errors are logged to log, which may be nil.
func Observe(ctx context.Context, engine Engine, opt Options, log *slog.Logger) (*Observer, error) {
	opt.setDefaults()
	if !prefixForm.MatchString(opt.Prefix) {
		return nil, fmt.Errorf("cluster: prefix %q: use letters, digits, '-' and '_'", opt.Prefix)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o := &Observer{engine: engine, opt: opt, log: log, name: strings.ToLower(rand.Text())}
	o.nodes.m = map[string]*node{}
	if err := engine.Start(ctx, observed{o}); err != nil {
		return nil, fmt.Errorf("cluster: start the engine: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop = stop
	if err := o.begin(ctx); err != nil {
		_ = o.Close() // return the first error
		return nil, err
	}
	o.wg.Go(func() { o.tick(running) })
	return o, nil
}

func (o *Observer) begin(ctx context.Context) error {
	for _, subject := range []string{o.opt.Prefix + ".n." + o.name, o.opt.Prefix + ".all"} {
		if err := o.engine.Subscribe(ctx, subject); err != nil {
			return fmt.Errorf("cluster: subscribe: %w", err)
		}
	}
	return o.ask()
}

// ask makes every node announce itself.
func (o *Observer) ask() error {
	e := &envelope{kind: kindWho, node: o.name}
	return o.engine.Publish(o.opt.Prefix+".all", 0, e.encode())
}

func (o *Observer) tick(ctx context.Context) {
	ticker := time.NewTicker(o.opt.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			o.nodes.expire(now.Add(-3 * o.opt.Beat))
		}
	}
}

// Services returns the services with that name, in a fixed order. While the
// engine is disconnected, it returns the last known ones.
func (o *Observer) Services(name string) []Service {
	all := o.nodes.services(name)
	sortServices(all)
	return all
}

// ServicesChanged is like [Cluster.ServicesChanged].
func (o *Observer) ServicesChanged() <-chan struct{} { return o.nodes.awaitChange() }

// Close ends the observer and its engine.
func (o *Observer) Close() (err error) {
	o.once.Do(func() {
		o.stop()
		err = o.engine.Close()
		o.wg.Wait()
	})
	return err
}

// observed receives the events of an observer's engine.
type observed struct{ o *Observer }

// Message implements [Events].
func (ev observed) Message(_ string, data []byte) {
	e, err := decode(data)
	if err != nil {
		ev.o.log.Warn("cluster: observer", "err", err)
		return
	}
	switch e.kind {
	case kindHello, kindBeat:
		if _, err := ev.o.nodes.announced(e); err != nil {
			ev.o.log.Warn("cluster: observer", "node", e.node, "err", err)
		}
	case kindBye:
		ev.o.nodes.leave(e.node)
	}
}

// Stored implements [Events].
func (observed) Stored(string, Position, uint64, []byte) {}

// Nobody implements [Events].
func (observed) Nobody(uint64) {}

// Dropped implements [Events]: the next beats repeat everything.
func (observed) Dropped(string) {}

// Down implements [Events].
func (ev observed) Down(err error) {
	ev.o.nodes.setCut(true)
	ev.o.log.Warn("cluster: observer: the engine is disconnected", "err", err)
}

// Up implements [Events].
func (ev observed) Up() {
	ev.o.nodes.setCut(false)
	if err := ev.o.ask(); err != nil {
		ev.o.log.Warn("cluster: observer", "err", err)
	}
}
