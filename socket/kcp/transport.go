package kcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/goerpc/erpc/socket"
)

// Network is the name of the network.
const Network = "kcp"

// Defaults.
const (
	DefaultDataShards   = 10 // packets, as erpc v7
	DefaultParityShards = 3  // packets, as erpc v7
	DefaultWindow       = 512
	DefaultKeepAlive    = 5 * time.Second
)

// A Config says how packets are made. Zero values stand for the defaults.
type Config struct {
	// Block encrypts packets; nil does not. Both sides need the same one. It must
	// be safe for concurrent use, as those of kcp-go are.
	Block kcpgo.BlockCrypt `yaml:"-" ini:"-"`
	// ParityShards are sent for each DataShards packets, so that the other side can
	// repair losses. A negative number of data shards switches parity off.
	DataShards   int `yaml:"data_shards" ini:"data_shards" comment:"Packets after which parity is sent; 0 is 10 if parity_shards is 0 too, below 0 is no parity"`
	ParityShards int `yaml:"parity_shards" ini:"parity_shards" comment:"Packets of parity; 0 is 3 if data_shards is 0 too"`
	// SendWindow and ReceiveWindow are how many packets may be under way, and
	// wait to be read.
	SendWindow    int `yaml:"send_window" ini:"send_window" comment:"Packets that may be under way; 0 is 512"`
	ReceiveWindow int `yaml:"receive_window" ini:"receive_window" comment:"Packets that may wait to be read; 0 is 512"`
	// MTU is the size of the largest packet in bytes, without the heads of UDP and
	// IP; 0 means 1400, the default of kcp-go.
	MTU int `yaml:"mtu" ini:"mtu" comment:"Largest packet in bytes; 0 is 1400"`
	// V7 says that a server of erpc v7 is dialed: only what the session writes is
	// sent.
	V7 bool `yaml:"v7" ini:"v7" comment:"The server that is dialed is one of erpc v7"`
}

// A Transport dials and listens over KCP. The zero value is ready.
type Transport struct {
	Config Config
}

var _ socket.Transport = Transport{}

// Networks implements [socket.Transport].
func (Transport) Networks() []string { return []string{Network, "udp", "udp4", "udp6"} }

func (c Config) complete() (Config, error) {
	switch {
	case c.DataShards < 0:
		c.DataShards, c.ParityShards = 0, 0
	case c.DataShards == 0 && c.ParityShards == 0:
		c.DataShards, c.ParityShards = DefaultDataShards, DefaultParityShards
	case c.DataShards == 0 || c.ParityShards <= 0 || c.DataShards+c.ParityShards > 256:
		return c, fmt.Errorf("kcp: %d data and %d parity shards: there must be at least one of each, and at most 256 together", c.DataShards, c.ParityShards)
	}
	if c.MTU != 0 && (c.MTU < 200 || c.MTU > 1500) {
		return c, fmt.Errorf("kcp: MTU %d: it must be 200 to 1500 bytes", c.MTU)
	}
	if c.SendWindow <= 0 {
		c.SendWindow = DefaultWindow
	}
	if c.ReceiveWindow <= 0 {
		c.ReceiveWindow = DefaultWindow
	}
	return c, nil
}

// udpNetwork is the network of package net.
func udpNetwork(network string) string {
	if network == Network {
		return "udp"
	}
	return network
}

// Dial implements [socket.Transport].
func (t Transport) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	c, err := t.dial(ctx, udpNetwork(network), addr, o)
	if err != nil {
		return nil, fmt.Errorf("kcp: dial %s: %w", addr, err)
	}
	if o.TLS == nil {
		return c, nil
	}
	secure := tls.Client(c, serverName(o.TLS, addr))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close() // discarded
		return nil, fmt.Errorf("kcp: dial %s: tls handshake: %w", addr, err)
	}
	return secure, nil
}

