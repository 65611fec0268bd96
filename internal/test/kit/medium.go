package kit

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/all"
)

// A Medium is a network over which peers of a test communicate.
type Medium struct {
	Network string
	Secure  bool
}

var TCP = Medium{Network: "tcp"}

// OverEach runs f over TCP, Unix sockets and TLS, and checks that nothing is left
// behind.
func OverEach(t *testing.T, f func(t *testing.T, on Medium)) {
	t.Helper()
	NoLeaks(t)
	for _, m := range []Medium{TCP, {Network: "unix"}, {Network: "tcp", Secure: true}} {
		name := m.Network
		if m.Secure {
			name = "tls"
		}
		t.Run(name, func(t *testing.T) { f(t, m) })
	}
}

// Peer returns a peer, which is closed when the test ends.
func (m Medium) Peer(t *testing.T, cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	t.Helper()
	if cfg.Network == "" {
		cfg.Network = m.Network
	}
	switch m.Network {
	case "unix":
		cfg.LocalIP = filepath.Join(t.TempDir(), "s")
	default:
		if cfg.LocalIP == "" && cfg.ListenAddress == "" { // a LocalIP would also bind dialed connections
			cfg.ListenAddress = "127.0.0.1:0"
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = Quiet()
	}
	cfg.Transports = append(all.Transports(), cfg.Transports...)
	p := erpc.NewPeer(cfg, plugins...)
	if m.Secure {
		p.SetTLSConfig(m.TLS())
	}
	t.Cleanup(func() { _ = p.Close() }) // a second one does nothing
	return p
}

func (m Medium) TLS() *tls.Config {
	c := erpc.GenerateTLSConfigForServer()
	c.InsecureSkipVerify = true
	return c
}

// Place returns an address at which servers of a test can restart: one that the
// system does not give to an outgoing connection while no server listens there.
func (m Medium) Place(t *testing.T) string {
	t.Helper()
	if m.Network == "unix" {
		return filepath.Join(t.TempDir(), "place")
	}
	for range 100 {
		lis, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 15_000+rand.IntN(15_000)))
		if err == nil {
			_ = lis.Close() // opened only to check that the address is free
			return lis.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
