package main

import (
	"strings"

	"github.com/andeya/erpc/v7"
)

// newPeer makes a v7 peer with v7's own path names. For the thrift protocols it
// has the methods of the thrift vectors besides, which are named the RPC way.
func newPeer(o *options, cfg erpc.PeerConfig, to sink, plugins []erpc.Plugin) erpc.Peer {
	if !strings.HasPrefix(o.wire(), "thrift-") {
		return erpc.NewPeer(cfg, plugins...)
	}
	// v7 asks the process-wide mapper for the root of a new peer, and again for
	// each name below it. Only an empty root takes both kinds of names. Plugins
	// register while the peer is made: under the RPC mapper, "/heartbeat" would
	// become "heartbeat", which no ping finds.
	defer erpc.SetServiceMethodMapper(erpc.HTTPServiceMethodMapper)
	erpc.SetServiceMethodMapper(emptyRootMapper)
	p := erpc.NewPeer(cfg, plugins...)
	erpc.SetServiceMethodMapper(thriftMapper)
	p.RouteCall(new(Home))
	p.RoutePush(func() erpc.CtrlStructPtr { return &thriftNote{to: to} })
	return p
}

func emptyRootMapper(prefix, name string) string {
	if prefix == "" && name == "" {
		return ""
	}
	return erpc.HTTPServiceMethodMapper(prefix, name)
}

func thriftMapper(prefix, name string) string {
	if name == "thriftNote" {
		name = "Note"
	}
	return erpc.RPCServiceMethodMapper(prefix, name)
}

func routeService(p erpc.Peer, to sink) {
	p.RouteCall(new(Math))
	p.RouteCall(new(Enc))
	routeNote(p, to)
}

func routeNote(p erpc.Peer, to sink) {
	p.RoutePush(func() erpc.CtrlStructPtr { return &note{to: to} })
}
