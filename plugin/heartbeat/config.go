package heartbeat

import (
	"time"

	"github.com/goerpc/erpc/internal/wire"
)

// ServiceMethod is the service method of heartbeats: /heartbeat.
const ServiceMethod = wire.Heartbeat

// HeartbeatServiceMethod is [ServiceMethod] under v7's name.
//
// Deprecated: use [ServiceMethod].
const HeartbeatServiceMethod = ServiceMethod

const (
	// DefaultRate is the time between two heartbeats.
	DefaultRate = 3 * time.Second
	// MinRate is the shortest time between two heartbeats.
	MinRate = 100 * time.Millisecond
	// MaxRate is the longest time between two heartbeats.
	MaxRate = 24 * time.Hour
	// DefaultMisses is how many beats may be missed.
	DefaultMisses = 3
	// DefaultPongRate is the time between two heartbeats that a [Pong] assumes on
	// a session that has sent none.
	DefaultPongRate = 30 * time.Second

	// firstLook is the latest time at which a new connection is checked for the
	// first time. A Ping then sends its first heartbeat, which tells the other
	// side the rate.
	firstLook = 100 * time.Millisecond

	// throughput is the assumed throughput of the slowest connection, in bytes per
	// second.
	throughput = 64 << 10
)

// A PingConfig configures the side that sends heartbeats. Its zero value calls
// every three seconds.
type PingConfig struct {
	Rate   time.Duration `yaml:"rate" ini:"rate" comment:"Time between two heartbeats of an idle session, 100ms to 24h; 0s is 3s"`
	Misses int           `yaml:"misses" ini:"misses" comment:"Beats without any sign of life after which a connection is closed; 0 is 3"`
	Push   bool          `yaml:"push" ini:"push" comment:"Send heartbeats as PUSH, which nobody answers; a CALL takes the place of one when nothing has been heard for misses-1 beats"`
}

// A PongConfig configures the side that answers. Its zero value works.
type PongConfig struct {
	Rate   time.Duration `yaml:"rate" ini:"rate" comment:"Time between two heartbeats that is gone by on a session that has sent none; 0s is 30s, below 0s such sessions are left alone"`
	Misses int           `yaml:"misses" ini:"misses" comment:"Beats without any sign of life after which a connection is closed, 2 or more; 0 is 3"`
}

func clamp(rate time.Duration) time.Duration {
	if rate <= 0 {
		return DefaultRate
	}
	return min(max(rate, MinRate), MaxRate)
}
