package eventloop_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/erpc-go/erpc/socket"
	"github.com/erpc-go/erpc/socket/eventloop"
	"github.com/erpc-go/erpc/socket/sockettest"
)

// TestMain is also the client process of TestIdleMemory.
func TestMain(m *testing.M) {
	if addrs := os.Getenv(clientEnv); addrs != "" {
		if err := idleClient(strings.Split(addrs, ",")); err != nil {
			fmt.Fprintln(os.Stderr, "client:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

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
