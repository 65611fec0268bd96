package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goerpc/erpc/proto"
)

// Errors of sending.
var (
	// ErrQueueFull: the other side does not read fast enough, and the policy
	// is not to wait for it. Nothing of the message is sent.
	ErrQueueFull = errors.New("socket: outgoing queue full")
	// ErrSlowReader ends a connection whose other side does not read: its queue
	// was full under the policy Disconnect, or nothing could be written for
	// the write timeout.
	ErrSlowReader = errors.New("socket: the other side does not read")
)

// An outbox collects packed messages and writes them in batches. There is no
// writing goroutine: whoever puts into an outbox that nobody writes becomes
// its leader and must call flush or hand the duty on. A leader never blocks on
// the connection: once the kernel takes no more, a goroutine of its own carries
// on.
type outbox struct {
	conn net.Conn
	raw  syscall.RawConn // nil: conn offers no write that does not block
	try  func(fd uintptr) bool
	cfg  *Config

	waiting atomic.Int64 // bytes of replies that wait for room, or that their handlers write
	waiters atomic.Int64 // how many these are

	mu        sync.Mutex // guards the following; never held during I/O or user code, but for a Sequencer's
	queue     queue
	leading   bool
	left      bool    // the leader has left the writing to the flushers, who have not begun
	starting  bool    // the leader is a goroutine that has not begun
	closing   bool    // no more is put; the connection is closed once the queue is empty
	timed     bool    // a write deadline is set that is not that of Close
	streaming *stream // of a leader that writes the body of its own caller; see stream.go
	heirs     *heir   // those who wait to lead in turn
	dead      error
	room      chan struct{} // closed when the queue was taken; nil: nobody waits for that

	messages, bytes, writes, dropped uint64 // as in Stats

	// Of the leader:
	w   []byte // what is left to write of the current chunk
	err error
}

func (o *outbox) init(conn net.Conn, raw syscall.RawConn, cfg *Config) {
	o.conn, o.raw, o.cfg = conn, raw, cfg
	o.try = o.tryWrite
}

// How a frame is put.
type putMode struct {
	policy Policy // what to do if there is no room
	hold   bool   // nobody becomes the leader; the frame waits for a later put or claim
	later  bool   // a new leader leaves the writing to the flushers
	own    bool   // the frame's bytes are given away
	nowait bool   // where the policy is to wait: ErrQueueFull, not counted
	urgent bool   // for it the queue has twice its limit
	weight int    // bytes that count as waiting for room while this does

	order proto.Sequencer // is told of the message, unless nil
	mtype byte
	seq   int32
}

// put appends frame. If lead is true the caller is the leader now.
func (o *outbox) put(ctx context.Context, frame []byte, mode putMode) (lead bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.await(ctx, len(frame), mode); err != nil {
		return false, err
	}
	if mode.order != nil {
		mode.order.Sent(mode.mtype, mode.seq)
	}
	switch {
	case mode.own:
		o.queue.addOwn(frame)
	case mode.policy == DropOld:
		o.queue.addDroppable(frame)
	default:
		o.queue.add(frame)
	}
	o.messages++
	o.bytes += uint64(len(frame))
	if !mode.hold {
		lead = !o.leading
		o.leading = true
		o.left = o.left || lead && mode.later
	}
	return lead, nil
}

// await returns when a frame of n bytes may be put. It is called, and returns,
// with the mutex held.
func (o *outbox) await(ctx context.Context, n int, mode putMode) error {
	limit := o.cfg.QueueLimit
	if mode.urgent {
		limit *= 2
	}
	for o.dead == nil {
		if o.queue.n == 0 || o.queue.n+n <= limit {
			return nil
		}
		if err := o.makeRoom(ctx, n, mode); err != nil {
			return err
		}
	}
	return o.dead
}

