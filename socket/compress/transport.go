package compress

import (
	"context"
	"fmt"
	"net"

	"github.com/goerpc/erpc/socket"
)

// A Transport compresses the connections of another one. The zero value compresses
// those of [socket.Stream]. Give it to a peer in PeerConfig.Transports, where it
// replaces the built-in one for the same networks.
type Transport struct {
	Over       socket.Transport // nil: socket.Stream{}
	Algorithms []Algorithm      // to offer or accept, the best first; nil: S2, Zstd, Flate
}

var _ socket.Transport = Transport{}

func (t Transport) over() socket.Transport {
	if t.Over == nil {
		return socket.Stream{}
	}
	return t.Over
}

func (t Transport) algorithms() ([]Algorithm, error) {
	if t.Algorithms == nil {
		return []Algorithm{S2, Zstd, Flate}, nil
	}
	for _, a := range t.Algorithms {
		if a != S2 && a != Zstd && a != Flate {
			return nil, fmt.Errorf("compress: %v is unknown; use S2, Zstd or Flate", a)
		}
	}
	return t.Algorithms, nil
}

// Networks implements [socket.Transport].
func (t Transport) Networks() []string { return t.over().Networks() }

// Dial implements [socket.Transport].
func (t Transport) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	algs, err := t.algorithms()
	if err != nil {
		return nil, err
	}
	conn, err := t.over().Dial(ctx, network, addr, o)
	if err != nil {
		return nil, err
	}
	c, err := offer(ctx, conn, algs)
	if err != nil {
		_ = conn.Close() // discarded
		return nil, err
	}
	return c, nil
}

// Listen implements [socket.Transport].
func (t Transport) Listen(ctx context.Context, network, addr string, o *socket.Options) (net.Listener, error) {
	algs, err := t.algorithms()
	if err != nil {
		return nil, err
	}
	lis, err := t.over().Listen(ctx, network, addr, o)
	if err != nil {
		return nil, err
	}
	l := &listener{lis, algs}
	if a, ok := lis.(asked); ok {
		return &askedListener{l, a}, nil
	}
	return l, nil
}

// asked is what a graceful restart calls on a listener.
type asked interface {
	Asked() (network, addr string)
}

type listener struct {
	net.Listener
	algs []Algorithm
}

type askedListener struct {
	*listener
	asked
}

// Unwrap returns the listener below, which a graceful restart hands down.
func (l *listener) Unwrap() net.Listener { return l.Listener }

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &accepted{Conn: conn, algs: l.algs}
	if h, ok := conn.(socket.Handshaker); ok {
		return &handshaking{c, h}, nil
	}
	return c, nil
}

// handshaking is an accepted connection whose transport has a handshake.
type handshaking struct {
	*accepted
	socket.Handshaker
}
