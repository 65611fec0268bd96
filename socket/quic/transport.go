package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/goerpc/erpc/socket"
)

// Network is the name of the network.
const Network = "quic"

// DefaultKeepAlive is the period of keepalive packets. Without them an idle
// connection ends after MaxIdleTimeout, 30 s.
const DefaultKeepAlive = 15 * time.Second

// A Transport dials and listens over QUIC. The zero value is ready. It must not
// be copied.
type Transport struct {
	// Config is the configuration of quic-go; nil means defaults. It is not
	// changed. The options of a peer take precedence over its KeepAlivePeriod.
	Config *quicgo.Config
	// Share lets the sessions that are dialed to the same address with the same
	// options share one connection, each as a stream of its own. With a server
	// of erpc v7 each still gets its own.
	Share bool

	mu   sync.Mutex // guards the following
	pool map[poolKey]*connection
}

var _ socket.Transport = (*Transport)(nil)

// ErrNoTLS is the error of QUIC without a TLS configuration.
var ErrNoTLS = fmt.Errorf("quic: a TLS configuration is needed: set one with SetTLSConfig or SetTLSConfigFromFile: %w", errors.ErrUnsupported)

// tunables are the options that QUIC has: all but NoDelay.
const tunables = socket.TuneAll &^ socket.TuneNoDelay

// Networks implements [socket.Transport].
func (t *Transport) Networks() []string { return []string{Network} }

// Application protocols.
const (
	alpnOurs = "erpc"
	alpnV7a  = "http/1.1"
	alpnV7b  = "h2"
)

// tlsConfig completes a configuration; server is the name to verify.
func tlsConfig(cfg *tls.Config, server string) (*tls.Config, error) {
	if cfg == nil {
		return nil, ErrNoTLS
	}
	cfg = cfg.Clone()
	if len(cfg.NextProtos) == 0 {
		cfg.NextProtos = []string{alpnOurs, alpnV7a, alpnV7b}
	}
	if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
		cfg.ServerName = server
	}
	return cfg, nil
}

// config completes the configuration of quic-go.
func (t *Transport) config(o *socket.Options) *quicgo.Config {
	cfg := &quicgo.Config{MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: -1}
	if t.Config != nil {
		cfg = t.Config.Clone()
	}
	switch {
	case o.KeepAlive != nil && !*o.KeepAlive:
		cfg.KeepAlivePeriod = 0
	case o.KeepAlivePeriod > 0:
		cfg.KeepAlivePeriod = o.KeepAlivePeriod
	case cfg.KeepAlivePeriod == 0:
		cfg.KeepAlivePeriod = DefaultKeepAlive
	}
	return cfg
}

// maxStreams is how many sessions may share a connection; more get another.
const maxStreams = 1000

// Dial implements [socket.Transport].
func (t *Transport) Dial(ctx context.Context, _, addr string, o *socket.Options) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("quic: dial %s: %w", addr, err)
	}
	if err := o.Check(Network, tunables); err != nil {
		return nil, fmt.Errorf("quic: dial %s: %w", addr, err)
	}
	key := poolKey{addr: addr, local: o.LocalAddr, tls: o.TLS}
	if c := t.shared(key); c != nil {
		if stream := c.open(); stream != nil {
			return stream, nil
		}
	}
	c, err := t.connect(ctx, addr, o)
	if err != nil {
		return nil, fmt.Errorf("quic: dial %s: %w", addr, err)
	}
	if t.Share && c.ours {
		t.share(key, c)
	}
	stream := c.open()
	if stream == nil {
		c.release() // that of connect
		return nil, fmt.Errorf("quic: dial %s: open a stream: %w", addr, context.Cause(c.quic.Context()))
	}
	c.release()
	return stream, nil
}

// connect returns a new connection, held once.
func (t *Transport) connect(ctx context.Context, addr string, o *socket.Options) (*connection, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	tlsCfg, err := tlsConfig(o.TLS, host)
	if err != nil {
		return nil, err
	}
	remote, err := resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	var local *net.UDPAddr
	if o.LocalAddr != "" {
		local, err = net.ResolveUDPAddr("udp", o.LocalAddr)
		if err != nil {
			return nil, fmt.Errorf("local address: %w", err)
		}
	}
	udp, err := listenUDP(ctx, local, o)
	if err != nil {
		return nil, err
	}
	transport := &quicgo.Transport{Conn: udp}
	closeAll := func() {
		_ = transport.Close() // everything has been sent
		_ = udp.Close()
	}
	conn, err := transport.Dial(ctx, remote, tlsCfg, t.config(o))
	if err != nil {
		closeAll()
		return nil, err
	}
	return newConnection(conn, true, closeAll), nil
}

// resolve is net.ResolveUDPAddr with a context.
func resolve(ctx context.Context, host, port string) (*net.UDPAddr, error) {
	n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	ip := ips[0]
	for _, other := range ips { // as package net does for a dialed name
		if other.IP.To4() != nil {
			ip = other
			break
		}
	}
	return &net.UDPAddr{IP: ip.IP, Zone: ip.Zone, Port: n}, nil
}

// quiet keeps quic-go from logging that a UDP buffer is smaller than it likes,
// which is not an error. There is no other way to turn that off.
var quiet = sync.OnceFunc(func() {
	const name = "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING"
	if _, set := os.LookupEnv(name); !set {
		_ = os.Setenv(name, "true") // or else a line is logged
	}
})

// takeOver is how long Listen waits for an address in use: a closed listener keeps
// it until its last session has ended.
const takeOver = 3 * time.Second

func listenUDP(ctx context.Context, local *net.UDPAddr, o *socket.Options) (*net.UDPConn, error) {
	quiet()
	udp, err := net.ListenUDP("udp", local)
	for end := time.Now().Add(takeOver); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
			udp, err = net.ListenUDP("udp", local)
		}
	}
	if err != nil {
		return nil, err
	}
	if o.ReadBuffer > 0 {
		err = udp.SetReadBuffer(o.ReadBuffer)
	}
	if o.WriteBuffer > 0 {
		err = errors.Join(err, udp.SetWriteBuffer(o.WriteBuffer))
	}
	if err != nil {
		_ = udp.Close() // unused
		return nil, fmt.Errorf("buffers of the UDP socket: %w", err)
	}
	return udp, nil
}

// A poolKey identifies sessions that may share a connection.
type poolKey struct {
	addr, local string
	tls         *tls.Config
}

// shared returns a connection to share, or nil.
func (t *Transport) shared(key poolKey) *connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pool[key]
}

// share offers c to further sessions while it has a session.
func (t *Transport) share(key poolKey, c *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pool == nil {
		t.pool = map[poolKey]*connection{}
	}
	t.pool[key] = c // in place of one that is full or has ended
	context.AfterFunc(c.quic.Context(), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.pool[key] == c {
			delete(t.pool, key)
		}
	})
}
