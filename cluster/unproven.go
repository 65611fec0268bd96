package cluster

import "sync"

// unproven counts the pushes of this node that the engine may have lost: it
// took them, but the connection may have broken before they were sent. When a
// numbered beat comes back, the pushes before it are proven. All methods may be
// called concurrently.
type unproven struct {
	mu     sync.Mutex // guards the following
	pushes uint64     // pushes that the engine has accepted
	proven uint64     // how many of them were certainly sent
	beat   uint64     // number of the last beat
	before uint64     // number of pushes before that beat
}

func (u *unproven) push() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pushes++
}

func (u *unproven) sendBeat(number uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.beat, u.before = number, u.pushes
}

func (u *unproven) beatCameBack(number uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if number == u.beat {
		u.proven = max(u.proven, u.before)
	}
}

// broken reports whether the broken connection may have lost pushes, and
// forgets them.
func (u *unproven) broken() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	lost := u.proven < u.pushes
	u.proven = u.pushes
	return lost
}
