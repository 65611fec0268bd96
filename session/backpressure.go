package session

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// What a connection holds for its other side is bounded in bytes: the CALLs and
// PUSHes that are being handled, and the replies that wait for it to read. Above
// the limit nobody reads from the connection until there is room again, so that
// the other side feels it as it would feel a slow network. Only if waiting can't
// help is the message refused: the handlers may wait for replies that only the
// reading goroutine can read, or take very long.
//
// Nobody knows how long a reply will be: those to the calls at work are taken to
// be as long as those that wait.
//
// A message that is handled on the reading goroutine is not counted, because
// there is one at a time.

// yieldEvery is how many handlers may begin until the reading goroutine lets them
// run, so that the size of their replies is known before thousands have begun.
const yieldEvery = 64

const (
	roomTick = 20 * time.Millisecond // how often a goroutine that waits for room looks by itself

	// How long the reading goroutine waits while no handler ends. If replies wait
	// for the other side to read, the write timeout takes the place of the second.
	waitReentrant = 100 * time.Millisecond // calls of this side wait for replies, or streams for credit, that nobody reads meanwhile
	waitLongest   = 3 * time.Second        // the other side may think that this one is dead
)

var errTooManyBytes = errors.New("session: too many bytes in flight (InflightLimit); the message was not executed")

// handlingCost is what a message on a worker takes beside its bytes, in bytes: its
// exchange, and the stack of a goroutine. Of messages of ten bytes a limit of
// 64 MiB would let a million in otherwise.
const handlingCost = 4 << 10

// weigh returns how many bytes m, as it was read, takes while it is handled.
func weigh(m *message.Message) int64 {
	return handlingCost + max(int64(m.Size()), int64(len(m.Raw())+m.Meta().RawLen())) + int64(m.Meta().Weight())
}

// A load is what a budget asks of its connection.
type load interface {
	// unread returns how many replies wait for the other side to read, and their
	// bytes.
	unread() (replies, bytes int64)
	// work returns how many handlers are at work, and whether calls of this side
	// wait for their replies, or its streams for credit.
	work() (handlers int64, calling bool)
	// flush sends what would leave with the next read.
	flush()
	// broken reports whether nothing more can be sent.
	broken() bool
	// ended is closed with the connection.
	ended() <-chan struct{}
}

// A budget is the bytes in flight of one connection. add may be called
// concurrently, await by one goroutine at a time. The zero value is ready.
type budget struct {
	bytes atomic.Int64
	wait  atomic.Pointer[roomWait] // nil: await has never had to wait
}

// A roomWait is what a budget needs once somebody has had to wait.
type roomWait struct {
	waits  atomic.Bool   // await waits now
	room   chan struct{} // of capacity 1: tells it that a handler has ended
	gaveUp bool          // of await: it has waited too long, and refuses until there is room
}

// add counts n bytes, which may be negative.
func (b *budget) add(n int64) { b.bytes.Add(n) }

// full reports whether no more messages are to be handled. One more always may,
// whatever its size.
func (b *budget) full(limit int64, l load) bool {
	replies, unread := l.unread()
	if b.bytes.Load()+unread > limit {
		return true
	}
	if replies == 0 {
		return false
	}
	handlers, _ := l.work()
	return unread/replies*handlers > limit
}

// await returns when there is room for a message, true, or when the message must
// be refused or nothing can be sent any more, false.
func (b *budget) await(limit int64, l load) bool {
	w := b.wait.Load()
	if !b.full(limit, l) {
		if w != nil {
			w.gaveUp = false
		}
		return true
	}
	if w == nil {
		w = &roomWait{room: make(chan struct{}, 1)}
		b.wait.Store(w)
	}
	return !w.gaveUp && b.awaitHandlers(limit, l, w)
}

func (b *budget) awaitHandlers(limit int64, l load, w *roomWait) bool {
	l.flush()
	w.waits.Store(true)
	defer w.waits.Store(false)
	look := time.NewTicker(roomTick)
	defer look.Stop()
	ended := l.ended()
	for since := time.Now(); b.full(limit, l); {
		select {
		case <-w.room:
			since = time.Now()
		case <-look.C:
			if time.Since(since) > waitLimit(l) {
				w.gaveUp = true
				return false
			}
		case <-ended:
			return false
		}
		if l.broken() {
			return false
		}
	}
	return true
}

func waitLimit(l load) time.Duration {
	if _, calling := l.work(); calling {
		return waitReentrant
	}
	if replies, _ := l.unread(); replies > 0 {
		return math.MaxInt64
	}
	return waitLongest
}

// handlerEnded wakes a goroutine that waits for room.
func (b *budget) handlerEnded() {
	w := b.wait.Load()
	if w == nil || !w.waits.Load() {
		return
	}
	select {
	case w.room <- struct{}{}:
	default:
	}
}

// A connLoad is a connection as its budget sees it.
type connLoad struct{ c *conn }

func (l connLoad) unread() (replies, bytes int64) { return l.c.sock.Waiting() }
func (l connLoad) work() (int64, bool) {
	return int64(l.c.places.handlers.Load()), l.c.pending.peek().Len() > 0 || l.c.starved.Load() > 0
}
func (l connLoad) flush()                 { l.c.sock.StartFlush() }
func (l connLoad) broken() bool           { return l.c.sock.Err() != nil }
func (l connLoad) ended() <-chan struct{} { return l.c.context().Done() }
