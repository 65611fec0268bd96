package session

import (
	"errors"
	"io"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

const (
	warmUp       = 8                      // messages that a goroutine which took over leaves to workers
	maxUnflushed = 500 * time.Microsecond // how long a reply waits for replies to messages that were read together
)

var errHookExited = errors.New("session: a hook ended the goroutine that reads (runtime.Goexit)")

// A readLoop is the turn of one goroutine at reading a connection. It reads
// messages and runs quick handlers itself, so that a message costs no hand-off and
// the replies to all messages of one read leave in one write. When it is stuck in
// user code, the watchdog lets another goroutine read on. The stuck one sees that
// when it leaves the user code, flushes its replies, and ends. This is the
// Leader/Followers pattern, with followers that are started on demand.
type readLoop struct {
	c      *conn
	x      *exchange // nil while there is nothing to read, so that idle sessions hold none
	ender  proto.Ender
	warmUp int // how many more messages are left to workers

	now            time.Duration // on clock, when the last handler ended; 0: stale
	unflushedSince time.Duration // on clock, since when a reply has waited for a flush; 0: none does

	turn   *turn // in user code; else nil
	inTurn bool  // handles a message that must be answered before the next is read
	done   bool  // the loop ended normally
}

// A turn is the time that a goroutine which reads spends in user code. It lies in the
// exchange, so that a readLoop, of which each session has one that waits, is nothing
// but a part of a stack.
type turn struct {
	c     *conn
	epoch uint64 // of the handoff
}

// read reads messages of c until the connection ends or another goroutine reads.
func read(c *conn, warmUp int) {
	l := readLoop{c: c, warmUp: warmUp}
	l.ender, _ = c.sock.Proto().(proto.Ender)
	defer l.exited()
	for l.next() {
		l.warmUp--
	}
	l.done = true
}

// next reads and handles one message. It reports whether the goroutine goes on
// reading.
func (l *readLoop) next() bool {
	c := l.c
	if !c.sock.Buffered() && !l.wait() {
		return false
	}
	if l.x == nil {
		l.x = getExchange(c, roleNone)
	}
	if err := l.read(); err != nil {
		go c.end(err, l.x)
		return false
	}
	if l.ender != nil && l.x.in.Mtype() == message.TypeReply && l.ender.Ended() && c.replaceable() {
		c.up.connLeaving(c) // before the caller learns of it: it may call again at once
	}
	out := l.accept()
	if out.keep {
		l.x.reset()
	} else {
		l.x = nil
	}
	if !out.read {
		l.putExchange()
		return false
	}
	switch {
	case l.unflushedSince == 0:
		l.unflushedSince = l.now
	case l.now-l.unflushedSince > maxUnflushed:
		c.sock.StartFlush()
		l.unflushedSince = 0
	}
	return true
}

// wait waits until there is something to read. It reports false if this goroutine
// must stop reading.
func (l *readLoop) wait() bool {
	c := l.c
	l.putExchange()
	l.now, l.unflushedSince = 0, 0
	if l.ender != nil && l.ender.Ended() {
		go c.end(io.EOF, nil)
		return false
	}
	switch err := c.reader.wait(c.sock, c.watch); err {
	case nil:
		return true
	case errHandOver:
		c.reader.handOver(c.sock, c.resume)
	default:
		go c.end(err, nil)
	}
	return false
}

func (l *readLoop) putExchange() {
	if l.x != nil {
		putExchange(l.x)
		l.x = nil
	}
}

func (l *readLoop) read() error {
	if hooks := l.c.shared.Hooks.Load().preReadHeader; hooks != nil {
		if err := l.beforeHeader(hooks); err != nil {
			return err
		}
	}
	return l.c.sock.Read(&l.x.in)
}

// enter marks the goroutine as in user code since now.
func (l *readLoop) enter(now time.Duration) {
	l.x.turn = turn{l.c, l.c.handoff.enter(now)}
	l.turn = &l.x.turn
	l.c.watch()
}

// handlerDone notes that the handler has returned.
func (t *turn) handlerDone() {
	if t.epoch&epochBits != epochHandling {
		return // it was called before
	}
	epoch, reads := t.c.handoff.handlerDone(t.epoch)
	if !reads {
		epoch = t.epoch - epochHandling + epochReplying
		t.c.places.workDone(&t.c.shared.places) // the watchdog has counted it, or does so now
	}
	t.epoch = epoch
}

// exit marks the goroutine as out of user code. It reports whether the goroutine
// still reads; if not, it gives back the places that the watchdog counted for it.
func (l *readLoop) exit() bool {
	epoch := l.turn.epoch
	l.turn = nil
	if l.c.handoff.exit(epoch) {
		return true
	}
	if epoch&epochBits == epochHandling { // it was in a hook of a reply, or no handler ran
		l.c.places.workDone(&l.c.shared.places)
	}
	l.c.uncountBlocked()
	return false
}

// exited makes another goroutine read on after user code has ended this one with
// runtime.Goexit.
func (l *readLoop) exited() {
	switch {
	case l.done:
	case l.turn != nil:
		if l.exit() {
			l.c.readOn()
		} else {
			l.c.sock.StartFlush()
		}
	case l.inTurn:
		l.x.slot.free()
		l.c.readOn()
	default:
		go l.c.end(errHookExited, nil)
	}
}
