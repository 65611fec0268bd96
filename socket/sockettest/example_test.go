package sockettest_test

import (
	"testing"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/sockettest"
)

// The author of a transport calls Run from a test like this one, once for each way
// in which the transport can be used, and VerifyMain from TestMain.
func Example() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		transport := func() socket.Transport { return socket.Stream{} }
		server, client := sockettest.TLS(t)
		for name, o := range map[string]sockettest.Options{
			"plain": {Network: "tcp"},
			"tls":   {Network: "tcp", ServerTLS: server, ClientTLS: client, WriteTimeoutIsFinal: true},
		} {
			t.Run(name, func(t *testing.T) { sockettest.Run(t, transport, o) })
		}
	}
	_ = func(m *testing.M) { // func TestMain(m *testing.M)
		sockettest.VerifyMain(m)
	}
}
