package main

import (
	"strings"

	"github.com/andeya/erpc/v7"
)

// newPeer makes a v7 peer with v7's own path names. For the thrift protocols it
// has the methods of the thrift vectors besides, which are named the RPC way:
// those are registered first, while the peer's root is the empty RPC one, under
// which "/math/add" can still be registered afterwards.
func newPeer(o *options, cfg erpc.PeerConfig, to sink, plugins []erpc.Plugin) erpc.Peer {
	if !strings.HasPrefix(o.wire(), "thrift-") {
		return erpc.NewPeer(cfg, plugins...)
	}
	erpc.SetServiceMethodMapper(func(prefix, name string) string {
		if name == "thriftNote" {
			name = "Note"
		}
		return erpc.RPCServiceMethodMapper(prefix, name)
	})
	defer erpc.SetServiceMethodMapper(erpc.HTTPServiceMethodMapper)
	p := erpc.NewPeer(cfg, plugins...)
	p.RouteCall(new(Home))
	p.RoutePush(func() erpc.CtrlStructPtr { return &thriftNote{to: to} })
	return p
}

func routeService(p erpc.Peer, to sink) {
	p.RouteCall(new(Math))
	p.RouteCall(new(Enc))
	routeNote(p, to)
}

func routeNote(p erpc.Peer, to sink) {
	p.RoutePush(func() erpc.CtrlStructPtr { return &note{to: to} })
}
