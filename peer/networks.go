package peer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goerpc/erpc/socket"
)

// An UnlinkedError means that a configuration names a network of this module
// whose transport the program does not import. Programs import these transports
// explicitly, because they bring large dependencies.
type UnlinkedError struct {
	Key     string // the key of the configuration, such as network
	Network string // such as quic
	Import  string // the import path of the package with the transport
	Value   string // what to add to Config.Transports
}

// Error says what to import and where to put it.
func (e *UnlinkedError) Error() string {
	return fmt.Sprintf("peer: %s %q has no transport in this program; import %q and add %s to Transports of the configuration, or import %q and use all.Transports()",
		e.Key, e.Network, e.Import, e.Value, "github.com/goerpc/erpc/socket/all")
}

// linkable lists the transports that a program has to import. The peer only
// knows their names and does not import them.
var linkable = []struct {
	networks    []string
	path, value string
}{
	{[]string{"quic"}, "github.com/goerpc/erpc/socket/quic", "&quic.Transport{}"},
	{[]string{"kcp", "udp", "udp4", "udp6"}, "github.com/goerpc/erpc/socket/kcp", "kcp.Transport{}"},
	{[]string{"ws", "wss"}, "github.com/goerpc/erpc/socket/websocket", "websocket.Transport{}"},
	{[]string{"memory"}, "github.com/goerpc/erpc/socket/memory", "memory.New()"},
}

// checkNetworks returns an error for each network that needs an import.
// Validate does not call it, because a program adds its transports after it has
// read the configuration.
func (c *Config) checkNetworks() error {
	var errs []error
	check := func(key, network string) {
		for _, l := range linkable {
			if slices.Contains(l.networks, network) && !offers(c.Transports, network) {
				errs = append(errs, &UnlinkedError{Key: key, Network: network, Import: l.path, Value: l.value})
			}
		}
	}
	check("network", c.Network)
	for i, l := range c.Listeners {
		check(fmt.Sprintf("listeners[%d].network", i), l.Network)
	}
	return errors.Join(errs...)
}

func offers(transports []socket.Transport, network string) bool {
	return slices.ContainsFunc(transports, func(t socket.Transport) bool {
		return slices.Contains(t.Networks(), network)
	})
}
