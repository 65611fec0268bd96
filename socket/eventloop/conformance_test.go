package eventloop_test

import (
	"testing"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/socket/sockettest"
)

func newTransport() socket.Transport { return &eventloop.Transport{} }

func TestConformance(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		sockettest.Run(t, newTransport, sockettest.Options{Network: eventloop.Network})
	})
	t.Run("tls", func(t *testing.T) {
		server, client := sockettest.TLS(t)
		sockettest.Run(t, newTransport, sockettest.Options{Network: eventloop.Network, ServerTLS: server, ClientTLS: client, WriteTimeoutIsFinal: true})
	})
}
