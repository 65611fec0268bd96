package session

import (
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// One goroutine leads a connection: it reads messages and runs quick handlers
// itself, so that a message costs no hand-off and the replies to all that one
// read returned leave in one write. While it is in code of the user, turn is
// odd. If that takes too long, the watch makes turn even again and starts
// another goroutine to lead; the old one finds out when it leaves the user's
// code, sends what it has and ends.
type handoff struct {
	epoch     atomic.Uint64
	since     atomic.Int64 // when user code was entered, as of clock
	watched   atomic.Bool
	idleTicks int32  // of the watch: looks since n changed
	lastEpoch uint64 // of the watch: n at its last look
}

var clockStart = time.Now()

// clock is a monotonic time that is cheap to read.
func clock() time.Duration { return time.Since(clockStart) }

const (
	watchTick    = 500 * time.Microsecond
	maxUserCode  = 300 * time.Microsecond // in user code before another goroutine leads
	warmUp       = 8                      // messages a new leader leaves to workers, lest each hold it up in turn
	maxIdleTicks = 64                     // ticks without a message until a connection is no longer looked at
	maxUnflushed = 500 * time.Microsecond // how long a reply waits for those to the messages read with its own
)

// start begins to read messages.
func (c *conn) start() {
	c.setAge()
	c.idle.parked = true // most sessions of an event loop have nothing to say for long
	go c.readLoop(0)
}

// setAge puts the end of the session's age into the connection, where it costs
// nothing.
func (c *conn) setAge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ageEnd = 0
	if age := c.sess.SessionAge(); age > 0 {
		c.ageEnd = clock() + age
	}
	c.restoreDeadlineLocked()
}

// readLoop reads messages until the connection ends or another goroutine leads. It
// runs no handler of the first aside messages itself.
func (c *conn) readLoop(aside int) {
	var x *exchange                  // nil while there is nothing to read: idle sessions hold none
	var now time.Duration            // as of the end of the last handler; 0: stale
	var unflushedSince time.Duration // when the first reply that waits for a flush was made; 0: none
	ender, _ := c.sock.Proto().(proto.Ender)
	for ; ; aside-- {
		if !c.sock.Buffered() {
			if x != nil {
				putExchange(x)
				x = nil
			}
			now, unflushedSince = 0, 0
			if ender != nil && ender.Ended() {
				go c.end(io.EOF, nil)
				return
			}
			if err := c.wait(); err == errHandOver {
				c.handOver()
				return
			} else if err != nil {
				go c.end(err, nil)
				return
			}
		}
		if x == nil {
			x = getExchange(c)
		}
		if err := c.read(x); err != nil {
			go c.end(err, x)
			return
		}
		if ender != nil && x.in.Mtype() == message.TypeReply && ender.Ended() && c.sess.dial != nil {
			c.sess.onGoAway(c) // before the caller knows, who may call again at once
		}
		mine, leads := x.accept(&now, aside > 0)
		if mine {
			x.reset()
		} else {
			x = nil
		}
		if !leads {
			if x != nil {
				putExchange(x)
			}
			return
		}
		if unflushedSince == 0 {
			unflushedSince = now
		} else if now-unflushedSince > maxUnflushed {
			c.sock.StartFlush()
			unflushedSince = 0
		}
	}
}

func (c *conn) read(x *exchange) error {
	if h := c.sess.shared.Hooks.Load().preReadHeader; h != nil {
		if err := x.beforeHeader(h); err != nil {
			return err
		}
	}
	return c.sock.Read(&x.in)
}

// beforeHeader runs the hooks in front of a header.
func (x *exchange) beforeHeader(hooks []PreReadHeaderPlugin) (err error) {
	name := ""
	defer func() {
		if p := recover(); p != nil {
			err = &message.PanicError{Where: "plugin " + name, Value: p, Stack: debug.Stack()}
		}
	}()
	for _, hook := range hooks {
		name = hook.Name()
		if err := hook.PreReadHeader(x); err != nil {
			return err
		}
	}
	return nil
}

// accept deals with a message just read, here or on another goroutine. It
// reports whether the exchange is the caller's again, and whether the caller
// leads still.
func (x *exchange) accept(now *time.Duration, aside bool) (mine, leads bool) {
	c := x.conn
	mtype := x.in.Mtype()
	switch mtype {
	case message.TypeReply:
		return x.serveReply()
	case message.TypeCall:
		if x.in.ServiceMethod() == controlCaps && c.answerCaps(x) {
			return true, true
		}
	case message.TypePush:
		if isControl(x.in.ServiceMethod()) {
			c.control(x.in.ServiceMethod(), x.in.Seq())
			return true, true
		}
	case message.TypeStreamOpen, message.TypeStreamData, message.TypeStreamFull, message.TypeStreamEnd, message.TypeStreamCredit:
		kept, err := c.streamFrame(x)
		if err != nil {
			go c.end(err, nil)
			return true, false
		}
		return !kept, true
	default:
		go c.end(unexpected(x), nil)
		return true, false
	}
	h, _ := c.sess.shared.Routes.Dispatch(mtype == message.TypeCall, x.in.ServiceMethod())
	switch {
	case x.refused():
		return true, true
	case x.in.InTurn():
		*now = 0
		x.answerInOrder(h)
		return true, true
	case h != nil && !aside && !h.ordered && h.limit == 0 && h.pace.inline():
		return true, x.serveInline(h, now)
	}
	*now = 0
	if !c.awaitRoom() {
		if err := c.sock.Err(); err != nil { // nothing of what came before could be answered
			go c.end(err, nil)
			return true, false
		}
		x.refuse(message.CodeExhausted, errTooManyBytes)
		return true, true
	}
	bounded := h // by its limit alone; a backlog counts for itself
	if h.queues() {
		bounded = nil
	}
	if !c.admit(bounded, x) {
		x.refuse(message.CodeExhausted, errTooManyHandlers)
		return true, true
	}
	if x.refused() {
		c.unadmit(bounded, x.weight)
		return true, true
	}
	switch {
	case h.queues():
		h.backlog.enter(x, int(h.limit))
	case h != nil && h.ordered:
		c.serveOrdered(x)
	default:
		c.sess.shared.workers.Run(x)
	}
	return false, true
}

func unexpected(x *exchange) error {
	return &mtypeError{x.in.Mtype(), x.in.ServiceMethod()}
}

// end is called once, by the last leader. x, which may be nil, is what it was
// reading into.
func (c *conn) end(err error, x *exchange) {
	if isTimeout(err) {
		err = ErrAge
	}
	if dead := c.sock.Err(); dead != nil && !errors.Is(dead, net.ErrClosed) {
		err = dead // the writer knows better why
	}
	if abnormal(err) {
		c.sess.shared.Logger.Warn("connection ended", "session", c.sess.ID(), "remote", c.sock.Conn().RemoteAddr(), "err", err)
		c.linger(err, x)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		err = errConnClosed
	}
	c.sess.connDown(c, err)
}

// enterUserCode marks the leader as in user code since now.
func (c *conn) enterUserCode(now time.Duration) uint64 {
	c.handoff.since.Store(int64(now))
	n := c.handoff.epoch.Add(1)
	if !c.handoff.watched.Load() {
		c.sess.shared.watchdog.add(c)
	}
	return n
}

// exitUserCode reports whether the caller leads still.
func (c *conn) exitUserCode(n uint64) bool { return c.handoff.epoch.CompareAndSwap(n, n+1) }
