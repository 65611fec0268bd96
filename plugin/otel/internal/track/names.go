package track

import "sync"

// Names are a bounded set of names. All methods may be called concurrently.
type Names struct {
	mu  sync.RWMutex // guards the following
	all map[string]struct{}
}

// add adds a name if there are fewer than max; 0 is no bound. It reports whether
// the name is there now.
func (n *Names) add(name string, max int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.all[name]; ok {
		return true
	}
	if max > 0 && (len(n.all) >= max || len(name) > maxName) {
		return false
	}
	if n.all == nil {
		n.all = make(map[string]struct{})
	}
	n.all[name] = struct{}{}
	return true
}

// Of returns the name if it is there, or can be added to at most max, and Other
// if not. With a max of 0 nothing is added.
func (n *Names) Of(name string, max int) string {
	n.mu.RLock()
	_, ok := n.all[name]
	n.mu.RUnlock()
	if ok || max > 0 && n.add(name, max) {
		return name
	}
	return Other
}
