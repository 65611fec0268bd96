package streams

import (
	"os"
	"path/filepath"
	"slices"
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
	"github.com/goerpc/erpc/socket/websocket"
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

// A linker makes a server and a session of a client to it.
type linker func(t *testing.T, register func(erpc.Peer), server, client erpc.PeerConfig) (erpc.Session, erpc.Peer)

// link is the [linker] of the transport.
func (tr transport) link(pf erpc.ProtoFunc) linker {
	return func(t *testing.T, register func(erpc.Peer), server, client erpc.PeerConfig) (erpc.Session, erpc.Peer) {
		t.Helper()
		var made []erpc.Transport
		if tr.new != nil {
			made = []erpc.Transport{tr.new()}
		}
		for _, cfg := range []*erpc.PeerConfig{&server, &client} {
			cfg.Network, cfg.ProtoFunc, cfg.Transports = tr.network, pf, made
		}
		server.ListenAddress = "127.0.0.1:0"
		if tr.network == "unix" {
			server.ListenAddress = filepath.Join(t.TempDir(), "s")
		}
		srv, cli := kit.Peer(t, server), kit.Peer(t, client)
		if tr.tls {
			tls := kit.TCP.TLS()
			srv.SetTLSConfig(tls)
			cli.SetTLSConfig(tls)
		}
		register(srv)
		return kit.Open(t, cli, kit.Start(t, srv)), srv
	}
}

// open returns a session with a server that has the handlers of [register].
func (tr transport) open(t *testing.T, pf erpc.ProtoFunc) erpc.Session {
	t.Helper()
	sess, _ := tr.link(pf)(t, register, erpc.PeerConfig{}, erpc.PeerConfig{})
	return sess
}

// The sub-protocols of WebSocket, each of whose messages is one of the connection's,
// go over this transport only.
var (
	subProtocols = map[string]erpc.ProtoFunc{
		"json sub-protocol":     jsonproto.NewSubProtoFunc(),
		"protobuf sub-protocol": pbproto.NewSubProtoFunc(),
	}
	messages = transport{name: "ws messages", network: "ws", new: func() erpc.Transport {
		return websocket.Transport{Config: websocket.Config{Messages: true}}
	}}
)

// combinations calls f with each protocol and transport that can combine.
func combinations(f func(name string, tr transport, pf erpc.ProtoFunc)) {
	for name, pf := range protocols {
		for _, tr := range transports {
			f(name+" over "+tr.name, tr, pf)
		}
	}
	for name, pf := range subProtocols {
		f(name+" over "+messages.name, messages, pf)
	}
}

// everywhere runs a test over each protocol and transport that can combine. A quick
// run takes a few that have little in common.
func everywhere(t *testing.T, test func(*testing.T, linker)) {
	quick := []string{"raw over tcp", "json over ws", "protobuf sub-protocol over ws messages"}
	combinations(func(name string, tr transport, pf erpc.ProtoFunc) {
		if full || slices.Contains(quick, name) {
			t.Run(name, func(t *testing.T) { test(t, tr.link(pf)) })
		}
	})
}
