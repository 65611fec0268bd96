package mux

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// drainTime is how long after Close a listener still accepts connections that were
// being looked at.
const drainTime = time.Second

// A listener is what Match returns.
type listener struct {
	mux   *Mux // nil: a stand-in for TLS
	rules []Rule
	conns chan net.Conn
	close sync.Once
	over  chan struct{} // closed once nothing more is accepted
	end   func()        // closes over; may be called again
}

func newListener(m *Mux, rules []Rule) *listener {
	l := &listener{mux: m, rules: rules, conns: make(chan net.Conn), over: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.over) })
	return l
}

// Accept implements [net.Listener]. After Close it goes on while connections that
// were being looked at may still arrive: their clients can't tell them from
// accepted ones, so a server that shuts down gracefully serves them.
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

// asked is what a graceful restart calls on a listener.
type asked interface {
	Asked() (network, addr string)
}

// An askedListener is a listener of a mux whose own listener was made by a peer.
type askedListener struct {
	*listener
	asked
}
