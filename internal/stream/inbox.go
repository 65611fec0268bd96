package stream

import (
	"context"
	"errors"
	"sync"
)

// Reasons for which an [Inbox] refuses a message.
var (
	// ErrOverrun means that the sender has sent more than its window.
	ErrOverrun = errors.New("stream: the sender has overrun the window")
	// ErrMemory means that the streams of the peer hold as much memory as they
	// may.
	ErrMemory = errors.New("stream: the memory for streams is used up")
	// ErrEnded means that the stream accepts no more messages.
	ErrEnded = errors.New("stream: it has ended")
)

// A Credit is what the receiver tells the sender after its program has taken
// messages.
type Credit struct {
	Count  uint64 // messages taken since the stream began
	Window int64  // bytes that the sender may have outstanding
}

// maxUncredited is the maximum number of messages taken before a credit is due,
// however small they are.
const maxUncredited = 64

// minOverlap is the least window, in bytes, of a stream whose messages fill the
// initial one. It lets two messages of 64 KiB be on their way, and is too small to
// hold up what else the connection carries.
const minOverlap = 2 * InitialWindow

// An Inbox holds the messages that have arrived on a stream and were not taken
// yet. Put is for the goroutine that reads the connection and never blocks; Take
// is for the program, one goroutine at a time. All other methods may be called
// concurrently.
//
// An inbox reserves its window from the memory of the peer while more messages may
// arrive, plus the bytes of a large message above that. After [Inbox.Close] only
// what is queued stays reserved, until it is taken or dropped.
type Inbox[T any] struct {
	memory *Memory
	ready  chan struct{} // has a value when there may be something to take

	mu       sync.Mutex // guards the following
	queue    ring[entry[T]]
	queued   int64 // charge of the queued messages
	reserved int64
	window   int64
	taken    uint64 // messages taken, since the beginning
	owed     int64  // charge of the messages taken since the last credit
	owedN    int    // their number
	offset   int64  // charge of the messages taken, since the beginning
	credited int64  // offset at the last credit
	granted  int64  // the window that the last credit announced
	growth   growth
	end      error // what Take returns when the queue is empty; nil: more may come
}

type entry[T any] struct {
	value  T
	charge int64
	full   bool
}

// NewInbox returns an inbox with a window of [InitialWindow] bytes, or [ErrMemory]
// if memory has less than that left.
func NewInbox[T any](memory *Memory) (*Inbox[T], error) {
	if !memory.Reserve(InitialWindow) {
		return nil, ErrMemory
	}
	return &Inbox[T]{memory: memory, ready: make(chan struct{}, 1), window: InitialWindow, granted: InitialWindow, reserved: InitialWindow}, nil
}

// Put queues a message that has arrived. full says that the sender has used up its
// window. On an error the message was not queued and the stream must be ended.
func (b *Inbox[T]) Put(value T, charge int64, full bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end != nil {
		return ErrEnded
	}
	if b.queued+b.owed >= b.window { // the sender may not have got the credit that is owed
		return ErrOverrun
	}
	if more := b.queued + charge - b.reserved; more > 0 {
		if !b.memory.Reserve(more) {
			return ErrMemory
		}
		b.reserved += more
	}
	b.growth.arrived(b.offset + b.queued)
	b.queued += charge
	b.queue.push(entry[T]{value, charge, full})
	b.signal()
	return nil
}

// Take returns the next message. It waits for one until ctx ends. due reports that
// credit must be sent to the other side. After the last message it returns the
// error of Close.
func (b *Inbox[T]) Take(ctx context.Context) (value T, credit Credit, due bool, err error) {
	for {
		b.mu.Lock()
		if b.queue.len() > 0 {
			value, credit, due = b.takeLocked()
			b.mu.Unlock()
			return value, credit, due, nil
		}
		end := b.end
		b.mu.Unlock()
		if end != nil {
			b.signal() // for others that wait
			return value, Credit{}, false, end
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return value, Credit{}, false, context.Cause(ctx)
		}
	}
}

func (b *Inbox[T]) takeLocked() (value T, credit Credit, due bool) {
	e := b.queue.pop()
	empty := b.queue.len() == 0
	if !empty {
		b.signal()
	}
	b.queued -= e.charge
	b.taken++
	b.offset += e.charge
	b.owed += e.charge
	b.owedN++
	if b.end != nil { // no more messages follow, so the sender does not need credit
		b.shrinkLocked(b.queued)
		return e.value, Credit{}, false
	}
	if e.full && empty && b.window < MaxWindow && b.tooSmallLocked(e.charge) && b.memory.Reserve(b.window) {
		b.reserved += b.window
		b.window *= 2 // the program keeps up
	}
	b.shrinkLocked(max(b.window, b.queued))
	due = e.full || b.owed >= b.window/2 || b.owedN >= maxUncredited
	if due {
		b.growth.credited(b.credited + b.granted)
		b.owed, b.owedN = 0, 0
		b.credited, b.granted = b.offset, b.window
	}
	return e.value, Credit{Count: b.taken, Window: b.window}, due
}

// tooSmallLocked reports whether the window should grow, after a message that has
// used it up was taken. If the message alone fills the window, the two sides only
// take turns: the next one is not sent before the program has taken this one.
func (b *Inbox[T]) tooSmallLocked(charge int64) bool {
	slow := b.growth.usedUp(b.offset, b.window)
	return slow || charge >= b.window && b.window < minOverlap
}

// Close refuses further messages. Those that are queued can still be taken; after
// them Take returns err. Their memory stays reserved until they are taken or
// [Inbox.Abort] or [Inbox.Release] is called. Only the first call has an effect.
func (b *Inbox[T]) Close(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end != nil {
		return
	}
	b.end = err
	b.shrinkLocked(b.queued)
	b.signal()
}

// Release gives back the memory reserved for messages in a closed inbox. The
// program may still take them, or forget the inbox.
func (b *Inbox[T]) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end != nil {
		b.shrinkLocked(0)
	}
}

// Abort is Close for a stream whose program takes no more messages: it drops what
// is queued, even after a Close, and Take returns err from now on.
func (b *Inbox[T]) Abort(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = err
	b.queue, b.queued = ring[entry[T]]{}, 0
	b.shrinkLocked(0)
	b.signal()
}

// Len returns how many messages are queued, and their charge.
func (b *Inbox[T]) Len() (messages int, charge int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.len(), b.queued
}

// Arrived returns how many messages have arrived, taken or not, except those that
// were dropped.
func (b *Inbox[T]) Arrived() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken + uint64(b.queue.len())
}

// shrinkLocked gives back what is reserved above need bytes.
func (b *Inbox[T]) shrinkLocked(need int64) {
	if b.reserved > need {
		b.memory.Release(b.reserved - need)
		b.reserved = need
	}
}

// signal wakes one Take.
func (b *Inbox[T]) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}
