package behaviour

import (
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/memory"
	"github.com/goerpc/erpc/socket/quic"
	"github.com/goerpc/erpc/socket/sockettest"
	"github.com/goerpc/erpc/socket/websocket"
)

func TestMain(m *testing.M) { sockettest.VerifyMain(m) } // kcp-go starts goroutines when it is linked

// A protocol is one row of the matrix.
type protocol struct {
	name     string
	new      erpc.ProtoFunc
	codec    string // of bodies
	prefix   string // of the names of methods
	messages bool   // it is for transports that preserve message boundaries

	// lacks has the aspects that the format does not support, with the reason.
	lacks map[string]string
}

const structs = "thrift"

var protocols = []protocol{
	{name: "raw", new: rawproto.NewRawProtoFunc(), codec: "json", prefix: "/"},
	{name: "json", new: jsonproto.NewJSONProtoFunc(), codec: "json", prefix: "/"},
	{name: "protobuf", new: pbproto.NewPbProtoFunc(), codec: "json", prefix: "/"},
	{name: "thrift-binary", new: thriftproto.NewBinaryProtoFunc(), codec: structs, prefix: "/"},
	{name: "thrift-struct", new: thriftproto.NewStructProtoFunc(), codec: structs, prefix: "/"},
	{
		name: "thrift stock", codec: structs, prefix: "Behaviour.",
		new: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Transport: thriftproto.Header, Concurrent: true}),
	},
	{name: "http", new: httproto.NewHTTProtoFunc(), codec: "json", prefix: "/"},
	{name: "json sub-protocol", new: jsonproto.NewSubProtoFunc(), codec: "json", prefix: "/", messages: true},
	{name: "protobuf sub-protocol", new: pbproto.NewSubProtoFunc(), codec: "json", prefix: "/", messages: true},
}

// A transport is one column of the matrix.
type transport struct {
	name, network string
	new           func() erpc.Transport // nil: built into peers
	tls           bool
	messages      bool // it preserves message boundaries
}

var transports = []transport{
	{name: "tcp", network: "tcp"},
	{name: "tcp TLS", network: "tcp", tls: true},
	{name: "unix", network: "unix"},
	{name: "unixpacket", network: "unixpacket"},
	{name: "event loop", network: eventloop.Network, new: func() erpc.Transport { return &eventloop.Transport{} }},
	{name: "quic", network: quic.Network, tls: true},
	{name: "kcp", network: kcp.Network},
	{name: "memory", network: memory.Network, new: func() erpc.Transport { return memory.New() }},
	{name: "ws stream", network: "ws"},
	{
		name: "ws messages", network: "ws", messages: true,
		new: func() erpc.Transport { return websocket.Transport{Config: websocket.Config{Messages: true}} },
	},
}

// cannot returns why p can't be carried by t, or "" if it can.
func cannot(p protocol, t transport) string {
	switch {
	case p.messages && !t.messages:
		return "not possible; a sub-protocol needs a WebSocket, with one WebSocket message per erpc message"
	case t.messages && !p.messages:
		return "not possible; only the sub-protocols use WebSocket messages"
	}
	return ""
}
