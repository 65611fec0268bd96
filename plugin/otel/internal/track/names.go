package track

import "sync"

// Names is a bounded set of names. All methods may be called concurrently.
type Names struct {
	mu  sync.RWMutex // guards the following
	all map[string]struct{}
}

// add adds a name if there are fewer than max names; 0 means no bound. It
// reports whether the set contains the name now.
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

// Of returns name if the set contains it or has fewer than max names, in which
// case it adds name. Otherwise it returns Other. If max is 0, Of never adds.
func (n *Names) Of(name string, max int) string {
	n.mu.RLock()
	_, ok := n.all[name]
	n.mu.RUnlock()
	if ok || max > 0 && n.add(name, max) {
		return name
	}
	return Other
}
