package proxy

import (
	"sync"

	"github.com/goerpc/erpc"
)

// traffic counts the messages of one client that are on their way.
type traffic struct {
	mu       sync.Mutex // guards the following
	inFlight int
	room     chan struct{} // closed when there is room; nil: nobody waits
}

type trafficKey struct{ *proxy }

// traffic returns the count of a session, which lives in its store.
func (p *proxy) traffic(s erpc.CtxSession) *traffic {
	key := trafficKey{p}
	t, ok := s.Swap().Load(key)
	if !ok {
		t, _ = s.Swap().LoadOrStore(key, new(traffic))
	}
	return t.(*traffic)
}

// begin counts a message until the function that it returns is called.
func (t *traffic) begin() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight++
	return t.end
}

func (t *traffic) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
	if t.room != nil {
		close(t.room)
		t.room = nil
	}
}

// await returns when there are fewer than limit messages, or when over is
// closed.
func (t *traffic) await(over <-chan struct{}, limit int) {
	for {
		t.mu.Lock()
		if t.inFlight < limit {
			t.mu.Unlock()
			return
		}
		if t.room == nil {
			t.room = make(chan struct{})
		}
		room := t.room
		t.mu.Unlock()
		select {
		case <-room:
		case <-over:
			return
		}
	}
}
