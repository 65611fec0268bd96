package websocket

import (
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/websocket"
)

// A Client is a peer that dials over WebSocket. It redials as the configuration
// says.
type Client struct {
	*peer.Peer
}

// NewClient returns a client for servers whose endpoint is at rootPath.
func NewClient(rootPath string, cfg erpc.PeerConfig, globalLeftPlugin ...erpc.Plugin) *Client {
	return &Client{Peer: erpc.NewPeer(over(cfg, websocket.Config{Path: rootPath, Messages: true}), globalLeftPlugin...)}
}

// over returns cfg with a transport over WebSocket.
func over(cfg erpc.PeerConfig, ws websocket.Config) erpc.PeerConfig {
	if ws.ReadLimit == 0 {
		ws.ReadLimit = int64(cfg.ReadLimit)
	}
	cfg.Network = "ws"
	cfg.Transports = append(cfg.Transports[:len(cfg.Transports):len(cfg.Transports)], socket.Transport(websocket.Transport{Config: ws}))
	return cfg
}

// Dial opens a session that speaks the JSON sub-protocol, or the sub-protocol
// that is given. To use any other protocol, make a peer with a
// [websocket.Transport].
func (c *Client) Dial(addr string, protoFunc ...erpc.ProtoFunc) (erpc.Session, *erpc.Status) {
	pf, messages := choose(protoFunc)
	if !messages {
		_, name := pf().Version()
		return nil, erpc.NewStatusByCodeText(erpc.CodeInvalidOp, fmt.Errorf("websocket: %s is not a sub-protocol of WebSocket; make a peer with a websocket.Transport for it", name), false)
	}
	return c.Peer.Dial(addr, pf)
}

// DialJSON opens a session that speaks the JSON sub-protocol.
func (c *Client) DialJSON(addr string) (erpc.Session, *erpc.Status) {
	return c.Dial(addr, jsonproto.NewSubProtoFunc())
}

// DialProtobuf opens a session that speaks the protobuf sub-protocol.
func (c *Client) DialProtobuf(addr string) (erpc.Session, *erpc.Status) {
	return c.Dial(addr, pbproto.NewSubProtoFunc())
}

// NewDialPlugin returns a plugin that makes a peer dial over WebSocket, to the
// endpoint at rootPath, with the JSON sub-protocol unless the peer's
// configuration names another one.
func NewDialPlugin(rootPath string) erpc.Plugin { return &dialPlugin{rootPath} }

type dialPlugin struct{ path string }

func (*dialPlugin) Name() string { return "websocket-dial" }

// PreNewPeer puts the transport into the configuration.
func (d *dialPlugin) PreNewPeer(cfg *erpc.PeerConfig, _ *plugin.Container) error {
	*cfg = over(*cfg, websocket.Config{Path: d.path, Messages: true})
	if cfg.ProtoFunc == nil {
		cfg.ProtoFunc = jsonproto.NewSubProtoFunc()
	}
	return nil
}
