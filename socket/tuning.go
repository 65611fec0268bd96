package socket

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Tunables are a set of the options that say how a connection behaves.
type Tunables uint8

// The fields of [Options] of these names.
const (
	TuneNoDelay Tunables = 1 << iota
	TuneKeepAlive
	TuneKeepAlivePeriod
	TuneReadBuffer
	TuneWriteBuffer
)

// Sets of tunables that networks have.
const (
	TuneBuffers = TuneReadBuffer | TuneWriteBuffer
	TuneAll     = TuneNoDelay | TuneKeepAlive | TuneKeepAlivePeriod | TuneBuffers
)

var tunableNames = []string{"NoDelay", "KeepAlive", "KeepAlivePeriod", "ReadBuffer", "WriteBuffer"} // by bit

// String returns the names of the fields.
func (t Tunables) String() string {
	var names []string
	for i, name := range tunableNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// asked returns what o asks for, by best effort or not.
func (o *Options) asked() (t Tunables) {
	for i, is := range []bool{o.NoDelay != nil, o.KeepAlive != nil, o.KeepAlivePeriod != 0, o.ReadBuffer != 0, o.WriteBuffer != 0} {
		if is {
			t |= 1 << i
		}
	}
	return t
}

// Check returns an error that wraps [errors.ErrUnsupported] if o asks for an
// option that the network does not have: has lists those that it has. A transport
// calls it when it dials and listens. It ignores options that it does not have and
// that BestEffort names.
func (o *Options) Check(network string, has Tunables) error {
	if o == nil {
		return nil
	}
	if unfit := o.asked() &^ o.BestEffort &^ has; unfit != 0 {
		return fmt.Errorf("socket: network %q has no option %s; leave the Socket… field out of the peer's configuration, or choose another network: %w", network, unfit, errors.ErrUnsupported)
	}
	return nil
}

// tunables returns the options that a network of the system has.
func tunables(network string) Tunables {
	if network == "unix" || network == "unixpacket" {
		return TuneBuffers
	}
	return TuneAll
}

// tune applies the options to a connection of the system.
func (o *Options) tune(conn net.Conn) error {
	if b, ok := conn.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok {
		if o.ReadBuffer > 0 {
			if err := b.SetReadBuffer(o.ReadBuffer); err != nil {
				return fmt.Errorf("socket: set read buffer: %w", err)
			}
		}
		if o.WriteBuffer > 0 {
			if err := b.SetWriteBuffer(o.WriteBuffer); err != nil {
				return fmt.Errorf("socket: set write buffer: %w", err)
			}
		}
	}
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	if o.NoDelay != nil {
		if err := c.SetNoDelay(*o.NoDelay); err != nil {
			return fmt.Errorf("socket: set no delay: %w", err)
		}
	}
	ka := net.KeepAliveConfig{Enable: o.KeepAlive == nil || *o.KeepAlive, Idle: o.KeepAlivePeriod, Interval: o.KeepAlivePeriod}
	if err := c.SetKeepAliveConfig(ka); err != nil {
		return fmt.Errorf("socket: set keepalive: %w", err)
	}
	return nil
}
