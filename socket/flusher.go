package socket

import (
	"runtime"
	"sync"

	"github.com/goerpc/erpc/internal/fifo"
)

// A flusherPool writes, one turn at a time, what is queued on sockets whose
// leader left the writing to it. Until the pool gets round to one, more may be
// enqueued there, so a broadcaster that outruns the network pays one system
// call for many messages. What is left after a turn goes to the end of the
// line, so busy sockets do not starve quiet ones. The zero value is ready.
type flusherPool struct {
	mu      sync.Mutex          // guards the following
	todo    fifo.Queue[*writer] // in state scheduled, unless a sender was faster
	running int                 // goroutines; at most GOMAXPROCS
}

// add schedules w to be flushed. It never blocks.
func (p *flusherPool) add(w *writer) {
	p.mu.Lock()
	p.todo.Push(w)
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
	for w := p.pop(); w != nil; w = p.pop() {
		w.flushScheduled()
	}
}

// pop returns the next writer, or nil to a goroutine that is to end.
func (p *flusherPool) pop() *writer {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.todo.Pop()
	if !ok {
		p.running--
	}
	return w
}
