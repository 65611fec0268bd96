package plugin

import (
	"fmt"
	"slices"
	"sync"
)

// A Container is an ordered set of plugins: those of a peer, or those of one of
// its routes, which has the peer's around its own. Plugins can be added and
// removed at any time; those that have resolved hooks are notified. All methods may
// be called concurrently.
type Container struct {
	root *root
	own  []Plugin // of a route and the groups above it; nil for a peer
}

// root is what the containers of one peer share.
type root struct {
	accept func(Plugin) error // says why a plugin would never be called; may be nil

	mu          sync.Mutex // guards the following
	left, right []Plugin
	watchers    []func()
}

// NewContainer returns an empty container. accept, which may be nil, refuses
// plugins that would never be called.
func NewContainer(accept func(Plugin) error) *Container {
	return &Container{root: &root{accept: accept}}
}

// With returns a container of the same peer with plugins behind those of c and
// in front of the right ones. It fails on a nil plugin or a repeated name.
func (c *Container) With(plugins ...Plugin) (*Container, error) {
	n := &Container{root: c.root, own: slices.Concat(c.own, plugins)}
	return n, check(n.GetAll())
}

// AppendLeft puts plugins in front of all others. It panics if one is nil, is
// there already, or implements no hook: it would silently never run.
func (c *Container) AppendLeft(plugins ...Plugin) {
	c.change(plugins, func(r *root) { r.left = slices.Concat(plugins, r.left) })
}

// AppendRight puts plugins behind all others, and is like AppendLeft otherwise.
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

// add looks for repeated names and adds in one step, so that of two goroutines
// with the same plugin one fails.
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

// GetByName returns the plugin of that name, nil if there is none.
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
