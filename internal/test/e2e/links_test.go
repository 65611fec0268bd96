package e2e

import (
	"crypto/tls"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

// A link is a transport between two peers of a test.
type link struct {
	name string
	cfg  func() erpc.PeerConfig
	tls  bool
}

// links are the transports that differ in how they write and close.
var links = []link{
	{name: "tcp", cfg: func() erpc.PeerConfig { return erpc.PeerConfig{} }},
	{name: "tls", cfg: func() erpc.PeerConfig { return erpc.PeerConfig{} }, tls: true},
	{name: "ws", cfg: func() erpc.PeerConfig { return erpc.PeerConfig{Network: "ws"} }},
	{name: "quic", cfg: func() erpc.PeerConfig { return erpc.PeerConfig{Network: "quic"} }, tls: true},
	{name: "kcp", cfg: func() erpc.PeerConfig { return erpc.PeerConfig{Network: "kcp"} }},
	{name: "memory", cfg: func() erpc.PeerConfig {
		return erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{memory.New()}}
	}},
}

// peers returns a server, with the plugins, and a client on the link. set changes
// the configuration of both.
func (l link) peers(t *testing.T, set func(*erpc.PeerConfig), plugins ...erpc.Plugin) (srv, cli erpc.Peer) {
	t.Helper()
	cfg := l.cfg()
	set(&cfg)
	cli = kit.Peer(t, cfg)
	if cfg.Network != memory.Network {
		cfg.LocalIP = "127.0.0.1"
	}
	srv = kit.Peer(t, cfg, plugins...)
	if l.tls {
		secure := kit.Medium{}.TLS()
		for _, p := range []interface{ SetTLSConfig(*tls.Config) }{srv, cli} {
			p.SetTLSConfig(secure)
		}
	}
	return srv, cli
}
