package mux

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// drainTime is how long the connections that are being looked at when a listener
// is closed have to become its own.
const drainTime = time.Second

// A listener is what Match returns.
type listener struct {
	mux   *Mux // nil: a stand-in for TLS
	rules []Rule
	conns chan net.Conn
	close sync.Once
	over  chan struct{} // closed when nothing is accepted any more
	end   func()        // closes over; may be called again
}

func newListener(m *Mux, rules []Rule) *listener {
	l := &listener{mux: m, rules: rules, conns: make(chan net.Conn), over: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.over) })
	return l
}

// Accept implements [net.Listener]. After Close it goes on for as long as a
// connection may come that somebody was looking at by then: a server that ends in
// good order serves it, which its client can't tell from one that was accepted.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
	case <-l.mux.done:
	}
	return nil, fmt.Errorf("mux: accept: %w", net.ErrClosed)
}

// Close implements [net.Listener].
func (l *listener) Close() (err error) {
	l.close.Do(func() { err = l.mux.leave(l) })
	return err
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return l.mux.lis.Addr() }

// Unwrap returns the listener below, which a graceful restart hands down.
func (l *listener) Unwrap() net.Listener { return l.mux.lis }

// asked is what a graceful restart wants to know of a listener.
type asked interface {
	Asked() (network, addr string)
}

// An askedListener is one on a listener that a peer has made.
type askedListener struct {
	*listener
	asked
}
