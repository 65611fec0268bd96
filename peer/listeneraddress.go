package peer

import (
	"net"
	"sync"
)

// A ListenerAddress is a plugin that remembers the address on which its peer
// listens, the last one if there are several. A program uses it to learn the
// port if ListenPort is 0. Before the peer listens, Addr returns nil and the
// other methods "". Its methods may be called concurrently. The zero value is
// ready.
type ListenerAddress struct {
	mu   sync.Mutex // guards the following
	addr net.Addr
}

// Name implements [plugin.Plugin].
func (*ListenerAddress) Name() string { return "ListenerAddress" }

// PostListen implements [PostListenPlugin].
func (l *ListenerAddress) PostListen(addr net.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addr = addr
	return nil
}

// Addr returns the address.
func (l *ListenerAddress) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr
}

// String returns the address as text.
func (l *ListenerAddress) String() string {
	if addr := l.Addr(); addr != nil {
		return addr.String()
	}
	return ""
}

// Host returns the part before the port, or the path of a unix socket.
func (l *ListenerAddress) Host() string {
	host, _ := l.parts()
	return host
}

// Port returns the port, or "" for a unix socket.
func (l *ListenerAddress) Port() string {
	_, port := l.parts()
	return port
}

func (l *ListenerAddress) parts() (host, port string) {
	text := l.String()
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return text, ""
	}
	return host, port
}
