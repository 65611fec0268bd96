package mux

import (
	"fmt"
	"net"
	"sync"
)

// A listener is what Match returns.
type listener struct {
	mux   *Mux // nil: a stand-in for TLS
	rules []Rule
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
	case <-l.mux.done:
	}
	return nil, fmt.Errorf("mux: accept: %w", net.ErrClosed)
}

// Close implements [net.Listener].
func (l *listener) Close() (err error) {
	l.once.Do(func() {
		close(l.done)
		l.mux.mu.Lock()
		l.mux.open--
		last := l.mux.open == 0
		l.mux.mu.Unlock()
		if last {
			err = l.mux.Close()
		}
	})
	return err
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return l.mux.lis.Addr() }
