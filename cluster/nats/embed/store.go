package embed

import (
	"errors"

	"github.com/nats-io/nats-server/v2/server"

	engine "github.com/goerpc/erpc/cluster/nats"
)

// copies is on how many servers of a mesh a message is kept. With two, none may
// fail.
const copies = 3

// store returns how engines of the server keep messages.
func (c *Config) store() engine.Store {
	if c.Listen == "" {
		return engine.Store{Replicas: 1}
	}
	return engine.Store{Replicas: copies}
}

// keep makes the server keep messages, if the configuration says so.
func (c *Config) keep(opts *server.Options) error {
	s := c.Store
	switch {
	case s == nil:
		return nil
	case s.Dir == "":
		return errors.New("embed: Store.Dir is empty; give a directory that stays and that no other server uses")
	case c.Listen != "" && c.Name == "":
		return errors.New("embed: a server of a mesh with a Store needs a Name that stays")
	case c.Listen != "" && len(c.Routes) < copies-1:
		return errors.New("embed: a mesh with a Store has three servers: name the two others in Routes, or keep nothing here")
	}
	limit := s.MaxBytes
	if limit <= 0 {
		limit = 1 << 30
	}
	opts.JetStream, opts.StoreDir = true, s.Dir
	opts.JetStreamMaxStore, opts.JetStreamMaxMemory = limit, limit
	return nil
}
