package kit

import "github.com/goerpc/erpc"

// ConnectionCost returns how many bytes one connection can make a peer hold, as
// computed in docs/limits.md. filters says whether transfer filters are registered.
func ConnectionCost(cfg erpc.PeerConfig, filters bool) int64 {
	cfg.SetDefaults()
	const leastDecoded = 8 << 20
	n := cfg.InflightLimit + max(cfg.InflightLimit, 4*cfg.ReadLimit, leastDecoded) + 2*cfg.ReadLimit + 2*cfg.QueueLimit
	if filters {
		n += 2 * cfg.ReadLimit
	}
	return int64(n)
}
