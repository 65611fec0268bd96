package streams

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/memory"
	"github.com/goerpc/erpc/socket/quic"
)

// The protocols that carry streams, over a connection that is a stream of bytes.
var protocols = map[string]erpc.ProtoFunc{
	"raw":           rawproto.NewRawProtoFunc(),
	"json":          jsonproto.NewJSONProtoFunc(),
	"protobuf":      pbproto.NewPbProtoFunc(),
	"thrift binary": thriftproto.NewBinaryProtoFunc(),
}

// full runs every test at full size, as make test-streams does. Otherwise most
// send a tenth of that, because make test runs under the race detector, together
// with other packages.
var full = os.Getenv("ERPC_STREAMS") == "full"

// scaled returns n, or a part of it in a quick run.
func scaled(n int) int {
	if full {
		return n
	}
	return n / 10
}

// A transport is one column of the matrix.
type transport struct {
	name, network string
	new           func() erpc.Transport // nil: built into peers
	tls           bool
}

var transports = []transport{
	{name: "tcp", network: "tcp"},
	{name: "tcp TLS", network: "tcp", tls: true},
	{name: "unix", network: "unix"},
	{name: "event loop", network: eventloop.Network, new: func() erpc.Transport { return &eventloop.Transport{} }},
	{name: "quic", network: quic.Network, tls: true},
	{name: "kcp", network: kcp.Network},
	{name: "memory", network: memory.Network, new: func() erpc.Transport { return memory.New() }},
	{name: "ws", network: "ws"},
}

// open returns a session with a server that has the handlers of [register].
func (tr transport) open(t *testing.T, pf erpc.ProtoFunc) erpc.Session {
	t.Helper()
	cfg := erpc.PeerConfig{Network: tr.network, ProtoFunc: pf}
	if tr.new != nil {
		cfg.Transports = []erpc.Transport{tr.new()}
	}
	server := cfg
	server.ListenAddress = "127.0.0.1:0"
	if tr.network == "unix" {
		server.ListenAddress = filepath.Join(t.TempDir(), "s")
	}
	srv, cli := kit.Peer(t, server), kit.Peer(t, cfg)
	if tr.tls {
		tls := kit.TCP.TLS()
		srv.SetTLSConfig(tls)
		cli.SetTLSConfig(tls)
	}
	register(srv)
	return kit.Open(t, cli, kit.Start(t, srv))
}
