package dashboard

import (
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// A meeting records how a session began.
type meeting struct {
	began    time.Time
	protocol string
	dialed   bool
}

// meetings holds the meetings of the open sessions. The key is the session's
// store, which is the same for all views of the session. The zero value is
// ready.
type meetings struct {
	mu sync.Mutex // guards m
	m  map[erpc.Map]meeting
	n  int // number of accepted sessions in m
}

// begin is called for each connection of a session. It keeps what the first
// call recorded, except for the protocol.
func (t *meetings) begin(sess erpc.PreSession, dialed bool) {
	_, protocol := sess.GetProtoFunc()().Version()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = make(map[erpc.Map]meeting)
	}
	m, known := t.m[sess.Swap()]
	if !known {
		m = meeting{began: time.Now(), dialed: dialed}
		if !dialed {
			t.n++
		}
	}
	m.protocol = protocol
	t.m[sess.Swap()] = m
}

func (t *meetings) end(sess erpc.BaseSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m, known := t.m[sess.Swap()]; known && !m.dialed {
		t.n--
	}
	delete(t.m, sess.Swap())
}

func (t *meetings) of(sess erpc.Session) meeting {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[sess.Swap()]
}

// accepted returns the number of open sessions that other peers dialed.
func (t *meetings) accepted() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}