func (t Transport) dial(ctx context.Context, network, addr string, o *socket.Options) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg, err := t.Config.complete()
	if err != nil {
		return nil, err
	}
	remote, err := resolve(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if network == "udp" && remote.IP.To4() != nil {
		network = "udp4" // a socket for both versions would send with the wrong version
	}
	var local *net.UDPAddr
	if o.LocalAddr != "" {
		local, err = net.ResolveUDPAddr(network, o.LocalAddr)
		if err != nil {
			return nil, fmt.Errorf("local address: %w", err)
		}
	}
	udp, err := listenUDP(ctx, network, local, o)
	if err != nil {
		return nil, err
	}
	to := remote.AddrPort()
	if network == "udp4" {
		to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	}
	session, err := cfg.begin(ctx, &path{&udpSocket{udp}, newFlow(to), cfg.Block == nil})
	if err != nil {
		_ = udp.Close() // unused
		return nil, err
	}
	cfg.tune(session, o)
	c := newConn(session, cfg, keepAlive(o), func() { _ = udp.Close() })
	if cfg.V7 {
		c.opened.Store(true)
		return c, nil
	}
	c.dialed = true
	if err := c.HandshakeContext(ctx); err != nil {
		_ = c.Close() // discarded
		return nil, fmt.Errorf("%w: %w", errNoPeer, err)
	}
	return c, nil
}

var errNoPeer = errors.New("no answer from a peer of this version (for one of erpc v7 set Config.V7, and Config.Block must be the same on both sides)")

// begin begins a session of kcp-go. It first asks the gate of the other side for a
// cookie, if there may be a gate.
func (c Config) begin(ctx context.Context, p *path) (*kcpgo.UDPSession, error) {
	conv, err := newConversation()
	if err != nil {
		return nil, err
	}
	if c.Block == nil && !c.V7 {
		if err := ask(ctx, p, conv); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoPeer, err)
		}
	}
	return kcpgo.NewConn3(conv, p.flow, c.Block, c.DataShards, c.ParityShards, p)
}

// tune applies configuration and options to a session.
func (c Config) tune(s *kcpgo.UDPSession, o *socket.Options) {
	if c.MTU > 0 {
		s.SetMtu(c.MTU) // fails below what complete allows
	}
	s.SetWindowSize(c.SendWindow, c.ReceiveWindow)
	if o.NoDelay == nil || *o.NoDelay {
		s.SetNoDelay(1, 10, 2, 1) // timers every 10 ms, repeat after 2 later acknowledgements, no congestion control
	} else {
		s.SetNoDelay(0, 40, 0, 0)
	}
}

func keepAlive(o *socket.Options) time.Duration {
	switch {
	case o.KeepAlive != nil && !*o.KeepAlive:
		return 0
	case o.KeepAlivePeriod > 0:
		return o.KeepAlivePeriod
	}
	return DefaultKeepAlive
}

// serverName fills in the name to verify.
func serverName(cfg *tls.Config, addr string) *tls.Config {
	if cfg.ServerName != "" || cfg.InsecureSkipVerify {
		return cfg
	}
	cfg = cfg.Clone()
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		host = "localhost"
	}
	cfg.ServerName = host
	return cfg
}

// resolve is net.ResolveUDPAddr with a context. An empty host is this machine.
func resolve(ctx context.Context, network, addr string) (*net.UDPAddr, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := net.DefaultResolver.LookupPort(ctx, network, port)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
		if network == "udp6" {
			host = "::1"
		}
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	var fit []net.IPAddr
	for _, ip := range ips {
		four := ip.IP.To4() != nil
		switch {
		case network == "udp4" && !four, network == "udp6" && four:
		case four:
			fit = append([]net.IPAddr{ip}, fit...) // first, as package net does
		default:
			fit = append(fit, ip)
		}
	}
	if len(fit) == 0 {
		return nil, &net.AddrError{Err: "no address of this version of IP", Addr: addr}
	}
	return &net.UDPAddr{IP: fit[0].IP, Zone: fit[0].Zone, Port: n}, nil
}

// udpBuffer is the default size of the UDP socket's buffers, in bytes. The system
// may grant less.
const udpBuffer = 1 << 20

// takeOver is how long Listen waits for an address in use: a closed listener keeps it
// until its last connection has ended.
const takeOver = 3 * time.Second

func listenUDP(ctx context.Context, network string, local *net.UDPAddr, o *socket.Options) (*net.UDPConn, error) {
	udp, err := net.ListenUDP(network, local)
	for end := time.Now().Add(takeOver); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
			udp, err = net.ListenUDP(network, local)
		}
	}
	if err != nil {
		return nil, err
	}
	set := func(asked int, do func(int) error) error {
		if asked > 0 {
			return do(asked)
		}
		_ = do(udpBuffer) // it works with less
		return nil
	}
	if err := errors.Join(set(o.ReadBuffer, udp.SetReadBuffer), set(o.WriteBuffer, udp.SetWriteBuffer)); err != nil {
		_ = udp.Close() // unused
		return nil, fmt.Errorf("buffers of the UDP socket: %w", err)
	}
	return udp, nil
}
