package peer

import (
	"fmt"
	"net"
	"reflect"
	"slices"

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
	// PostNewPeerPlugin is called after a peer was made and may register handlers.
	// An error is treated as in PreNewPeerPlugin.
	PostNewPeerPlugin interface {
		plugin.Plugin
		PostNewPeer(*Peer) error
	}
	// PostListenPlugin is called with the bound address, before connections are
	// accepted. An error closes the listener, and Serve returns it.
	PostListenPlugin interface {
		plugin.Plugin
		PostListen(net.Addr) error
	}
	// PreDialPlugin is called before each attempt to dial. If it returns a failed
	// status, the attempt fails with that status.
	PreDialPlugin interface {
		plugin.Plugin
		PreDial(localAddr net.Addr, remoteAddr string) *message.Status
	}
)

// hookTypes returns the interfaces of all hooks that a peer's plugins can
// implement.
func hookTypes() []reflect.Type {
	onRoute, onPeer := session.HookTypes()
	return slices.Concat(onRoute, onPeer, router.HookTypes(), []reflect.Type{
		reflect.TypeFor[PreNewPeerPlugin](), reflect.TypeFor[PostNewPeerPlugin](),
		reflect.TypeFor[PostListenPlugin](), reflect.TypeFor[PreDialPlugin](),
	})
}

// checkPlugin returns an error for a plugin that would never be called, or one
// of whose hook methods would never be called.
func checkPlugin(p plugin.Plugin) error {
	types := hookTypes()
	if err := plugin.CheckShapes(p, types); err != nil {
		return err
	}
	if _, selects := p.(plugin.Selector); !selects && len(plugin.Hooks(p, types)) == 0 {
		return fmt.Errorf("peer: plugin %q (%T) implements no hook, so it would never be called; see docs/plugins.md for the hooks and their exact signatures", p.Name(), p)
	}
	return nil
}
