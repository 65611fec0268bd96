package httproto

import (
	"errors"
	"slices"
	"sync"
)

// asked are the calls that wait for their reply, in the order in which they were
// sent: servers that do not know erpc answer in that order, without sequence
// numbers.
type asked struct {
	mu     sync.Mutex // guards the following
	seqs   []int32
	peer   bool // the other side is an erpc peer
	server bool // the other side is an HTTP server that does not know erpc
	pushed bool // a push was sent before either was known
}

var (
	errUnasked = errors.New("a reply that nobody has asked for")
	errServer  = errors.New("httproto: the other side is an HTTP server that does not know erpc; it can be called, but not pushed to")
	errPushed  = errors.New("a push was sent to a server that does not know erpc, and its reply can't be told from others")
)

func (a *asked) add(seq int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seqs = append(a.seqs, seq)
}

// answered removes the call with that number.
func (a *asked) answered(seq int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peer = true
	if i := slices.Index(a.seqs, seq); i >= 0 {
		a.remove(i)
	}
}

// next removes and returns the call to which a reply without a number belongs.
func (a *asked) next() (seq int32, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.pushed && !a.peer:
		return 0, errPushed
	case len(a.seqs) == 0:
		return 0, errUnasked
	}
	a.server = !a.peer
	seq = a.seqs[0]
	a.remove(0)
	return seq, nil
}

// remove removes the i-th call and keeps the order. It is usually the first.
func (a *asked) remove(i int) {
	if i > 0 {
		a.seqs = slices.Delete(a.seqs, i, i+1)
		return
	}
	a.seqs = a.seqs[1:]
	if len(a.seqs) == 0 {
		a.seqs = nil
	}
}

// known notes that the other side is an erpc peer.
func (a *asked) known() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peer = true
}

// push notes that a push is sent, or returns why pushes can't be sent.
func (a *asked) push() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server {
		return errServer
	}
	a.pushed = true
	return nil
}
