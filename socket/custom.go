package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Custom is a transport made of functions, to dial through a proxy, to listen on a
// socket that a service manager hands over, or to wrap each connection. The
// functions do not get the options, not even TLS: what they return is used as it
// is, and an option that is set is an error.
type Custom struct {
	Nets       []string // the networks; they replace those of a built-in transport
	DialFunc   func(ctx context.Context, network, addr string) (net.Conn, error)
	ListenFunc func(ctx context.Context, network, addr string) (net.Listener, error)
}

var _ Transport = Custom{}

// Networks implements [Transport].
func (c Custom) Networks() []string { return c.Nets }

// Dial implements [Transport].
func (c Custom) Dial(ctx context.Context, network, addr string, o *Options) (net.Conn, error) {
	switch {
	case c.DialFunc == nil:
		return nil, fmt.Errorf("socket: network %q can't be dialed: its transport has no DialFunc", network)
	case o.TLS != nil:
		return nil, errCustomTLS(network)
	}
	if err := o.Check(network, 0); err != nil {
		return nil, err
	}
	return c.DialFunc(ctx, network, addr)
}

// Listen implements [Transport].
func (c Custom) Listen(ctx context.Context, network, addr string, o *Options) (net.Listener, error) {
	switch {
	case c.ListenFunc == nil:
		return nil, fmt.Errorf("socket: network %q can't be listened on: its transport has no ListenFunc", network)
	case o.TLS != nil:
		return nil, errCustomTLS(network)
	}
	if err := o.Check(network, 0); err != nil {
		return nil, err
	}
	return c.ListenFunc(ctx, network, addr)
}

func errCustomTLS(network string) error {
	return fmt.Errorf("socket: network %q is a custom one, which gets no TLS configuration; wrap the connection in its functions: %w", network, errors.ErrUnsupported)
}
