package eventloop

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/goerpc/erpc/socket"
)

// Network is the name of the network; with 4 or 6 behind it, that of one
// version of IP only.
const Network = "evtcp"

// A Transport dials and listens over TCP. Its connections share an event loop,
// which ends with the last of them. The zero value is ready. It must not be
// copied.
type Transport struct {
	mu   sync.Mutex // guards the following
	loop *loop      // nil while there is no connection
}

var _ socket.Transport = (*Transport)(nil)

// Networks implements [socket.Transport].
func (t *Transport) Networks() []string { return []string{Network, Network + "4", Network + "6"} }

// Dial implements [socket.Transport].
func (t *Transport) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	conn, err := t.stream().Dial(ctx, tcp(network), addr, o)
	if err != nil {
		return nil, fmt.Errorf("eventloop: dial: %w", err)
	}
	return conn, nil
}

// Listen implements [socket.Transport].
func (t *Transport) Listen(ctx context.Context, network, addr string, o *socket.Options) (net.Listener, error) {
	lis, err := t.stream().Listen(ctx, tcp(network), addr, o)
	if err != nil {
		return nil, fmt.Errorf("eventloop: listen: %w", err)
	}
	return lis, nil
}

func (t *Transport) stream() socket.Stream { return socket.Stream{Wrap: t.wrap} }

// tcp returns the network of package net for one of ours.
func tcp(network string) string { return strings.TrimPrefix(network, "ev") }
