package kit

import (
	"net"

	"github.com/goerpc/erpc"
)

// EveryHook returns a plugin that calls f in each of its hooks, with the name of
// the hook.
func EveryHook(name string, f func(hook string) *erpc.Status) *erpc.PluginImpl {
	onWrite := func(hook string) func(erpc.WriteCtx) *erpc.Status {
		return func(erpc.WriteCtx) *erpc.Status { return f(hook) }
	}
	onRead := func(hook string) func(erpc.ReadCtx) *erpc.Status {
		return func(erpc.ReadCtx) *erpc.Status { return f(hook) }
	}
	return &erpc.PluginImpl{
		PluginName:            name,
		OnPreNewPeer:          func(*erpc.PeerConfig, *erpc.PluginContainer) error { return f("PreNewPeer").Err() },
		OnPostNewPeer:         func(erpc.EarlyPeer) error { return f("PostNewPeer").Err() },
		OnPostReg:             func(*erpc.Handler) error { return f("PostReg").Err() },
		OnPostListen:          func(net.Addr) error { return f("PostListen").Err() },
		OnPreDial:             func(net.Addr, string) *erpc.Status { return f("PreDial") },
		OnPostDial:            func(erpc.PreSession, bool) *erpc.Status { return f("PostDial") },
		OnPostAccept:          func(erpc.PreSession) *erpc.Status { return f("PostAccept") },
		OnPostOpen:            func(erpc.Session, bool) { f("PostOpen") },
		OnPreWriteCall:        onWrite("PreWriteCall"),
		OnPostWriteCall:       onWrite("PostWriteCall"),
		OnPreWriteReply:       onWrite("PreWriteReply"),
		OnPostWriteReply:      onWrite("PostWriteReply"),
		OnPreWritePush:        onWrite("PreWritePush"),
		OnPostWritePush:       onWrite("PostWritePush"),
		OnPreReadHeader:       func(erpc.PreCtx) error { return f("PreReadHeader").Err() },
		OnPostReadCallHeader:  onRead("PostReadCallHeader"),
		OnPreReadCallBody:     onRead("PreReadCallBody"),
		OnPostReadCallBody:    onRead("PostReadCallBody"),
		OnPostReadPushHeader:  onRead("PostReadPushHeader"),
		OnPreReadPushBody:     onRead("PreReadPushBody"),
		OnPostReadPushBody:    onRead("PostReadPushBody"),
		OnPostReadReplyHeader: onRead("PostReadReplyHeader"),
		OnPreReadReplyBody:    onRead("PreReadReplyBody"),
		OnPostReadReplyBody:   onRead("PostReadReplyBody"),
		OnPostDisconnect:      func(erpc.BaseSession) *erpc.Status { return f("PostDisconnect") },
	}
}
