package embed

import (
	"errors"

	"github.com/nats-io/nats-server/v2/server"

	engine "github.com/goerpc/erpc/cluster/nats"
)

// copies is the number of servers of a mesh that store a message. With two, no
// server could fail.
const copies = 3

// store returns how engines of the server store messages.
func (c *Config) store() engine.Store {
	if c.Listen == "" {
		return engine.Store{Replicas: 1}
	}
	return engine.Store{Replicas: copies}
}

// keep configures the server to store messages, if the configuration says so.
func (c *Config) keep(opts *server.Options) error {
	s := c.Store
	switch {
	case s == nil:
		return nil
	case s.Dir == "":
		return errors.New("embed: Store.Dir is empty; set a permanent directory that no other server uses")
	case c.Listen != "" && c.Name == "":
		return errors.New("embed: a server of a mesh with a Store needs a fixed Name; set one")
	case c.Listen != "" && len(c.Routes) < copies-1:
		return errors.New("embed: a mesh with a Store has three servers: list the two others in Routes, or set no Store here")
	}
	limit := s.MaxBytes
	if limit <= 0 {
		limit = 1 << 30
	}
	opts.JetStream, opts.StoreDir = true, s.Dir
	opts.JetStreamMaxStore, opts.JetStreamMaxMemory = limit, limit
	return nil
}
