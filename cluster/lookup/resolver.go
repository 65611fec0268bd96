package lookup

import (
	"context"
	"time"

	"github.com/goerpc/erpc/cluster"
)

// An Instance is one server of a service. Instances with the same address count
// as one.
type Instance struct {
	Address  string `json:"address"`
	Weight   int    `json:"weight,omitempty"` // below 1 means 1
	Zone     string `json:"zone,omitempty"`
	Draining bool   `json:"draining,omitempty"` // gets no new calls while others can be used
}

// A Resolver finds the instances of a service. Each client calls it from one
// goroutine; several clients may share it.
type Resolver interface {
	// Resolve returns the current instances. After an error the client keeps the
	// set that it knows, and tries again a little later.
	Resolve(ctx context.Context) (Set, error)
}

// A Set is an answer of a [Resolver].
type Set struct {
	Instances []Instance
	Changed   <-chan struct{} // if not nil, closed when the set may have changed
	Again     time.Duration   // if not 0, the time after which to resolve again
}

// Static is a resolver of a set that does not change.
type Static []Instance

// Resolve implements [Resolver].
func (s Static) Resolve(context.Context) (Set, error) { return Set{Instances: s}, nil }

// Addresses returns a resolver of instances with these addresses and defaults
// otherwise.
func Addresses(addresses ...string) Static {
	s := make(Static, len(addresses))
	for i, a := range addresses {
		s[i].Address = a
	}
	return s
}

// Services is a source of announced services: a [cluster.Cluster] or a
// [cluster.Observer].
type Services interface {
	Services(name string) []cluster.Service
	ServicesChanged() <-chan struct{}
}

// Directory is a resolver of a service that nodes of a cluster announce.
type Directory struct {
	From Services
	Name string
}

// Resolve implements [Resolver].
func (d Directory) Resolve(context.Context) (Set, error) {
	s := Set{Changed: d.From.ServicesChanged()}
	for _, x := range d.From.Services(d.Name) {
		s.Instances = append(s.Instances, Instance{x.Address, x.Weight, x.Zone, x.Draining})
	}
	return s, nil
}
