package cluster

import "sync"

// unproven counts the pushes of this node that the engine may have lost: it took them,
// but the connection may have broken before they were sent. A numbered beat that comes
// back proves those before it. All methods may be called concurrently.
type unproven struct {
	mu     sync.Mutex // guards the following
	pushes uint64     // that the engine has taken
	proven uint64     // so many of them have certainly been sent
	beat   uint64     // number of the last beat
	before uint64     // pushes before that
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

// broken reports whether the connection that broke may have lost any, and forgets them.
func (u *unproven) broken() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	lost := u.proven < u.pushes
	u.proven = u.pushes
	return lost
}
