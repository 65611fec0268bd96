// Package evio has erpc v7's names for a server whose connections share an
// event loop. It is for programs that come from v7; new ones set
// [erpc.PeerConfig.Network] to evtcp (see socket/eventloop).
package evio

import "github.com/goerpc/erpc"

// NewClient returns a peer, as [erpc.NewPeer] does.
func NewClient(cfg erpc.PeerConfig, globalLeftPlugin ...erpc.Plugin) erpc.Peer {
	return erpc.NewPeer(cfg, globalLeftPlugin...)
}

// A Server is a peer that accepts its connections on an event loop.
type Server struct{ erpc.Peer }

// NewServer returns a server. There is one loop for all connections, so the
// first argument, v7's number of loops, has no effect. Networks other than
// TCP's have no event loop and are served as by any peer.
func NewServer(_ int, cfg erpc.PeerConfig, globalLeftPlugin ...erpc.Plugin) *Server {
	switch cfg.Network {
	case "":
		cfg.Network = "evtcp"
	case "tcp", "tcp4", "tcp6":
		cfg.Network = "ev" + cfg.Network
	}
	return &Server{erpc.NewPeer(cfg, globalLeftPlugin...)}
}
