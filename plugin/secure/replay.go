package secure

import (
	"encoding/binary"
	"sync"
	"time"
)

// maxSeen bounds how many nonces of each generation are kept, some 20 bytes each.
// Only what is authentic gets here, so strangers cannot fill it.
const maxSeen = 1 << 21

// replays knows the nonces of what was taken within the last while. It keeps two
// generations, so that none is forgotten before it is too old to be taken anyway.
type replays struct {
	maxAge time.Duration

	mu        sync.Mutex // guards the following
	turned    time.Time  // when now began
	now, past map[uint64]struct{}
}

// take reports whether a message of that time is taken: if it is not too old, nor
// from the future, and was not taken before. When there are very many, it refuses
// rather than forgets.
func (r *replays) take(nonce []byte, sent, at time.Time) bool {
	if age := at.Sub(sent); age > r.maxAge || age < -r.maxAge {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A nonce may come as long as from maxAge before its time until maxAge after.
	if life := 2 * r.maxAge; at.Sub(r.turned) >= life {
		r.past = r.now
		if at.Sub(r.turned) >= 2*life {
			r.past = nil
		}
		r.now, r.turned = make(map[uint64]struct{}), at
	}
	key := binary.BigEndian.Uint64(nonce) // random bytes, and more than there are messages
	_, seen := r.now[key]
	_, seenPast := r.past[key]
	if seen || seenPast || len(r.now) >= maxSeen {
		return false
	}
	r.now[key] = struct{}{}
	return true
}
