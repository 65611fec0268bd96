package socket

import "context"

// A leadQueue holds the senders of large bodies that wait to lead, first come
// first served. The writer's mutex guards it. The zero value is empty.
type leadQueue struct{ head *leadWaiter }

// A leadWaiter is a sender that waits to lead.
type leadWaiter struct {
	lead chan bool // of capacity 1; gets true with the lead, false if the socket sends nothing more
	next *leadWaiter
}

// push adds a sender at the end.
func (q *leadQueue) push() *leadWaiter {
	l := &leadWaiter{lead: make(chan bool, 1)}
	at := &q.head
	for *at != nil {
		at = &(*at).next
	}
	*at = l
	return l
}

// pass gives the lead to the sender that has waited longest. It reports false
// if nobody waits.
func (q *leadQueue) pass() bool {
	l := q.head
	if l == nil {
		return false
	}
	q.head = l.next
	l.lead <- true
	return true
}

// remove takes l out of the queue. It reports false if l is not in it, because it
// has been told the result.
func (q *leadQueue) remove(l *leadWaiter) bool {
	for at := &q.head; *at != nil; at = &(*at).next {
		if *at == l {
			*at = l.next
			return true
		}
	}
	return false
}

// abort tells all who wait that they will not lead.
func (q *leadQueue) abort() {
	for l := q.head; l != nil; l = l.next {
		l.lead <- false
	}
	q.head = nil
}

// awaitLeadLocked makes the caller the leader, in writingBody, as soon as the one
// before it has written what it took. It unlocks the mutex while it waits.
func (w *writer) awaitLeadLocked(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	if w.state == idle || w.state == scheduled {
		w.state.move(writingBody)
		return nil
	}
	l := w.crowdLocked().leads.push()
	w.mu.Unlock()
	var lead bool
	select {
	case lead = <-l.lead:
		w.mu.Lock()
	case <-ctx.Done():
		w.mu.Lock()
		if w.crowd.leads.remove(l) {
			return ctx.Err()
		}
		lead = <-l.lead // told at the same time; the channel is buffered, so this does not block
	}
	err := w.err
	if err == nil {
		err = ctx.Err()
	}
	if lead && err != nil {
		w.yieldLeadLocked()
	}
	return err
}

// yieldLeadLocked gives up a lead in writingBody when the caller has nothing of
// its own to write.
func (w *writer) yieldLeadLocked() {
	w.state.move(writing)
	w.mu.Unlock()
	w.flush(false)
	w.mu.Lock()
}
