package peer

import (
	"fmt"
	"net"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
)

// The hooks of a peer.
type (
	// PreNewPeerPlugin is called before a peer is made and may change its
	// configuration and plugins. An error is a mistake of the program: making
	// the peer panics.
	PreNewPeerPlugin interface {
		plugin.Plugin
		PreNewPeer(*Config, *plugin.Container) error
	}
	// PostNewPeerPlugin is called when a peer was made and may register
	// handlers. An error is treated as that of PreNewPeerPlugin.
	PostNewPeerPlugin interface {
		plugin.Plugin
		PostNewPeer(*Peer) error
	}
	// PostListenPlugin is called with the bound address, before connections
	// are accepted. An error ends the listening with it.
	PostListenPlugin interface {
		plugin.Plugin
		PostListen(net.Addr) error
	}
	// PreDialPlugin is called before each attempt to dial. A failed status is
	// the outcome of the attempt.
	PreDialPlugin interface {
		plugin.Plugin
		PreDial(localAddr net.Addr, remoteAddr string) *message.Status
	}
)

// useful says what is wrong with a plugin that would never be called.
func useful(p plugin.Plugin) error {
	switch p.(type) {
	case PreNewPeerPlugin, PostNewPeerPlugin, PostListenPlugin, PreDialPlugin:
		return nil
	}
	if session.IsHook(p) || router.IsHook(p) {
		return nil
	}
	return fmt.Errorf("peer: plugin %q (%T) implements no hook, so it would never be called; see docs/plugins.md for the hooks and their exact signatures", p.Name(), p)
}
