package cluster

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// nodes holds the other nodes. Each beat of a node renews its lease, which ends
// three beats later.
type nodes struct {
	mu      sync.Mutex // guards the following and what is in it
	m       map[string]*node
	cut     bool          // this node is cut off, so it can't tell which nodes are dead
	changed chan struct{} // closed at the next change of the announcements
	// The number of the last beat, or 0 if unknown, of nodes whose lease ended
	// while this node was not cut off. The route to them may have been cut, and
	// they may come back.
	departed map[string]uint64
	left     map[string]struct{} // nodes that said bye; later messages of them were sent before
	heardAll chan struct{}       // closed when all awaited nodes were heard; nil if none is awaited
}

type node struct {
	seen   time.Time
	silent bool   // has not answered a barrier, and was not heard since then
	lost   bool   // its lease ended while this node was cut off
	await  bool   // not heard since this node was connected again
	late   bool   // await was given up
	beat   uint64 // number of the last beat that all nodes got; 0 if unknown
	count  uint64 // how often its announcement has changed
	said   []byte // its last announcement, encoded
	offers announcement
}

// Nodes returns the names of the other live nodes, sorted.
func (c *Cluster) Nodes() []string { return c.nodes.names(true) }

// names returns the names of the nodes, sorted. It includes silent nodes only
// if silent is true.
func (n *nodes) names(silent bool) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := make([]string, 0, len(n.m))
	for id, x := range n.m {
		if !x.lost && (silent || !x.silent) {
			names = append(names, id)
		}
	}
	slices.Sort(names)
	return names
}

// heard records a sign of life. missed reports that earlier messages of the
// node may be lost.
func (n *nodes) heard(id string) (missed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leftLocked(id) {
		return false
	}
	_, missed = n.heardLocked(id)
	return missed
}

func (n *nodes) heardLocked(id string) (x *node, missed bool) {
	x = n.m[id]
	if x == nil {
		x = &node{}
		n.m[id] = x
	}
	missed = x.late
	x.seen, x.silent, x.lost, x.await, x.late = time.Now(), false, false, false, false
	n.lookLocked()
	return x, missed
}

// lookLocked closes heardAll once all awaited nodes were heard.
func (n *nodes) lookLocked() {
	if n.heardAll == nil {
		return
	}
	for _, x := range n.m {
		if x.await {
			return
		}
	}
	close(n.heardAll)
	n.heardAll = nil
}

// giveUp stops waiting for nodes that were not heard since this node was
// connected again. What they publish until they are heard may be lost.
func (n *nodes) giveUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.m {
		x.await, x.late = false, x.late || x.await
	}
	n.lookLocked()
}

// announced records a sign of life with an announcement. An id that is not 0 is
// the number of a beat to all nodes. missed reports that earlier beats did not
// arrive, so other messages of that node may be lost too. The count of the
// announcement shows which of two signs is older, because they may arrive by
// different subjects.
func (n *nodes) announced(sign *envelope) (missed bool, err error) {
	id, number, said := sign.node, sign.id, sign.body
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leftLocked(id) {
		return false, nil
	}
	x, missed := n.heardLocked(id)
	if number > 0 {
		before, departed := n.departed[id]
		last := cmp.Or(x.beat, before)
		missed = missed || last > 0 && number > last+1 || last == 0 && departed
		x.beat = number
		delete(n.departed, id)
	}
	if sign.count < x.count {
		return missed, nil
	}
	x.count = sign.count // also if it repeats what is known: signs with a lower count are older
	if bytes.Equal(x.said, said) {
		return missed, nil
	}
	offers, err := decodeAnnouncement(said)
	if err != nil {
		return missed, err
	}
	x.said, x.offers = said, offers
	n.changeLocked()
	return missed, nil
}

// maxDeparted bounds how many departed nodes are remembered.
const maxDeparted = 1000

// departLocked remembers the last beat of a node whose lease ended.
func (n *nodes) departLocked(id string, x *node) {
	if n.departed == nil || len(n.departed) >= maxDeparted {
		n.departed = map[string]uint64{}
	}
	n.departed[id] = x.beat
}

// changeLocked wakes goroutines that wait for a change.
func (n *nodes) changeLocked() {
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
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
	x := n.m[id]
	return x != nil && !x.lost
}

// leftLocked reports whether a node has left. Ids of nodes are not reused.
func (n *nodes) leftLocked(id string) bool {
	_, left := n.left[id]
	return left
}

// leave removes a node that has said bye.
func (n *nodes) leave(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left == nil || len(n.left) >= maxDeparted {
		n.left = map[string]struct{}{}
	}
	n.left[id] = struct{}{}
	if n.m[id] != nil {
		delete(n.m, id)
		n.changeLocked()
		n.lookLocked()
	}
}

// expire ends the leases of nodes that were not heard since then, and returns
// these nodes. While this node is cut off, it keeps their announcements.
func (n *nodes) expire(since time.Time) (gone []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, x := range n.m {
		if !x.seen.Before(since) {
			continue
		}
		if !x.lost {
			gone = append(gone, id)
		}
		if n.cut {
			x.lost = true
		} else {
			n.departLocked(id, x)
			delete(n.m, id)
			n.changeLocked()
			n.lookLocked()
		}
	}
	return gone
}

func (n *nodes) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut
}

// setCut records whether this node is cut off from the others. When it is
// connected again, nodes whose lease has ended get time to show that they are
// alive, and heard is closed when all have been heard.
func (n *nodes) setCut(cut bool) (heard <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	clear(n.departed)
	for _, x := range n.m {
		x.beat = 0 // Up handles the missed messages
		x.await, x.late = !cut, false
		if !cut && x.lost {
			x.seen = time.Now()
		}
	}
	if n.heardAll == nil {
		n.heardAll = make(chan struct{})
	}
	heard = n.heardAll
	n.lookLocked()
	return heard
}

// maxName is the length of a name, in bytes, above which its hash is used
// instead.
const maxName = 200

// escape turns a name, which may come from a client, into a part of a subject.
// The two forms begin with different letters.
func escape(name string) string {
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(name))
		return "h" + hex.EncodeToString(sum[:])
	}
	return "b" + base64.RawURLEncoding.EncodeToString([]byte(name))
}
