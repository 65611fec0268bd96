package cluster

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A gather collects the answers of several nodes to one question. It is done
// when each node has sent its last answer or is gone.
type gather struct {
	done chan struct{} // closed once

	mu      sync.Mutex // guards the following
	open    []string   // nodes that have not finished
	answers []*envelope
	err     error
	ended   bool
}

func newGather(ids []string) *gather {
	g := &gather{done: make(chan struct{}), open: slices.Clone(ids)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lookLocked()
	return g
}

func (g *gather) lookLocked() {
	if !g.ended && (len(g.open) == 0 || g.err != nil) {
		g.ended = true
		close(g.done)
	}
}

func (g *gather) answer(e *envelope) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return
	}
	g.answers = append(g.answers, e)
	if e.kind == kindPong || e.kind == kindEnd {
		g.closeLocked(e.node)
	}
}

func (g *gather) gone(node string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closeLocked(node)
}

func (g *gather) closeLocked(node string) {
	g.open = slices.DeleteFunc(g.open, func(id string) bool { return id == node })
	g.lookLocked()
}

func (g *gather) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	g.lookLocked()
}

// result ends the gather and returns the answers. open lists the nodes that
// have not finished.
func (g *gather) result() (answers []*envelope, open []string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	return g.answers, g.open, g.err
}

// ask sends e to all nodes and waits for the answers of the nodes ids, at most
// Options.Answer.
func (c *Cluster) ask(ctx context.Context, ids []string, e *envelope) (answers []*envelope, open []string, err error) {
	g := newGather(ids)
	e.id = c.pending.add(g)
	defer c.pending.remove(e.id)
	if err := c.send(c.subjectAll(), 0, e); err != nil {
		return nil, nil, err
	}
	timer := time.NewTimer(c.opt.Answer)
	defer timer.Stop()
	select {
	case <-g.done:
	case <-timer.C:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	return g.result()
}

// A barrier proves that the subscriptions of this node have reached the others,
// because a node's answer takes the same way as its messages. One round serves
// all callers that were waiting when it began.
type barrier struct {
	mu      sync.Mutex // guards the following
	waiting []chan error
	running bool
}

// pass returns when every node that is alive and not silent has answered.
func (c *Cluster) pass(ctx context.Context) error {
	if len(c.nodes.names(false)) == 0 {
		return nil
	}
	passed := make(chan error, 1)
	b := &c.barrier
	b.mu.Lock()
	b.waiting = append(b.waiting, passed)
	start := !b.running || c.life.is() == lifeClosed
	b.running = true
	b.mu.Unlock()
	if start && !c.spawn(c.passRounds) {
		return ErrNotRunning // later callers fail in the same way
	}
	select {
	case err := <-passed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Cluster) passRounds() {
	b := &c.barrier
	for {
		b.mu.Lock()
		round := b.waiting
		b.waiting = nil
		b.running = len(round) > 0
		b.mu.Unlock()
		if len(round) == 0 {
			return
		}
		_, open, err := c.ask(context.Background(), c.nodes.names(false), &envelope{kind: kindPing})
		c.nodes.silent(open)
		for _, passed := range round {
			passed <- err
		}
	}
}
