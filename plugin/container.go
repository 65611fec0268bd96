package plugin

import (
	"fmt"
	"slices"
	"sync"
)

// A Container is an ordered set of plugins, of a peer or of one of its routes.
// A route's container has the peer's plugins around its own. Plugins can be
// added and removed at any time; functions registered with Watch are then
// called. All methods may be called concurrently.
type Container struct {
	root *root
	own  []Plugin // plugins of a route and the groups above it; nil for a peer
}

// root is the state that the containers of one peer share.
type root struct {
	accept func(Plugin) error // returns an error for a plugin that would never be called; may be nil

	mu          sync.Mutex // guards the following
	left, right []Plugin
	watchers    []func()
}

// NewContainer returns an empty container. accept, which may be nil, refuses
// plugins that would never be called.
func NewContainer(accept func(Plugin) error) *Container {
	return &Container{root: &root{accept: accept}}
}

// With returns a container of the same peer with plugins after those of c and
// before the peer's right ones. It fails on a nil plugin or a duplicate name.
func (c *Container) With(plugins ...Plugin) (*Container, error) {
	n := &Container{root: c.root, own: slices.Concat(c.own, plugins)}
	return n, check(n.GetAll())
}

// AppendLeft adds plugins before all others. It panics if one is nil, is
// already in the container, or implements no hook, because such a plugin would
// silently never run.
func (c *Container) AppendLeft(plugins ...Plugin) {
	c.change(plugins, func(r *root) { r.left = slices.Concat(plugins, r.left) })
}

// AppendRight adds plugins after all others. Otherwise it is like AppendLeft.
func (c *Container) AppendRight(plugins ...Plugin) {
	c.change(plugins, func(r *root) { r.right = slices.Concat(r.right, plugins) })
}

func (c *Container) change(plugins []Plugin, do func(*root)) {
	if err := check(plugins); err != nil {
		panic(err)
	}
	for _, p := range plugins {
		if c.root.accept == nil {
			break
		}
		if err := c.root.accept(p); err != nil {
			panic(err)
		}
	}
	if err := c.add(plugins, do); err != nil {
		panic(err)
	}
	c.root.notify()
}

// add checks for duplicate names and adds in one step, so that when two
// goroutines add the same plugin, one fails.
func (c *Container) add(plugins []Plugin, do func(*root)) error {
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	if err := check(slices.Concat(c.root.left, c.own, c.root.right, plugins)); err != nil {
		return err
	}
	do(c.root)
	return nil
}

func (r *root) notify() {
	r.mu.Lock()
	watchers := slices.Clone(r.watchers)
	r.mu.Unlock()
	for _, w := range watchers {
		w()
	}
}

// Remove removes a plugin of the peer by its name.
func (c *Container) Remove(name string) error {
	is := func(p Plugin) bool { return p.Name() == name }
	c.root.mu.Lock()
	n := len(c.root.left) + len(c.root.right)
	c.root.left = slices.DeleteFunc(slices.Clone(c.root.left), is)
	c.root.right = slices.DeleteFunc(slices.Clone(c.root.right), is)
	removed := n - len(c.root.left) - len(c.root.right)
	c.root.mu.Unlock()
	if removed == 0 {
		return fmt.Errorf("plugin: cannot remove %q: the peer has no plugin of that name", name)
	}
	c.root.notify()
	return nil
}

// GetAll returns the plugins in the order in which their hooks run.
func (c *Container) GetAll() []Plugin {
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	return slices.Concat(c.root.left, c.own, c.root.right)
}

// Own returns the plugins of a route and of the groups above it, without those of
// the peer.
func (c *Container) Own() []Plugin { return slices.Clone(c.own) }

// GetByName returns the plugin of that name, or nil if there is none.
func (c *Container) GetByName(name string) Plugin {
	for _, p := range c.GetAll() {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// Watch calls f now, and again after each change of the peer's plugins.
func (c *Container) Watch(f func()) {
	c.root.mu.Lock()
	c.root.watchers = append(c.root.watchers, f)
	c.root.mu.Unlock()
	f()
}
