package kit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/memory"
)

// Bubble runs f in a bubble of [synctest], where time passes only while all
// goroutines are blocked. After the peers of the test are closed, it waits until
// their idle workers have ended.
func Bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // registered first, so it runs last
		f(t)
	})
}

// Memory returns a function that puts a peer on a new network in memory, for a
// [Bubble].
func Memory() (on func(erpc.PeerConfig) erpc.PeerConfig) {
	transports := []erpc.Transport{memory.New()}
	return func(cfg erpc.PeerConfig) erpc.PeerConfig {
		cfg.Network, cfg.Transports = memory.Network, transports
		return cfg
	}
}
