package cluster

import "sync"

// A waiter waits for answers of other nodes. Its methods do not block, and must
// tolerate extra calls.
type waiter interface {
	answer(e *envelope)
	gone(node string) // node is "" if the subject has no subscribers
	fail(err error)
}

// pending holds the requests of this node that have no answer yet.
type pending struct {
	mu   sync.Mutex // guards the following
	last uint64
	m    map[uint64]waiter
	err  error // set when the cluster is closed
}

// add adds w. If the cluster is closed, it fails w at once.
func (p *pending) add(w waiter) (id uint64) {
	p.mu.Lock()
	p.last++
	id = p.last
	err := p.err
	if err == nil {
		p.m[id] = w
	}
	p.mu.Unlock()
	if err != nil {
		w.fail(err)
	}
	return id
}

func (p *pending) remove(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, id)
}

func (p *pending) get(id uint64) (waiter, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.m[id]
	return w, ok
}

func (p *pending) all() []waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]waiter, 0, len(p.m))
	for _, w := range p.m {
		all = append(all, w)
	}
	return all
}

// gone tells every waiter that a node is gone.
func (p *pending) gone(node string) {
	for _, w := range p.all() {
		w.gone(node)
	}
}

// fail ends every waiter, and those that are added later.
func (p *pending) fail(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	for _, w := range p.all() {
		w.fail(err)
	}
}