// makeRoom deals with a full queue as mode says. It is called, and returns,
// with the mutex held; the caller looks again.
func (o *outbox) makeRoom(ctx context.Context, n int, mode putMode) error {
	if !o.leading || o.left { // queued and not flushed: make the room
		o.leading, o.left = true, false
		o.mu.Unlock()
		o.flush(false)
		o.mu.Lock()
		return nil
	}
	if o.starting { // it is not the other side that is slow
		if mode.nowait {
			return ErrQueueFull
		}
		return o.waitForRoom(ctx, mode.weight)
	}
	switch mode.policy {
	case DropNew:
		o.dropped++
		return ErrQueueFull
	case DropOld:
		if dropped := o.queue.drop(n, o.cfg.QueueLimit); dropped > 0 {
			o.dropped += dropped
			return nil
		}
	case Disconnect:
		if o.streaming != nil {
			break // not slow, but busy with a large frame
		}
		o.dropped++
		o.failLocked(ErrSlowReader)
		_ = o.conn.SetDeadline(time.Unix(1, 0)) // ends reader and writer, which close the connection
		return ErrSlowReader
	}
	if mode.nowait {
		return ErrQueueFull
	}
	return o.waitForRoom(ctx, mode.weight)
}

// waitForRoom returns when the queue was taken, or ctx ended. Meanwhile weight
// counts as waiting. It is called, and returns, with the mutex held.
func (o *outbox) waitForRoom(ctx context.Context, weight int) error {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	room := o.room
	o.mu.Unlock()
	defer o.mu.Lock()
	if weight > 0 {
		o.load(1, weight)
		defer o.load(-1, -weight)
	}
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load counts replies that wait, and their bytes.
func (o *outbox) load(replies, weight int) {
	o.waiters.Add(int64(replies))
	o.waiting.Add(int64(weight))
}

// claim makes the caller the leader if there is something to write and nobody
// is.
func (o *outbox) claim() bool {
	o.mu.Lock()
	lead := !o.leading && o.queue.n > 0
	o.leading = o.leading || lead
	o.mu.Unlock()
	return lead
}

// flushLeft is flush for the flushers, unless somebody was faster.
func (o *outbox) flushLeft() {
	o.mu.Lock()
	left := o.left
	o.left = false
	o.mu.Unlock()
	if left {
		o.flush(false)
	}
}

// flush writes until nothing is left, then gives up the lead. With yield others
// may add to each write before it is made.
func (o *outbox) flush(yield bool) {
	if yield {
		runtime.Gosched()
	}
	if o.raw == nil {
		o.mu.Lock()
		o.starting = true
		o.mu.Unlock()
		o.cfg.drainers.Run(o)
		return
	}
	for c := o.take(); c != nil; c = o.take() {
		for c != nil {
			o.w, o.err = c.b, nil
			if err := o.raw.Write(o.try); err != nil {
				o.err = err
			}
			if o.err == nil && len(o.w) > 0 {
				o.unwrite(c)
				o.cfg.drainers.Run(o)
				return
			}
			c = o.wrote(c)
		}
		if yield {
			runtime.Gosched()
		}
	}
}

// unwrite puts back, in front of the queue, what the kernel did not take.
func (o *outbox) unwrite(c *chunk) {
	rest := len(o.w)
	c.b = c.b[len(c.b)-rest:]
	c.droppable = false // half a frame can't be left out
	o.w = nil
	last := c
	for last.next != nil {
		last = last.next
		rest += len(last.b)
	}
	o.mu.Lock()
	last.next = o.queue.head
	if o.queue.head == nil {
		o.queue.tail, o.queue.prev = last, nil
		for p := c; p != last; p = p.next {
			o.queue.prev = p
		}
	} else if o.queue.prev == nil {
		o.queue.prev = last
	}
	o.queue.head = c
	o.queue.n += rest
	o.mu.Unlock()
}

// drain is flush on a goroutine that may block.
func (o *outbox) drain() {
	for c := o.take(); c != nil; c = o.take() {
		for c != nil {
			o.w = c.b
			o.err = o.write()
			c = o.wrote(c)
		}
	}
}

const (
	slice = 256 << 10 // bytes that are written under one deadline, where a write can't go on after one
	looks = 4         // how many deadlines without progress make a write timeout
)

// write writes o.w with writes that may block.
func (o *outbox) write() error {
	idle := 0
	for len(o.w) > 0 {
		if err := o.renew(); err != nil {
			return err
		}
		n := len(o.w)
		if o.raw == nil {
			n = min(n, slice)
		}
		n, err := o.conn.Write(o.w[:n])
		o.w = o.w[n:]
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if idle++; n > 0 {
			idle = 0 // slow, perhaps, and yet it reads
		}
		if err != nil && (o.raw == nil || idle == looks) {
			return fmt.Errorf("%w for %v", ErrSlowReader, o.cfg.WriteTimeout)
		}
	}
	return nil
}

// renew gives the connection until the next look, unless it is at its end: the
// deadline of Close stands. What wraps a connection may not go on after a
// timeout, so there is only one look.
func (o *outbox) renew() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.streaming != nil && o.streaming.interrupted:
		return errInterrupted
	case o.closing:
		return nil
	case o.dead != nil:
		return o.dead
	case o.cfg.WriteTimeout <= 0:
		return nil
	}
	o.timed = true
	wait := o.cfg.WriteTimeout
	if o.raw != nil {
		wait /= looks
	}
	_ = o.conn.SetWriteDeadline(time.Now().Add(wait)) // fails only on a closed connection, as the write will
	return nil
}

