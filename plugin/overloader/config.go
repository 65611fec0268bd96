package overloader

import (
	"errors"
	"fmt"
	"time"
)

// A LimitConfig holds the limits of a peer. A value of 0 or below means no
// limit.
type LimitConfig struct {
	MaxConn     int32 `yaml:"max_conn" ini:"max_conn" comment:"Sessions at the same time, accepted and dialed; 0 is no limit"`
	MaxTotalQPS int32 `yaml:"max_total_qps" ini:"max_total_qps" comment:"Calls and pushes in a second; as many may come at once; 0 is no limit"`
	// MaxHandlerQPS lists limits of single methods. Methods are compared after the
	// header hooks of earlier plugins have run, which may rename them.
	MaxHandlerQPS []HandlerLimit `yaml:"max_handler_qps" ini:"max_handler_qps" comment:"Limits of single methods"`
	// QPSInterval is v7's time between two rounds of new permits. It has no
	// effect, because permits are added continuously.
	QPSInterval time.Duration `yaml:"qps_interval" ini:"qps_interval" comment:"Of erpc v7; without effect"`

	MaxInFlight  int32         `yaml:"max_in_flight" ini:"max_in_flight" comment:"Handlers at work at the same time; 0 is no limit"`
	MaxQueue     int32         `yaml:"max_queue" ini:"max_queue" comment:"Calls and pushes that may wait for one of these to end; 0 is none"`
	MaxQueueTime time.Duration `yaml:"max_queue_time" ini:"max_queue_time" comment:"Longest time that one waits; 0s is 1s"`

	// Except lists methods, such as /heartbeat, that are exempt from the limits on
	// rates and running handlers.
	Except   []string `yaml:"except" ini:"except" comment:"Methods that only max_conn concerns"`
	V7Status bool     `yaml:"v7_status" ini:"v7_status" comment:"Refuse with the code 500 and the text of erpc v7"`
}

// A HandlerLimit holds the limits of one method.
type HandlerLimit struct {
	ServiceMethod string `yaml:"service_method" ini:"service_method" comment:"The method"`
	MaxQPS        int32  `yaml:"max_qps" ini:"max_qps" comment:"Its calls and pushes in a second; 0 is no limit"`
	MaxInFlight   int32  `yaml:"max_in_flight" ini:"max_in_flight" comment:"Its handlers at work at the same time, without a queue; 0 is no limit"`
}

// DefaultQueueTime is how long a message may wait if MaxQueue is set and
// MaxQueueTime is not.
const DefaultQueueTime = time.Second

// Validate returns the error in the limits, if any.
func (c *LimitConfig) Validate() error {
	seen := map[string]bool{}
	for _, h := range c.MaxHandlerQPS {
		if seen[h.ServiceMethod] {
			return fmt.Errorf("overloader: method %q has two limits; give it one", h.ServiceMethod)
		}
		seen[h.ServiceMethod] = true
	}
	if c.MaxQueue > 0 && c.MaxInFlight <= 0 {
		return errors.New("overloader: max_queue has no effect without max_in_flight; set both")
	}
	return nil
}
