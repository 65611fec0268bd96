package cluster

import (
	"context"
	"sync"
)

// maxQueued is how many bytes may wait for a node of a [Memory]. Messages
// beyond that are dropped.
const maxQueued = 64 << 20

// A Memory carries messages between nodes in one process. Use it for a single
// node, which then needs no server, and for tests. All methods may be called
// concurrently.
type Memory struct {
	mu   sync.Mutex                            // guards subs and every engine's subjects
	subs map[string]map[*MemoryEngine]struct{} // by subject
	logs memoryLogs                            // has its own mutex, which is taken after mu
}

// NewMemory returns a medium without nodes.
func NewMemory() *Memory {
	return &Memory{subs: map[string]map[*MemoryEngine]struct{}{}, logs: memoryLogs{m: map[string]*memoryLog{}}}
}

// Engine returns the engine of one more node.
func (m *Memory) Engine() *MemoryEngine {
	return &MemoryEngine{bus: m, subjects: map[string]struct{}{}, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// A MemoryEngine is the [Engine] of one node.
type MemoryEngine struct {
	bus      *Memory
	subjects map[string]struct{} // guarded by bus.mu
	ended    chan struct{}       // closed when run has returned
	wake     chan struct{}

	mu     sync.Mutex // guards the following; taken after bus.mu
	state  memoryState
	queue  []queuedEvent
	queued int // bytes
	lost   bool
}

// A queuedEvent waits for a node. Events of size 0 are never dropped.
type queuedEvent struct {
	size int
	tell func(Events)
}

// memoryState is the life-cycle state of a memory engine.
type memoryState byte

const (
	memoryNew memoryState = iota
	memoryUp
	memoryDown
	memoryClosed
)

func (s memoryState) String() string {
	return [...]string{"new", "up", "down", "closed"}[s]
}

// Start implements [Engine].
func (e *MemoryEngine) Start(_ context.Context, ev Events) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != memoryNew {
		return ErrNotRunning
	}
	e.state = memoryUp
	go e.run(ev)
	return nil
}

func (e *MemoryEngine) run(ev Events) {
	defer close(e.ended)
	for range e.wake {
		for {
			e.mu.Lock()
			queue, lost := e.queue, e.lost
			e.queue, e.queued, e.lost = nil, 0, false
			closed := e.state == memoryClosed
			e.mu.Unlock()
			if closed {
				return
			}
			if len(queue) == 0 && !lost {
				break
			}
			for _, q := range queue {
				q.tell(ev)
			}
			if lost {
				ev.Dropped("")
			}
		}
	}
}

// put queues f, which counts as size bytes. Events of size 0 are never dropped.
func (e *MemoryEngine) put(size int, f func(Events)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == memoryClosed {
		return
	}
	if size > 0 && (e.queued+size > maxQueued || e.state != memoryUp) {
		e.lost = e.lost || e.state == memoryUp
	} else {
		e.queue, e.queued = append(e.queue, queuedEvent{size, f}), e.queued+size
	}
	e.wakeLocked()
}

func (e *MemoryEngine) wakeLocked() {
	select {
	case e.wake <- struct{}{}:
	default: // run is already awake
	}
}

// Subscribe implements [Engine].
func (e *MemoryEngine) Subscribe(_ context.Context, subject string) error {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	if !e.is(memoryUp) {
		return ErrDown
	}
	if e.bus.subs[subject] == nil {
		e.bus.subs[subject] = map[*MemoryEngine]struct{}{}
	}
	e.bus.subs[subject][e] = struct{}{}
	e.subjects[subject] = struct{}{}
	return nil
}

// Unsubscribe implements [Engine].
func (e *MemoryEngine) Unsubscribe(subject string) error {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	e.removeLocked(subject)
	delete(e.subjects, subject)
	return nil
}

func (e *MemoryEngine) removeLocked(subject string) {
	delete(e.bus.subs[subject], e)
	if len(e.bus.subs[subject]) == 0 {
		delete(e.bus.subs, subject)
	}
}

// Publish implements [Engine].
func (e *MemoryEngine) Publish(subject string, token uint64, data []byte) error {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	if !e.is(memoryUp) {
		return ErrDown
	}
	subs := e.bus.subs[subject]
	if len(subs) == 0 && token != 0 {
		e.put(0, func(ev Events) { ev.Nobody(token) })
	}
	for to := range subs {
		to.put(1+len(data), func(ev Events) { ev.Message(subject, data) })
	}
	return nil
}

// MaxPayload implements [Engine].
func (e *MemoryEngine) MaxPayload() int { return 16 << 20 }

// SetConnected disconnects the node from the others, or connects it again, for
// tests of network failures. It does nothing before Start and after Close.
func (e *MemoryEngine) SetConnected(on bool) {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	switch {
	case on && e.moves(memoryDown, memoryUp):
		for s := range e.subjects {
			if e.bus.subs[s] == nil {
				e.bus.subs[s] = map[*MemoryEngine]struct{}{}
			}
			e.bus.subs[s][e] = struct{}{}
		}
		e.put(0, Events.Up)
	case !on && e.moves(memoryUp, memoryDown):
		for s := range e.subjects {
			e.removeLocked(s)
		}
		e.put(0, func(ev Events) { ev.Down(ErrDown) })
	}
}

func (e *MemoryEngine) is(s memoryState) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == s
}

// moves changes the state from from to to, and reports whether the state was
// from.
func (e *MemoryEngine) moves(from, to memoryState) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != from {
		return false
	}
	e.state = to
	return true
}

// Close implements [Engine].
func (e *MemoryEngine) Close() error {
	e.bus.mu.Lock()
	for s := range e.subjects {
		e.removeLocked(s)
	}
	e.mu.Lock()
	was := e.state
	e.state, e.queue = memoryClosed, nil
	e.wakeLocked()
	e.mu.Unlock()
	e.bus.mu.Unlock()
	if was == memoryUp || was == memoryDown {
		<-e.ended
	}
	return nil
}
