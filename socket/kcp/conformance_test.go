package kcp_test

import (
	"crypto/tls"
	"os"
	"testing"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/sockettest"
	kcpgo "github.com/xtaci/kcp-go/v5"
)

func TestMain(m *testing.M) {
	if how := os.Getenv(exitEnv); how != "" {
		os.Exit(exitClient(how, os.Args[1]))
	}
	sockettest.VerifyMain(m)
}

func TestConformance(t *testing.T) {
	server, client := sockettest.TLS(t)
	aes, err := kcpgo.NewAESGCMCrypt(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		network        string
		cfg            kcp.Config
		server, client *tls.Config
	}{
		{name: "default", network: "kcp"},
		{name: "tls", network: "kcp", server: server, client: client},
		{name: "encrypted packets, no parity", network: "udp4", cfg: kcp.Config{Block: aes, DataShards: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sockettest.Run(t, func() socket.Transport { return kcp.Transport{Config: c.cfg} }, sockettest.Options{
				Network: c.network, ServerTLS: c.server, ClientTLS: c.client, WriteTimeoutIsFinal: c.server != nil,
			})
		})
	}
}
