package peer

import (
	"fmt"
	"net"
	"strings"
)

// An Addr is an address that a peer is configured to listen on or to dial from,
// with its network.
type Addr struct{ network, addr string }

// NewAddr returns the address with these parts. Empty parts default to tcp,
// 0.0.0.0 and 0, as in erpc v7.
func NewAddr(network, host, port string) *Addr {
	set(&network, "tcp")
	set(&host, "0.0.0.0")
	set(&port, "0")
	return &Addr{network, net.JoinHostPort(host, port)}
}

// ParseAddr returns the address written as addr: host:port, or a path. Empty
// parts have the defaults of [NewAddr].
func ParseAddr(network, addr string) (*Addr, error) {
	if addr == "" {
		return NewAddr(network, "", ""), nil
	}
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err == nil:
		return NewAddr(network, host, port), nil
	case isUnix(network):
		return &Addr{network, addr}, nil
	}
	return nil, fmt.Errorf("peer: address %q: %w", addr, err)
}

// Network implements [net.Addr].
func (a *Addr) Network() string { return a.network }

// String implements [net.Addr].
func (a *Addr) String() string { return a.addr }

// Host returns the part before the port.
func (a *Addr) Host() string {
	host, _, err := net.SplitHostPort(a.addr)
	if err != nil {
		return a.addr
	}
	return host
}

// Port returns the port, "" if there is none.
func (a *Addr) Port() string {
	_, port, err := net.SplitHostPort(a.addr)
	if err != nil {
		return ""
	}
	return port
}

func isUnix(network string) bool { return strings.HasPrefix(network, "unix") }
