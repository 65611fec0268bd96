package cluster

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// nodes are the other nodes that live.
type nodes struct {
	mu sync.Mutex // guards m and what is in it
	m  map[string]*node
}

type node struct {
	seen   time.Time
	silent bool // has not answered a barrier, and was not heard since
}

// Nodes returns the names of the other nodes that live, sorted.
func (c *Cluster) Nodes() []string { return c.nodes.names(true) }

// names returns the nodes, sorted; those that are silent only if silent says so.
func (n *nodes) names(silent bool) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := make([]string, 0, len(n.m))
	for id, x := range n.m {
		if silent || !x.silent {
			names = append(names, id)
		}
	}
	slices.Sort(names)
	return names
}

// heard notes a sign of life.
func (n *nodes) heard(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.m[id] == nil {
		n.m[id] = &node{}
	}
	n.m[id].seen, n.m[id].silent = time.Now(), false
}

func (n *nodes) silent(ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if x := n.m[id]; x != nil {
			x.silent = true
		}
	}
}

func (n *nodes) lives(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.m[id] != nil
}

// leave removes a node.
func (n *nodes) leave(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.m, id)
}

// expire removes the nodes not heard since then, and returns them.
func (n *nodes) expire(since time.Time) (gone []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, x := range n.m {
		if x.seen.Before(since) {
			gone = append(gone, id)
			delete(n.m, id)
		}
	}
	return gone
}

// maxName is how long a name may be, in bytes, before a hash stands for it.
const maxName = 200

// escape makes a part of a subject of a name that may come from a stranger. Both
// forms begin with a letter of their own.
func escape(name string) string {
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(name))
		return "h" + hex.EncodeToString(sum[:])
	}
	return "b" + base64.RawURLEncoding.EncodeToString([]byte(name))
}
