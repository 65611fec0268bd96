package cluster

import "sync"

// A waiter waits for answers of other nodes. Its methods do not block, and may be
// called more often than is of use.
type waiter interface {
	answer(e *envelope)
	gone(node string) // "" if no node has the subject that was asked
	fail(err error)
}

// pending are the questions of this node that have no answer yet.
type pending struct {
	mu   sync.Mutex // guards the following
	last uint64
	m    map[uint64]waiter
	err  error // of the end of the cluster
}

// add enters w. After the end of the cluster it fails w at once.
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

// gone tells every question that a node is gone.
func (p *pending) gone(node string) {
	for _, w := range p.all() {
		w.gone(node)
	}
}

// fail ends every question, and those to come.
func (p *pending) fail(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	for _, w := range p.all() {
		w.fail(err)
	}
}
