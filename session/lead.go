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
type turn struct {
	n       atomic.Uint64
	since   atomic.Int64 // when user code was entered, as of clock
	watched atomic.Bool
	still   int32  // of the watch: looks since n changed
	seen    uint64 // of the watch: n at its last look
}

var epoch = time.Now()

// clock is a monotonic time that is cheap to read.
func clock() time.Duration { return time.Since(epoch) }

const (
	tick        = 500 * time.Microsecond
	patience    = 300 * time.Microsecond // in user code before another goroutine leads
	wary        = 8                      // messages a new leader leaves to workers, lest each hold it up in turn
	retired     = 64                     // ticks without a message until a connection is no longer looked at
	holdReplies = 500 * time.Microsecond // how long a reply waits for those to the messages read with its own
)

// start begins to read messages.
func (l *link) start() {
	l.setAge()
	l.repose.drowsy = true // most sessions of an event loop have nothing to say for long
	go l.lead(0)
}

// setAge puts the end of the session's age into the connection, where it costs
// nothing.
func (l *link) setAge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ageEnd = 0
	if age := l.conn.SessionAge(); age > 0 {
		l.ageEnd = clock() + age
	}
	l.restoreDeadlineLocked()
}

// lead reads messages until the connection ends or another goroutine leads. It
// runs no handler of the first aside messages itself.
func (l *link) lead(aside int) {
	var x *exchange        // nil while there is nothing to read: idle sessions hold none
	var now time.Duration  // as of the end of the last handler; 0: stale
	var held time.Duration // when the first reply that waits for a flush was made; 0: none
	ender, _ := l.sock.Proto().(proto.Ender)
	for ; ; aside-- {
		if !l.sock.Buffered() {
			if x != nil {
				putExchange(x)
				x = nil
			}
			now, held = 0, 0
			if ender != nil && ender.Ended() {
				go l.end(io.EOF, nil)
				return
			}
			if err := l.wait(); err == errRest {
				l.sleep()
				return
			} else if err != nil {
				go l.end(err, nil)
				return
			}
		}
		if x == nil {
			x = getExchange(l)
		}
		if err := l.read(x); err != nil {
			go l.end(err, x)
			return
		}
		if ender != nil && x.in.Mtype() == message.TypeReply && ender.Ended() && l.conn.dial != nil {
			l.conn.retire(l) // before the caller knows, who may call again at once
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
		if held == 0 {
			held = now
		} else if now-held > holdReplies {
			l.sock.Flush()
			held = 0
		}
	}
}

func (l *link) read(x *exchange) error {
	if h := l.conn.cfg.Hooks.Load().preReadHeader; h != nil {
		if err := x.beforeHeader(h); err != nil {
			return err
		}
	}
	return l.sock.Read(&x.in)
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
	l := x.link
	mtype := x.in.Mtype()
	switch mtype {
	case message.TypeReply:
		return x.serveReply()
	case message.TypeCall:
	case message.TypePush:
		if isControl(x.in.ServiceMethod()) {
			l.control(x.in.ServiceMethod(), x.in.Seq())
			return true, true
		}
	default:
		go l.end(unexpected(x), nil)
		return true, false
	}
	h, _ := l.conn.cfg.Routes.Dispatch(mtype == message.TypeCall, x.in.ServiceMethod())
	switch {
	case x.refused():
		return true, true
	case x.in.InTurn():
		*now = 0
		x.serveInTurn(h)
		return true, true
	case h != nil && !aside && !h.ordered && h.limit == 0 && h.pace.inline():
		return true, x.serveInline(h, now)
	}
	*now = 0
	if !l.awaitRoom() {
		if err := l.sock.Err(); err != nil { // nothing of what came before could be answered
			go l.end(err, nil)
			return true, false
		}
		x.refuse(message.CodeExhausted, errTooManyBytes)
		return true, true
	}
	bounded := h // by its limit alone; a backlog counts for itself
	if h.queues() {
		bounded = nil
	}
	if !l.admit(bounded, x) {
		x.refuse(message.CodeExhausted, errTooManyHandlers)
		return true, true
	}
	if x.refused() {
		l.unadmit(bounded, x.weight)
		return true, true
	}
	switch {
	case h.queues():
		h.backlog.enter(x, int(h.limit))
	case h != nil && h.ordered:
		l.serveOrdered(x)
	default:
		l.conn.cfg.workers.Run(x)
	}
	return false, true
}

func unexpected(x *exchange) error {
	return &mtypeError{x.in.Mtype(), x.in.ServiceMethod()}
}

// end is called once, by the last leader. x, which may be nil, is what it was
// reading into.
func (l *link) end(err error, x *exchange) {
	if isTimeout(err) {
		err = ErrAge
	}
	if dead := l.sock.Err(); dead != nil && !errors.Is(dead, net.ErrClosed) {
		err = dead // the writer knows better why
	}
	if abnormal(err) {
		l.conn.cfg.Logger.Warn("connection ended", "session", l.conn.ID(), "remote", l.sock.Conn().RemoteAddr(), "err", err)
		l.sayWhy(err, x)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		err = errConnClosed
	}
	l.conn.linkDown(l, err)
}

// enter marks the leader as in user code since now.
func (l *link) enter(now time.Duration) uint64 {
	l.turn.since.Store(int64(now))
	n := l.turn.n.Add(1)
	if !l.turn.watched.Load() {
		l.conn.cfg.watch.add(l)
	}
	return n
}

// leave reports whether the caller leads still.
func (l *link) leave(n uint64) bool { return l.turn.n.CompareAndSwap(n, n+1) }
