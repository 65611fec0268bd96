// Package accept is shared by transports whose listeners are not listeners of the
// system: connections come from goroutines of the transport, wait to be accepted, and
// keep the resources below them in use until the last one has ended.
package accept

import (
	"net"
	"sync"
)

// A Queue hands connections to Accept. Its methods may be called concurrently.
type Queue struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
	free  func()

	mu     sync.Mutex // guards the following
	open   int        // connections that were added and have not ended
	closed bool
}

// NewQueue returns a queue. free, which may be nil, releases what is below the
// connections. It is called once, when the queue is closed and every connection that
// was added has ended. It must not call the queue.
func NewQueue(free func()) *Queue {
	return &Queue{conns: make(chan net.Conn), done: make(chan struct{}), free: free}
}

// Done returns a channel that is closed by Close.
func (q *Queue) Done() <-chan struct{} { return q.done }

// Offer waits until c is accepted and reports true. If the queue or gone, which may be
// nil, is closed first, it reports false, and c still belongs to the caller.
func (q *Queue) Offer(c net.Conn, gone <-chan struct{}) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.done:
	case <-gone:
	}
	return false
}

// Accept returns the next connection, or [net.ErrClosed] after Close.
func (q *Queue) Accept() (net.Conn, error) {
	select {
	case <-q.done: // first, even if a connection waits
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Add counts a connection. Ended must be called when it has ended. It reports false if
// the queue is closed.
func (q *Queue) Add() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.open++
	}
	return !q.closed
}

// Ended is called once for each connection that was added.
func (q *Queue) Ended() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	q.freeLocked()
}

// Close ends Accept and Offer. Connections that were accepted go on. It returns
// [net.ErrClosed] if the queue is closed already.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	q.closed = true
	close(q.done)
	q.freeLocked()
	return nil
}

func (q *Queue) freeLocked() {
	if q.closed && q.open == 0 && q.free != nil {
		q.free()
		q.free = nil
	}
}
