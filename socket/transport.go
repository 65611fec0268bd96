package socket

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// A Transport opens connections of the networks that it names. Anything that
// yields [net.Conn] values can be one. It must be safe for concurrent use.
type Transport interface {
	// Networks returns the names that a peer may give as its network.
	Networks() []string
	// Dial returns a connection that is ready for use: its handshake is done.
	Dial(ctx context.Context, network, addr string, o *Options) (net.Conn, error)
	// Listen returns a listener. Its connections may need a handshake; then
	// they are [Handshaker].
	Listen(ctx context.Context, network, addr string, o *Options) (net.Listener, error)
}

// A Handshaker is an accepted connection that needs a handshake before it is
// used, as [*tls.Conn] does. The listener has not waited for it, because one
// slow client must not keep the others from being accepted.
type Handshaker interface {
	HandshakeContext(ctx context.Context) error
}

// Options are what a peer asks of a transport. The zero value asks for
// nothing. A transport that can't do what is asked returns an error.
type Options struct {
	TLS       *tls.Config // nil: plain, or what the transport needs
	LocalAddr string      // to dial from; "" leaves the choice to the system

	NoDelay         *bool         // nil: the system's or transport's default
	KeepAlive       *bool         // nil: on, with the default period
	KeepAlivePeriod time.Duration // 0: default
	ReadBuffer      int           // bytes in the kernel; 0: default
	WriteBuffer     int           // bytes in the kernel; 0: default

	// ReadLimit is the largest message that the peer reads, in bytes, for transports
	// that read whole messages; 0 is not known.
	ReadLimit int

	// BestEffort are those of the five above that a transport ignores where the
	// network has no such thing. The others are an error there; see Check.
	BestEffort Tunables

	// Inherited, if set, returns the listener that a parent process handed down
	// for an address, or nil.
	Inherited func(network, addr string) (net.Listener, error)

	// Refused, if set, is told of connections from remote that a listener has refused
	// itself, so that nobody accepts them: a handshake of WebSocket, for example. It may
	// be called concurrently.
	Refused func(remote string, why error)
}

// Stream is the transport of TCP and Unix sockets, with TLS if the options
// have a configuration: networks tcp, tcp4, tcp6, unix and unixpacket.
type Stream struct {
	// Wrap, if set, returns what is used in place of a connection of the
	// system, below TLS. An error ends the connection.
	Wrap func(net.Conn) (net.Conn, error)
}

var _ Transport = Stream{}

// Networks implements [Transport].
func (Stream) Networks() []string { return []string{"tcp", "tcp4", "tcp6", "unix", "unixpacket"} }

// Dial implements [Transport].
func (s Stream) Dial(ctx context.Context, network, addr string, o *Options) (net.Conn, error) {
	if err := o.Check(network, tunables(network)); err != nil {
		return nil, err
	}
	d := net.Dialer{KeepAlive: -1} // set by tune
	if o.LocalAddr != "" {
		local, err := resolve(network, o.LocalAddr)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = local
		lateBind(&d)
	}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn, err = s.prepare(network, conn, o)
	if err != nil {
		return nil, err
	}
	if o.TLS == nil {
		return conn, nil
	}
	c := tls.Client(conn, serverName(o.TLS, network, addr))
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("socket: tls handshake: %w", err)
	}
	return c, nil
}

// prepare turns a connection of the system into the one that is used. On an error
// it closes system.
func (s Stream) prepare(network string, system net.Conn, o *Options) (net.Conn, error) {
	err := o.tune(system)
	if err == nil {
		conn := packetize(network, system)
		if s.Wrap == nil {
			return conn, nil
		}
		conn, err = s.Wrap(conn)
		if err == nil {
			return conn, nil
		}
	}
	_ = system.Close() // err is the reason
	return nil, err
}

// serverName fills in the name to verify, as tls.Dial does.
func serverName(cfg *tls.Config, network, addr string) *tls.Config {
	if cfg.ServerName != "" || cfg.InsecureSkipVerify {
		return cfg
	}
	cfg = cfg.Clone()
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		cfg.ServerName = host
	} else {
		cfg.ServerName = "localhost"
	}
	return cfg
}

func resolve(network, addr string) (net.Addr, error) {
	switch network {
	case "unix", "unixpacket":
		return net.ResolveUnixAddr(network, addr)
	}
	return net.ResolveTCPAddr(network, addr)
}

// Listen implements [Transport]. A stale Unix socket file is removed; one that
// somebody listens on is an error.
func (s Stream) Listen(ctx context.Context, network, addr string, o *Options) (net.Listener, error) {
	if err := o.Check(network, tunables(network)); err != nil {
		return nil, err
	}
	l, err := listen(ctx, network, addr, o)
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: l, stream: s, network: network, addr: addr, o: o}, nil
}

func listen(ctx context.Context, network, addr string, o *Options) (net.Listener, error) {
	if o.Inherited != nil {
		if l, err := o.Inherited(network, addr); l != nil || err != nil {
			return l, err
		}
	}
	if network == "unix" || network == "unixpacket" {
		if err := removeStale(ctx, network, addr); err != nil {
			return nil, err
		}
	}
	lc := net.ListenConfig{KeepAlive: -1} // set by tune
	return lc.Listen(ctx, network, addr)
}

// A Listener is what [Stream] listens with: it applies the options to what it
// accepts, TLS among them.
type Listener struct {
	net.Listener
	stream        Stream
	network, addr string
	o             *Options
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, err = l.stream.prepare(l.network, conn, l.o)
		if err != nil {
			continue // only this connection is broken, not the listener
		}
		if l.o.TLS != nil {
			conn = tls.Server(conn, l.o.TLS)
		}
		return conn, nil
	}
}

// Unwrap returns the listener of the system, which a graceful restart hands
// down.
func (l *Listener) Unwrap() net.Listener { return l.Listener }

// Asked returns the network and the address that the transport was asked to
// listen on, port 0 included. A process that inherits the listener asks for the
// same.
func (l *Listener) Asked() (network, addr string) { return l.network, l.addr }
