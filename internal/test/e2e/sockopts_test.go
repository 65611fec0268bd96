package e2e

//lint:file-ignore SA1019 the test is about erpc v7's process-wide options

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// Socket options of a peer's configuration are applied, or refused by name when it
// listens or dials; in SocketWishes they are ignored. docs/protocols.md has the
// table.
func TestSocketOptions(t *testing.T) {
	yes := true
	options := []struct {
		name string
		bit  socket.Tunables
		set  func(*erpc.PeerConfig)
	}{
		{"NoDelay", socket.TuneNoDelay, func(c *erpc.PeerConfig) { c.SocketNoDelay = &yes }},
		{"KeepAlive", socket.TuneKeepAlive, func(c *erpc.PeerConfig) { c.SocketKeepAlive = &yes }},
		{"KeepAlivePeriod", socket.TuneKeepAlivePeriod, func(c *erpc.PeerConfig) { c.SocketKeepAlivePeriod = time.Minute }},
		{"ReadBuffer", socket.TuneReadBuffer, func(c *erpc.PeerConfig) { c.SocketReadBuffer = 1 << 17 }},
		{"WriteBuffer", socket.TuneWriteBuffer, func(c *erpc.PeerConfig) { c.SocketWriteBuffer = 1 << 17 }},
	}
	custom := socket.Custom{
		Nets:       []string{"mine"},
		DialFunc:   func(_ context.Context, _, addr string) (net.Conn, error) { return net.Dial("tcp", addr) },
		ListenFunc: func(_ context.Context, _, addr string) (net.Listener, error) { return net.Listen("tcp", addr) },
	}
	for _, n := range []struct {
		network    string
		has        string // the options
		descriptor bool
		tls        bool
		transport  erpc.Transport // nil: built into peers
	}{
		{network: "tcp", has: "NoDelay KeepAlive KeepAlivePeriod ReadBuffer WriteBuffer", descriptor: true},
		{network: "tcp", has: "NoDelay KeepAlive KeepAlivePeriod ReadBuffer WriteBuffer", descriptor: true, tls: true},
		{network: "evtcp", has: "NoDelay KeepAlive KeepAlivePeriod ReadBuffer WriteBuffer", descriptor: true},
		{network: "ws", has: "NoDelay KeepAlive KeepAlivePeriod ReadBuffer WriteBuffer"},
		{network: "unix", has: "ReadBuffer WriteBuffer", descriptor: true},
		{network: "unixpacket", has: "ReadBuffer WriteBuffer", descriptor: true},
		{network: "quic", has: "KeepAlive KeepAlivePeriod ReadBuffer WriteBuffer", tls: true},
		{network: "kcp", has: "NoDelay KeepAlive KeepAlivePeriod ReadBuffer WriteBuffer"},
		{network: "memory", transport: memory.New()},
		{network: "mine", transport: custom, descriptor: true},
	} {
		name := n.network
		if n.tls {
			name += " over TLS"
		}
		t.Run(name, func(t *testing.T) {
			newPeer := func(set func(*erpc.PeerConfig), plugins ...erpc.Plugin) erpc.Peer {
				cfg := erpc.PeerConfig{Network: n.network, LocalIP: "127.0.0.1", RedialTimes: -1, Logger: slog.New(slog.DiscardHandler)}
				if strings.HasPrefix(n.network, "unix") {
					cfg.ListenAddress = t.TempDir() + "/s"
				}
				if n.transport != nil {
					cfg.Transports = []erpc.Transport{n.transport}
				}
				set(&cfg)
				p := kit.Peer(t, cfg, plugins...)
				if n.tls {
					tls := erpc.GenerateTLSConfigForServer()
					tls.InsecureSkipVerify = true
					p.SetTLSConfig(tls)
				}
				return p
			}
			srv := newPeer(func(*erpc.PeerConfig) {})
			lis, err := srv.Listen()
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(lis) }()
			defer func() {
				_ = srv.Close() // closed again: newQuietPeer checks the error
				kit.Await(t, "Serve to return", served)
			}()
			// try returns the errors of a peer with the option when it listens and
			// dials.
			try := func(set func(*erpc.PeerConfig)) (listen, dial error) {
				p := newPeer(set)
				l, listen := p.Listen()
				if listen == nil {
					defer l.Close()
				}
				ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
				defer cancel()
				sess, st := p.DialContext(ctx, lis.Addr().String())
				if st.OK() {
					defer sess.Close()
				}
				if ctx.Err() != nil {
					t.Error("what can't be done is tried again")
				}
				return listen, st.Cause()
			}
			for _, o := range options {
				has := false
				for _, name := range strings.Fields(n.has) {
					has = has || name == o.name
				}
				listen, dial := try(o.set)
				for what, err := range map[string]error{"listen": listen, "dial": dial} {
					switch {
					case has && err != nil:
						t.Errorf("%s: %s: %v", o.name, what, err)
					case !has && (!errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), o.name)):
						t.Errorf("%s: %s: %v, want an error that names it", o.name, what, err)
					}
				}
				listen, dial = try(func(c *erpc.PeerConfig) {
					o.set(c)
					c.SocketWishes = o.bit
				})
				if err := errors.Join(listen, dial); err != nil {
					t.Errorf("%s as a wish: %v", o.name, err)
				}
			}

			got := errors.New("the hook was not called")
			called := false
			cli := newPeer(func(*erpc.PeerConfig) {}, onDial(func(s erpc.PreSession) *erpc.Status {
				got = s.ControlFD(func(uintptr) { called = true })
				return nil
			}))
			if _, st := cli.Dial(lis.Addr().String()); !st.OK() {
				t.Fatal(st)
			}
			if (got == nil) != n.descriptor || called != n.descriptor {
				t.Errorf("ControlFD: %v, called: %v; want a descriptor: %v", got, called, n.descriptor)
			}
		})
	}
}

// The setters of the process apply only to networks that have the option, and do
// not break peers on others.
func TestSocketDefaultsOfTheProcess(t *testing.T) {
	t.Cleanup(func() {
		erpc.SetSocketKeepAlive(true)
		erpc.SetSocketNoDelay(true)
		erpc.SetSocketKeepAlivePeriod(0)
		erpc.SetSocketReadBuffer(0)
		erpc.SetSocketWriteBuffer(0)
	})
	erpc.SetSocketKeepAlive(true)
	erpc.SetSocketNoDelay(true)
	erpc.SetSocketKeepAlivePeriod(time.Minute)
	erpc.SetSocketReadBuffer(1 << 17)
	erpc.SetSocketWriteBuffer(1 << 17)
	net := memory.New()
	for _, cfg := range []erpc.PeerConfig{
		{Network: "unix", ListenAddress: t.TempDir() + "/s"},
		{Network: "memory", Transports: []erpc.Transport{net}},
		{Network: "kcp"},
	} {
		_, addr := kit.Serve(t, cfg)
		cli := erpc.PeerConfig{Network: cfg.Network, Transports: cfg.Transports}
		kit.Dial(t, addr, cli)
		no := false
		cli.SocketNoDelay = &no // set for this peer, so it must be supported
		if _, st := kit.Peer(t, cli).Dial(addr); st.OK() != (cfg.Network == "kcp") {
			t.Errorf("%s: dialed with an option of its own: %v", cfg.Network, st)
		}
	}
}
