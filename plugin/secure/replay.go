package secure

import (
	"encoding/binary"
	"sync"
	"time"
)

// maxSeen bounds how many nonces of each generation are kept, about 20 bytes
// each. Only nonces of authentic messages are stored, so attackers can't fill
// it.
const maxSeen = 1 << 21

// replays remembers the nonces of recently accepted messages. It keeps two
// generations, so that a nonce is only forgotten when its message is too old to
// be accepted anyway.
type replays struct {
	maxAge time.Duration

	mu        sync.Mutex // guards the following
	turned    time.Time  // when now began
	now, past map[uint64]struct{}
}

// take reports whether to accept a message with that nonce and time: it must be
// neither too old nor from the future, and not accepted before. When maxSeen is
// reached, take refuses messages rather than forget nonces.
func (r *replays) take(nonce []byte, sent, at time.Time) bool {
	if age := at.Sub(sent); age > r.maxAge || age < -r.maxAge {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A nonce is acceptable from maxAge before its time until maxAge after it.
	if life := 2 * r.maxAge; at.Sub(r.turned) >= life {
		r.past = r.now
		if at.Sub(r.turned) >= 2*life {
			r.past = nil
		}
		r.now, r.turned = make(map[uint64]struct{}), at
	}
	key := binary.BigEndian.Uint64(nonce) // 64 random bits: far more values than messages
	_, seen := r.now[key]
	_, seenPast := r.past[key]
	if seen || seenPast || len(r.now) >= maxSeen {
		return false
	}
	r.now[key] = struct{}{}
	return true
}
