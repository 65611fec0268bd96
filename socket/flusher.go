package socket

import (
	"runtime"
	"sync"
)

// A flusherPool writes outboxes whose leader left the writing to it. While it
// gets round to one, more may be put into that, so that a broadcaster that
// outruns the network pays one system call for many messages. The zero value
// is ready.
type flusherPool struct {
	mu      sync.Mutex // guards the following
	todo    []*outbox  // led by the pool
	next    int        // todo[:next] is done
	running int
}

func (p *flusherPool) add(o *outbox) {
	p.mu.Lock()
	p.todo = append(p.todo, o)
	start := p.running < runtime.GOMAXPROCS(0)
	if start {
		p.running++
	}
	p.mu.Unlock()
	if start {
		go p.run()
	}
}

func (p *flusherPool) run() {
	for {
		p.mu.Lock()
		if p.next == len(p.todo) {
			p.todo, p.next = p.todo[:0], 0
			p.running--
			p.mu.Unlock()
			return
		}
		o := p.todo[p.next]
		p.todo[p.next] = nil
		p.next++
		if p.next > 4096 && p.next*2 > len(p.todo) {
			n := copy(p.todo, p.todo[p.next:])
			clear(p.todo[n:])
			p.todo, p.next = p.todo[:n], 0
		}
		p.mu.Unlock()
		o.flushLeft()
	}
}
