package quic_test

import (
	"crypto/tls"
	"testing"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/quic"
	"github.com/goerpc/erpc/socket/sockettest"
)

func TestMain(m *testing.M) { sockettest.VerifyMain(m) }

func TestConformance(t *testing.T) {
	server, client := sockettest.TLS(t)
	for _, c := range []struct {
		name  string
		share bool
		alpn  []string // of both sides
	}{
		{name: "own connections"},
		{name: "shared connections", share: true},
		{name: "own protocol named", alpn: []string{"erpc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := withProtocols(server, c.alpn), withProtocols(client, c.alpn)
			sockettest.Run(t, func() socket.Transport { return &quic.Transport{Share: c.share} },
				sockettest.Options{Network: quic.Network, ServerTLS: server, ClientTLS: client})
		})
	}
}

func withProtocols(cfg *tls.Config, alpn []string) *tls.Config {
	cfg = cfg.Clone()
	cfg.NextProtos = alpn
	return cfg
}
