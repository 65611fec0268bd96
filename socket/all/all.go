// Package all lists the transports of this module, for programs that take the
// name of their network from a configuration:
//
//	p := erpc.NewPeer(erpc.PeerConfig{Network: network, Transports: all.Transports()})
//
// It compiles quic-go, kcp-go and coder/websocket into the program, about 5 MB,
// and kcp-go starts a few goroutines when the program starts. A program that
// knows its network imports the one package that it needs.
package all

import (
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/quic"
	"github.com/goerpc/erpc/socket/websocket"
)

// Transports returns the transports of the networks quic, kcp, udp, udp4, udp6,
// ws, wss and evtcp, with their defaults. The stream sockets, tcp and unix among
// them, are part of every peer.
func Transports() []socket.Transport {
	return []socket.Transport{&quic.Transport{}, kcp.Transport{}, websocket.Transport{}, &eventloop.Transport{}}
}
