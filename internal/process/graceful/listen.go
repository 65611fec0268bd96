package graceful

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/goerpc/erpc/socket"
)

// Listen listens on an address of TCP or of a Unix socket for a server that is not a
// peer. If the process before has handed the listener down, that is taken over. It is
// handed down in turn until it is closed.
func (g *Group) Listen(network, addr string) (net.Listener, error) {
	lis, err := socket.Stream{}.Listen(context.Background(), network, addr, &socket.Options{Inherited: g.inherit(g.logger(), true)})
	if err != nil {
		return nil, fmt.Errorf("graceful: listen: %w", err)
	}
	own := &ownListener{Listener: lis, from: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own = append(g.own, own)
	return own, nil
}

// An ownListener belongs to a server that is not a peer.
type ownListener struct {
	net.Listener // of the transport: it knows what it was asked to listen on
	from         *Group
	end          sync.Once
}

// Asked returns what [Group.Listen] was asked for.
func (l *ownListener) Asked() (network, addr string) { return l.Listener.(asked).Asked() }

// Unwrap returns the listener below, which is handed down.
func (l *ownListener) Unwrap() net.Listener { return l.Listener }

// Close ends the listener, which is not handed down any more.
func (l *ownListener) Close() error {
	l.end.Do(func() {
		l.from.mu.Lock()
		defer l.from.mu.Unlock()
		l.from.own = slices.DeleteFunc(l.from.own, func(other net.Listener) bool { return other == l })
	})
	return l.Listener.Close()
}
