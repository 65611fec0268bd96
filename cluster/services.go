package cluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// A Service is an address at which a node serves. [Cluster.Announce] publishes
// it to the other nodes.
type Service struct {
	Name    string `json:"name"`
	Address string `json:"address"` // with a network, such as "quic://host:port", if it differs from the dialing peer's
	Weight  int    `json:"weight,omitempty"`
	Zone    string `json:"zone,omitempty"`
	// Draining says that the node is leaving and accepts no new sessions.
	Draining bool   `json:"-"`
	Node     string `json:"-"`
}

// An announcement is what a node sends about itself with each beat.
type announcement struct {
	Services []Service `json:"services,omitempty"`
	Draining bool      `json:"draining,omitempty"`
}

// encode encodes the announcement. It returns nil for an empty one.
func (a announcement) encode() []byte {
	if len(a.Services) == 0 && !a.Draining {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}

func decodeAnnouncement(b []byte) (a announcement, err error) {
	if len(b) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return announcement{}, fmt.Errorf("cluster: announcement: %w", err)
	}
	return a, nil
}

// Announce replaces the services that this node announces to the others. They
// learn of it at once, and forget it three beats after the last sign of life of
// the node.
func (c *Cluster) Announce(services ...Service) {
	c.announce(func(a *announcement) { a.Services = slices.Clone(services) })
}

// announce changes the announcement of this node and sends it.
func (c *Cluster) announce(change func(*announcement)) {
	c.mu.Lock()
	change(&c.offers)
	c.offered++
	c.mu.Unlock()
	c.nodes.mu.Lock()
	c.nodes.changeLocked()
	c.nodes.mu.Unlock()
	if c.life.is() == lifeRunning {
		_ = c.say(c.subjectAll(), kindBeat, 0) // the next beat repeats it
	}
}

// beat returns a sign of life with the announcement.
func (c *Cluster) beat(k kind) *envelope {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &envelope{kind: k, count: c.offered, body: c.offers.encode()}
}

// Services returns the services with that name on all nodes, in a fixed order.
// While this node is cut off, it returns the last known ones.
func (c *Cluster) Services(name string) []Service {
	all := c.nodes.services(name)
	c.mu.Lock()
	all = c.offers.append(all, name, c.node)
	c.mu.Unlock()
	sortServices(all)
	return all
}

// ServicesChanged returns a channel that is closed when the result of Services
// may have changed. To miss no change, get the channel before calling Services.
func (c *Cluster) ServicesChanged() <-chan struct{} { return c.nodes.awaitChange() }

// append adds the services of that name to all.
func (a announcement) append(all []Service, name, node string) []Service {
	for _, s := range a.Services {
		if s.Name == name {
			s.Node, s.Draining = node, a.Draining
			all = append(all, s)
		}
	}
	return all
}

func sortServices(all []Service) {
	slices.SortFunc(all, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Node, b.Node))
	})
}

func (n *nodes) services(name string) (all []Service) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, x := range n.m {
		all = x.offers.append(all, name, id)
	}
	return all
}

func (n *nodes) awaitChange() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.changed
}
