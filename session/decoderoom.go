package session

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc/message"
)

// The memory of decoded bodies is bounded twice, in bytes that their codecs
// compute beforehand. The decodes in progress of a peer share a decodeBudget. A
// decode that finds no room waits its turn, which always comes, because a decode
// that has room does not wait. The arguments of the calls and pushes of one
// connection stay in memory until their handlers return. Together they may take
// InflightLimit; a message that finds no room waits for other handlers, or is
// refused.
//
// A single body is always admitted, whatever its size: a limit that is smaller
// than a body lets one through at a time.

// errTooMuchDecoded refuses a message whose argument has no room.
var errTooMuchDecoded = errors.New("session: the arguments of other messages leave no room to decode this one (InflightLimit); it was not executed")

// A decodeRoom is a number of bytes that is handed out first come, first served.
// The zero value is ready.
type decodeRoom struct {
	mu      sync.Mutex // guards the following
	used    int64
	waiting []*roomWaiter // oldest first
	gave    time.Duration // on clock, when bytes were last given back while others waited
}

// A roomWaiter waits for room.
type roomWaiter struct {
	n, own int64
	turn   chan struct{} // closed when it has the room
}

// fitsLocked reports whether there is room for n more bytes. own are the bytes that the
// asker holds already; they don't count as used by others, or it would wait for itself.
func (r *decodeRoom) fitsLocked(n, own, limit int64) bool {
	return r.used <= own || r.used+n <= limit
}

// tryTake takes n bytes if there is room and no one waits for it.
func (r *decodeRoom) tryTake(n, own, limit int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) > 0 || !r.fitsLocked(n, own, limit) {
		return false
	}
	r.used += n
	return true
}

// tryRough takes n bytes if half of the room is enough for them. n is a bound that
// may be far too large.
func (r *decodeRoom) tryRough(n, limit int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) > 0 || r.used+n > limit/2 {
		return false
	}
	r.used += n
	return true
}

// take takes n bytes. It waits until ended is closed, or no bytes were given back
// for the time patience, and reports whether it has them.
func (r *decodeRoom) take(n, own, limit int64, ended <-chan struct{}, patience time.Duration) bool {
	w := &roomWaiter{n, own, make(chan struct{})}
	r.mu.Lock()
	r.waiting = append(r.waiting, w)
	r.admitLocked(limit)
	r.mu.Unlock()
	since := clock()
	var late <-chan time.Time
	if patience > 0 {
		t := time.NewTicker(patience)
		defer t.Stop()
		late = t.C
	}
	for {
		select {
		case <-w.turn:
			return true
		case <-late:
			r.mu.Lock()
			gave := r.gave
			r.mu.Unlock()
			if gave < since {
				return r.leave(w, limit)
			}
			since = clock()
		case <-ended:
			return r.leave(w, limit)
		}
	}
}

// leave stops waiting, and reports whether w got its room meanwhile.
func (r *decodeRoom) leave(w *roomWaiter, limit int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.waiting, w)
	if i < 0 {
		return true
	}
	r.waiting = slices.Delete(r.waiting, i, i+1)
	r.admitLocked(limit) // smaller ones may have waited behind it
	return false
}

// give gives n bytes back.
func (r *decodeRoom) give(n, limit int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	if len(r.waiting) > 0 {
		r.gave = clock()
		r.admitLocked(limit)
	}
}

// admitLocked wakes the waiters that have room now.
func (r *decodeRoom) admitLocked(limit int64) {
	for len(r.waiting) > 0 && r.fitsLocked(r.waiting[0].n, r.waiting[0].own, limit) {
		w := r.waiting[0]
		r.waiting = slices.Delete(r.waiting, 0, 1)
		r.used += w.n
		close(w.turn)
	}
}

// freeDecode is how many bytes, by the known bound, a body may decode to without
// being counted in the budget of the peer. Such a decode takes less than a
// millisecond, so few are in progress, and sessions don't contend for the mutex of
// the budget.
const freeDecode = 512 << 10

// A decodeBudget bounds what all decodes in progress of a peer may take. It
// implements [message.DecodeRoom].
type decodeBudget struct {
	room  decodeRoom
	limit int64 // bytes
}

var _ message.DecodeRoom = (*decodeBudget)(nil)

// TryTake implements [message.DecodeRoom]. Rough bounds may take half of the
// budget.
func (b *decodeBudget) TryTake(n int) bool {
	return n <= freeDecode || b.room.tryRough(int64(n), b.limit)
}

// Take implements [message.DecodeRoom]. It never fails.
func (b *decodeBudget) Take(n int) error {
	if n <= freeDecode {
		return nil
	}
	if !b.room.tryTake(int64(n), 0, b.limit) {
		b.room.take(int64(n), 0, b.limit, nil, 0)
	}
	return nil
}

// Give implements [message.DecodeRoom].
func (b *decodeBudget) Give(n int) {
	if n > freeDecode {
		b.room.give(int64(n), b.limit)
	}
}

// bytes returns how many are taken.
func (b *decodeBudget) bytes() int64 {
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	return b.room.used
}

// An argumentRoom takes room for the argument of an inbound CALL or PUSH: of its
// connection, until free is called, and of its peer, while it is decoded.
type argumentRoom struct{ x *exchange }

// TryTake implements [message.DecodeRoom]. Rough bounds may take half of the room
// of the connection. A small argument of the goroutine that reads is not counted:
// few of these exist at a time (maxStuck).
func (a argumentRoom) TryTake(n int) bool {
	x := a.x
	if x.slot.turn != nil && n <= freeDecode {
		return true
	}
	r, limit := x.conn.arguments.get(), int64(x.conn.shared.InflightLimit)
	if limit > 0 && !r.tryRough(int64(n), limit) {
		return false
	}
	if b := x.conn.shared.decoding; b != nil && !b.TryTake(n) {
		if limit > 0 {
			r.give(int64(n), limit)
		}
		return false
	}
	if limit > 0 {
		x.argHeld += int64(n)
	}
	return true
}

// Take implements [message.DecodeRoom].
func (a argumentRoom) Take(n int) error {
	x := a.x
	if limit := int64(x.conn.shared.InflightLimit); limit > 0 {
		r := x.conn.arguments.get()
		if !r.tryTake(int64(n), x.argHeld, limit) {
			x.conn.sock.StartFlush() // the other side may wait for earlier replies
			if !r.take(int64(n), x.argHeld, limit, x.Context().Done(), waitLongest) {
				return errTooMuchDecoded
			}
		}
		x.argHeld += int64(n)
	}
	if b := x.conn.shared.decoding; b != nil {
		return b.Take(n)
	}
	return nil
}

// Give implements [message.DecodeRoom]. The room of the connection stays taken
// until the handler has returned.
func (a argumentRoom) Give(n int) {
	if b := a.x.conn.shared.decoding; b != nil {
		b.Give(n)
	}
}

// free gives back the room of the argument, which is not used any more.
func (a argumentRoom) free() {
	if x := a.x; x.argHeld > 0 {
		x.conn.arguments.get().give(x.argHeld, int64(x.conn.shared.InflightLimit))
		x.argHeld = 0
	}
}
