package socket

import (
	"context"
	"errors"
	"testing"
)

// A queue of 100 bytes: who may add a message to it.
func TestAdmission(t *testing.T) {
	for _, c := range []struct {
		name           string
		queued, stream int  // bytes
		waits          bool // another sender waits for room
		streamWaits    bool // another sender of a stream does
		mode           putMode
		n              int
		want           bool
	}{
		{"fills the queue", 60, 0, false, false, putMode{}, 40, true},
		{"a byte too many", 60, 0, false, false, putMode{}, 41, false},
		{"any size, if it is the only one", 0, 0, false, false, putMode{}, 1000, true},
		{"behind one that waits", 10, 0, true, false, putMode{}, 1, false},
		{"in front of a stream that waits", 10, 0, false, true, putMode{}, 1, true},
		{"fills the reserve", 160, 0, false, false, putMode{full: Reserved}, 40, true},
		{"a byte too many for the reserve", 160, 0, false, false, putMode{full: Reserved}, 41, false},
		{"the reserve, while one waits", 160, 0, true, false, putMode{full: Reserved}, 1, true},
		{"fills the part of streams", 20, 20, false, false, putMode{stream: true}, 5, true},
		{"a byte too many for streams", 20, 20, false, false, putMode{stream: true}, 6, false},
		{"the only one of a stream", 10, 0, false, false, putMode{stream: true}, 90, true},
		{"the only one of a stream in a full queue", 11, 0, false, false, putMode{stream: true}, 90, false},
		{"a stream behind a call", 10, 0, true, false, putMode{stream: true}, 1, false},
		{"a stream behind another", 10, 0, false, true, putMode{stream: true}, 1, false},
	} {
		w := newWriter(nil, nil, Config{QueueLimit: 100})
		w.queue.n, w.queue.stream = c.queued, c.stream
		if c.waits {
			w.crowdLocked().room.push(nil, putMode{})
		}
		if c.streamWaits {
			w.crowdLocked().streamRoom.push(nil, putMode{})
		}
		if got := w.admitsLocked(c.n, c.mode); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// The policy of a push applies when the other side is slow, not when goroutines of this
// package are late or a large frame is being written.
func TestPolicyIsForASlowReader(t *testing.T) {
	for _, c := range []struct {
		policy  Policy
		state   writerState
		want    error
		dropped uint64
	}{
		{DropNew, writing, ErrQueueFull, 1},
		{DropNew, writingBody, ErrQueueFull, 1},
		{DropNew, scheduled, ErrQueueFull, 0},
		{DropNew, starting, ErrQueueFull, 0},
		{Disconnect, writing, ErrSlowReader, 1},
		{Disconnect, writingBody, ErrQueueFull, 0},
		{Disconnect, scheduled, ErrQueueFull, 0},
		{Disconnect, starting, ErrQueueFull, 0},
	} {
		conn := new(scripted)
		w := newWriter(conn, fullKernel{}, Config{QueueLimit: 100, Policy: c.policy})
		w.state = c.state
		w.queue.add(make([]byte, 100))
		w.mu.Lock()
		queued, err := w.makeRoomLocked(t.Context(), make([]byte, 10), putMode{full: NoWait, push: true, policy: c.policy}, true)
		w.mu.Unlock()
		if queued || !errors.Is(err, c.want) || w.crowdLocked().dropped != c.dropped {
			t.Errorf("%s, %v: %v and %d dropped, want %v and %d", c.policy, c.state, err, w.crowd.dropped, c.want, c.dropped)
		}
		if ends := c.want == ErrSlowReader; conn.isClosed() != ends || !ends && w.state != c.state {
			t.Errorf("%s, %v: closed %v, now %v", c.policy, c.state, conn.isClosed(), w.state)
		}
	}
}

// NotifyRoom promises to tell only if the queue is to be taken.
func TestNotifyRoomPromises(t *testing.T) {
	for _, c := range []struct {
		name  string
		state writerState
		n     int
		err   error
		want  bool
	}{
		{"a leader will take the queue", writing, 5, nil, true},
		{"one of the pool will", scheduled, 5, nil, true},
		{"nobody will", idle, 5, nil, false},
		{"the queue is empty", writing, 0, nil, false},
		{"nothing can be sent", writing, 5, errBroken, false},
	} {
		w := newWriter(nil, nil, Config{})
		w.state, w.err = c.state, c.err
		w.queue.add(make([]byte, c.n))
		told := 0
		if got := w.notifyRoom(func() { told++ }); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if f := w.crowd.takeOnRoom(); (f != nil) != c.want || told > 0 {
			t.Errorf("%s: told %d times, kept %v", c.name, told, f != nil)
		}
	}
}

// After a sender has given up, GaveUp is true until the queue is written. A sender whose
// message was queued as its context ended has not given up.
func TestGivingUp(t *testing.T) {
	s := new(Socket)
	w := &s.out
	w.init(nil, nil, Config{QueueLimit: 10}.Complete())
	w.state = writing
	w.queue.add(make([]byte, 10))
	served := w.crowdLocked().room.push([]byte("served"), putMode{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.put(ctx, make([]byte, 5), putMode{policy: Block}); !errors.Is(err, context.Canceled) || !s.GaveUp() {
		t.Errorf("the sender whose context has ended: %v, GaveUp is %v", err, s.GaveUp())
	}
	if w.take() == nil || s.GaveUp() {
		t.Error("GaveUp is still true after a write")
	}
	if err := w.giveUp(served, context.Canceled); err != nil || s.GaveUp() {
		t.Errorf("the sender whose message is queued: %v, GaveUp is %v", err, s.GaveUp())
	}
	if w.queue.n != len("served") {
		t.Errorf("%d bytes are queued", w.queue.n)
	}
}
