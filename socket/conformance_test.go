//go:build unix

package socket_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/sockettest"
)

func TestStreamConformance(t *testing.T) {
	path := func(t *testing.T) string {
		dir, err := os.MkdirTemp("", "s") // short: the path has 107 bytes at most
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return filepath.Join(dir, "s")
	}
	server, client := sockettest.TLS(t)
	for _, o := range []sockettest.Options{
		{Network: "tcp"},
		{Network: "tcp", ServerTLS: server, ClientTLS: client, WriteTimeoutIsFinal: true},
		{Network: "unix", Addr: path, Nobody: path},
		{Network: "unix", Addr: path, Nobody: path, ServerTLS: server, ClientTLS: client, WriteTimeoutIsFinal: true},
		{Network: "unixpacket", Addr: path, Nobody: path},
	} {
		name := o.Network
		if o.ServerTLS != nil {
			name += " tls"
		}
		t.Run(name, func(t *testing.T) {
			sockettest.Run(t, func() socket.Transport { return socket.Stream{} }, o)
		})
	}
}
