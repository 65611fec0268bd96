package socket

import (
	"context"
	"fmt"
	"time"
)

// A roomQueue holds the senders that wait for room in a full queue, first come
// first served. The leader enqueues their frames for them as it makes room, so
// a sender that comes later can't overtake one that waits. The writer's mutex
// guards it. The zero value is empty.
type roomQueue struct{ head, tail *roomWaiter }

// A roomWaiter is a sender that waits for room. It belongs to the queue until
// it gets a result or is removed.
type roomWaiter struct {
	frame  []byte
	mode   putMode
	result chan error // of capacity 1; nil: the frame is in the queue
	next   *roomWaiter
}

// push adds a sender at the end.
func (q *roomQueue) push(frame []byte, mode putMode) *roomWaiter {
	r := &roomWaiter{frame: frame, mode: mode, result: make(chan error, 1)}
	if q.tail == nil {
		q.head = r
	} else {
		q.tail.next = r
	}
	q.tail = r
	return r
}

// pop takes the sender that has waited longest out of the queue. The queue must
// not be empty.
func (q *roomQueue) pop() *roomWaiter {
	r := q.head
	q.head = r.next
	if q.head == nil {
		q.tail = nil
	}
	r.next = nil
	return r
}

// remove takes r out of the queue. It reports false if r is not in it, because
// it has its result.
func (q *roomQueue) remove(r *roomWaiter) bool {
	var before *roomWaiter
	for at := q.head; at != nil; before, at = at, at.next {
		if at != r {
			continue
		}
		if before == nil {
			q.head = r.next
		} else {
			before.next = r.next
		}
		if q.tail == r {
			q.tail = before
		}
		r.next = nil
		return true
	}
	return false
}

// abort gives err to all who wait.
func (q *roomQueue) abort(err error) {
	for q.head != nil {
		q.pop().result <- err
	}
}

// waitForRoomLocked returns nil once the leader has enqueued frame, else the
// reason why it has not. It unlocks the mutex while it waits. Meanwhile the bytes
// of a reply count as waiting.
func (w *writer) waitForRoomLocked(ctx context.Context, frame []byte, mode putMode) error {
	q := &w.crowdLocked().room
	if mode.stream {
		q = &w.crowd.streamRoom
	}
	r := q.push(frame, mode)
	w.mu.Unlock()
	if mode.weight > 0 {
		w.load(1, mode.weight)
		defer w.load(-1, -mode.weight)
	}
	err := w.awaitRoom(ctx, r)
	w.mu.Lock()
	return err
}

// awaitRoom waits for the result of r. For a push it ends the connection if the
// other side reads less than QueueLimit bytes in a WriteTimeout: a byte now and
// then keeps a connection alive but must not hold up those who push to it.
func (w *writer) awaitRoom(ctx context.Context, r *roomWaiter) error {
	var look <-chan time.Time
	if r.mode.push && w.cfg.WriteTimeout > 0 {
		t := time.NewTicker(w.cfg.WriteTimeout)
		defer t.Stop()
		look = t.C
	}
	for moved := w.moved.Load(); ; {
		select {
		case err := <-r.result:
			return err
		case <-ctx.Done():
			return w.giveUp(r, ctx.Err())
		case <-look:
		}
		now := w.moved.Load()
		if now-moved < uint64(w.cfg.QueueLimit) {
			w.fail(fmt.Errorf("%w: less than %d bytes in %v while pushes wait", ErrSlowReader, w.cfg.QueueLimit, w.cfg.WriteTimeout))
			return <-r.result // fail gives a result to all who wait
		}
		moved = now
	}
}

// giveUp ends the wait of r with err, unless it has its result.
func (w *writer) giveUp(r *roomWaiter, err error) error {
	w.mu.Lock()
	waited := w.crowd.room.remove(r)
	w.gaveUp = w.gaveUp || waited
	waited = waited || w.crowd.streamRoom.remove(r)
	if waited {
		w.grantLocked() // a large frame may have held up smaller ones
	}
	w.mu.Unlock()
	if !waited {
		return <-r.result
	}
	return err
}

// grantLocked enqueues the frames of those who have waited longest, as many as
// there is room for. Messages of streams come last. They have their part of the
// queue even if the rest is full, because a steady flow of other messages would
// starve them.
func (w *writer) grantLocked() {
	c := w.crowd
	if c == nil {
		return
	}
	for c.room.head != nil && w.hasRoomLocked(len(c.room.head.frame), w.cfg.QueueLimit) {
		w.grantOneLocked(&c.room)
	}
	for c.streamRoom.head != nil && w.hasStreamRoomLocked(len(c.streamRoom.head.frame)) {
		w.grantOneLocked(&c.streamRoom)
	}
}

func (w *writer) grantOneLocked(q *roomQueue) {
	r := q.pop()
	w.appendLocked(r.frame, r.mode)
	r.result <- nil
}
