package session

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// What a connection holds for its other side is bounded in bytes: the CALLs and
// PUSHes that are being handled, and the replies that the other side has not read.
// Above the limit the connection is not read until there is room again, which
// looks like a slow network to the other side. A message is refused only if
// waiting can't help: because handlers wait for replies that only the reading
// goroutine can read, or take very long.
//
// The length of a future reply is not known: the replies to the calls at work are
// assumed to be as long as those that wait.
//
// A message that the reading goroutine handles itself is not counted, because
// there is only one at a time.

// yieldEvery is how many handlers may begin until the reading goroutine lets them
// run, so that the size of their replies is known before thousands have begun.
const yieldEvery = 64

const (
	roomTick = 20 * time.Millisecond // how often a goroutine that waits for room checks again

	// How long the reading goroutine waits while no handler ends. If the other
	// side has replies to read, the write timeout applies instead of waitLongest.
	waitReentrant = 100 * time.Millisecond // calls of this side wait for replies, or its streams for credit, which are not read meanwhile
	waitLongest   = 3 * time.Second        // the other side may think that this one is dead
)

var errTooManyBytes = errors.New("session: too many bytes in flight (InflightLimit); the message was not executed")

// handlingCost is the memory of a message on a worker besides its own bytes: its
// exchange and the stack of a goroutine. Without it a limit of 64 MiB would admit
// millions of messages of ten bytes.
const handlingCost = 4 << 10

// weigh returns how many bytes m takes while it is handled.
func weigh(m *message.Message) int64 {
	return handlingCost + max(int64(m.Size()), int64(len(m.Raw())+m.Meta().RawLen())) + int64(m.Meta().Weight())
}

// A load is what a budget asks of its connection.
type load interface {
	// unread returns the number and the bytes of the replies that the other side
	// has not read.
	unread() (replies, bytes int64)
	// work returns how many handlers are at work, and whether calls of this side
	// wait for their replies, or its streams for credit.
	work() (handlers int64, calling bool)
	// flush sends what would otherwise wait until the next read.
	flush()
	// broken reports whether the connection can't send any more.
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

// A roomWait is what a budget needs once await has had to wait.
type roomWait struct {
	waits  atomic.Bool   // await waits now
	room   chan struct{} // capacity 1: gets a value when a handler has ended
	gaveUp bool          // owned by await: it has waited too long, and refuses until there is room
}

// add counts n bytes, which may be negative.
func (b *budget) add(n int64) { b.bytes.Add(n) }

// full reports whether no more messages may be handled. If none is being handled
// one may, whatever its size.
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

// await waits until there is room for a message. It returns false if the message
// must be refused, or the connection can't send any more.
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
		if l.broken() {
			return false
		}
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

// A connLoad is a connection as the load of its budget.
type connLoad struct{ c *conn }

func (l connLoad) unread() (replies, bytes int64) { return l.c.sock.Waiting() }
func (l connLoad) work() (int64, bool) {
	return int64(l.c.places.handlers.Load()), l.c.pending.peek().Len() > 0 || l.c.streams.Load().starve()
}
func (l connLoad) flush()                 { l.c.sock.StartFlush() }
func (l connLoad) broken() bool           { return l.c.sock.Err() != nil }
func (l connLoad) ended() <-chan struct{} { return l.c.context().Done() }