// take takes what waits. With nothing, or on a dead connection, it ends the
// lead and returns nil; so it does when it gives the lead to an heir.
func (o *outbox) take() *chunk {
	o.mu.Lock()
	o.starting = false
	if o.bequeath() {
		o.mu.Unlock()
		return nil
	}
	c := o.queue.take()
	if o.dead != nil && !o.closing {
		free(c)
		c = nil
	}
	var last bool
	if c == nil {
		o.leading = false
		last = o.closing
		if o.timed && o.dead == nil { // else the next write, whenever it is, would be too late
			_ = o.conn.SetWriteDeadline(time.Time{})
			o.timed = false
		}
	} else {
		o.writes++
	}
	o.wake()
	o.mu.Unlock()
	if last {
		_ = o.conn.Close() // Close left this to the leader; its error says nothing any more
	}
	return c
}

// wake tells those who wait for room to look again. The mutex is held.
func (o *outbox) wake() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// wrote ends the writing of c and returns the next chunk to write.
func (o *outbox) wrote(c *chunk) *chunk {
	o.w = nil
	next := c.next
	putChunk(c)
	if o.err != nil {
		o.mu.Lock()
		o.failLocked(o.err)
		o.closing = false // what waits can't be sent any more
		o.mu.Unlock()
		_ = o.conn.Close() // ends the reader, which ends the session
		free(next)
		return nil
	}
	return next
}

func free(c *chunk) {
	for c != nil {
		next := c.next
		putChunk(c)
		c = next
	}
}

// failLocked makes every later put return err. The mutex is held.
func (o *outbox) failLocked(err error) {
	if o.dead == nil {
		o.dead = err
	}
	o.disinherit()
	o.wake()
}

// close lets nothing more be put. What waits is written, for at most linger;
// the connection is closed after that, by whoever writes.
func (o *outbox) close(linger time.Duration) error {
	o.mu.Lock()
	if o.closing {
		o.mu.Unlock()
		return nil
	}
	alive := o.dead == nil
	o.failLocked(net.ErrClosed)
	if alive && (o.leading || o.queue.n > 0) {
		o.closing = true
		lead := !o.leading || o.left // the flush delay may be longer
		o.leading, o.left = true, false
		_ = o.conn.SetWriteDeadline(time.Now().Add(linger))
		if o.streaming != nil {
			o.streaming.interrupt(o) // its caller is not held, what it has begun is
		}
		o.mu.Unlock()
		if lead {
			o.flush(false)
		}
		return nil
	}
	o.mu.Unlock()
	return o.conn.Close()
}
