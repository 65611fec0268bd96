package session

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// Besides calls, pushes and streams, the two sides of a connection tell each other
// who they are ([proof]), that a call is cancelled, that one of them shuts down
// ([goaway]), and why the connection ends. These small messages are queued as debts
// ([debts]), so that no goroutine waits for room to send them.

// offerProof decides whether the next call of the connection, whose message is m,
// carries the offer, and prepares the call table for it. It must be called before
// the call gets its number.
func (c *conn) offerProof(m *message.Message) bool {
	if m.Meta().RawLen() > 0 || m.Meta().Len() > 0 {
		m.Meta().Del(metaHello) // left from another connection, or of another sender
	}
	if c.proof.peek().settled() || !c.replaceable() && m.Meta().Peek(MetaTimeout) == nil {
		return false
	}
	if !c.proof.get().begin() {
		c.proof.get().await(m.Context())
		return false
	}
	c.pending.get().Jump(drawSeq())
	return true
}

// acceptOffer says hello to a call that proves its caller.
func (c *conn) acceptOffer(m *message.Message) {
	if c.proof.peek().offers(m) {
		c.proven(m.Seq())
	}
}

// proven records that the other side is proven. hello is the number of the call to
// say hello to; 0 if this side made the call.
func (c *conn) proven(hello int32) {
	cancels, first := c.proof.get().give()
	if first && hello != 0 {
		c.owe(debt{what: debtHello, seq: hello})
	}
	for _, seq := range cancels {
		c.owe(debt{what: debtCancel, seq: seq})
	}
}

// control handles a control message. It ignores unknown messages, which later
// versions may send, and those of a side that is not proven.
func (c *conn) control(m *message.Message) {
	method, seq := m.ServiceMethod(), m.Seq()
	if method == controlHello {
		if c.proof.peek().answers(seq) && namesSeq(m.Meta().Peek(metaHello), seq) {
			c.proven(0)
		}
		return
	}
	if !c.proof.peek().given() {
		return
	}
	switch method {
	case controlCancel:
		c.deadlines.peek().cancel(seq)
	case controlGoAway:
		c.up.connLeaving(c)
	case controlBye:
		c.goaway.local.move(localTold, localAcknowledged)
	case controlDrain:
		c.streams.Load().drainOne(seq)
	case controlEnd:
		if why, ok := parseEnd(m.Meta().Get(metaEnd)); ok {
			c.closedBy.Store(why)
			go c.up.connEnded(c, why) // it runs disconnect hooks
		}
	}
}

// cancelRemote tells the other side that the call is cancelled: at once or, if its
// hello has not arrived, when it does.
func (c *conn) cancelRemote(seq int32) {
	if c.proof.get().cancel(seq) {
		c.owe(debt{what: debtCancel, seq: seq})
	}
}

// owe sends a small message, now or as soon as there is room for it. If too many
// are owed because the other side does not read, the connection ends.
func (c *conn) owe(d debt) {
	if !c.debts.get().owe(d, c) {
		go c.up.connDown(c, socket.ErrSlowReader)
	}
}

// settle implements [payer]. It sends the message from the reserve of the queue.
func (c *conn) settle(d debt) bool {
	x := getExchange(c, roleOutgoing)
	defer putExchange(x)
	m := &x.out
	d.fill(m)
	flush := socket.FlushAsync
	if m.Mtype() == message.TypeReply {
		flush = socket.FlushLater
	}
	if d.what == debtRefusal {
		c.proof.peek().markRefused(m)
	}
	err := c.sock.Send(m, socket.Reserved, flush)
	if unpackable(m, err) && d.what == debtStreamEnd {
		c.replaceEnd(m, err)
		err = c.sock.Send(m, socket.Reserved, flush)
	}
	switch {
	case err == nil:
	case isFull(err):
		return false
	default: // the connection is gone
		c.log(slog.LevelDebug, "message not sent", slog.String("type", message.TypeText(m.Mtype())), slog.String("method", m.ServiceMethod()), errAttr(err))
	}
	return true
}

// whenRoom implements [payer].
func (c *conn) whenRoom(f func()) bool { return c.sock.NotifyRoom(f) }

// flush implements [payer].
func (c *conn) flush() { c.sock.StartFlush() }

// drain makes the connection serve no new calls, tells the other side if it
// understands that, and checks whether the connection is done. It is called
// repeatedly. A connection that holds a call is ended once nothing else is at work
// on it. idle reports that no handler works for it. quiet reports that its replies
// are written, too, and nothing more is expected from the other side.
func (c *conn) drain() (idle, quiet bool) {
	g := &c.goaway
	if g.local.move(localServing, localDraining) {
		c.streams.Load().drain()
	}
	if c.proof.peek().given() && g.local.move(localDraining, localTold) {
		c.owe(debt{what: debtGoAway})
	}
	q := g.quiescence(c.opened)
	l := drainLook{busy: c.busy()} // first: of a handler that ends later, the reply may not be queued yet
	l.silent = q.look(clock(), l.busy, c.sock.Stats().MessagesIn)
	l.closed, l.flushed, l.proven = c.isClosed(), c.sock.Flushed(), c.proof.peek().given()
	idle, quiet, end := g.decide(l)
	if end {
		go c.sess.End(ErrShutdown) // it runs hooks
	} else {
		c.refuseHeld(q.overdue(clock()))
	}
	return idle, quiet
}

// refuseHeld refuses calls that were held for long enough.
func (c *conn) refuseHeld(calls []heldCall) {
	if len(calls) == 0 {
		return
	}
	for _, call := range calls {
		c.owe(debt{what: debtRefusal, code: message.CodeShuttingDown, seq: call.seq, cause: ErrShutdown})
	}
	c.sock.StartFlush()
}

// leave stops new calls over the connection, because its other side shuts down.
// Calls in flight go on.
func (c *conn) leave() {
	c.pending.get().Stop()
	c.goaway.remote.move(remoteServing, remoteLeaving)
	c.streams.Load().stop()
	c.streams.Load().drain()
	c.closeIfDone()
}

// closeIfDone ends a connection whose other side shuts down or sends no more, once
// nothing is at work on it. It is called whenever a call or a handler has ended.
func (c *conn) closeIfDone() {
	state := c.goaway.remote.state()
	switch state {
	case remoteServing, remoteFinished:
		return
	}
	if c.pending.peek().Len() > 0 || c.busy() || !c.goaway.remote.move(state, remoteFinished) {
		return
	}
	switch {
	case state == remoteHalfClosed:
		go c.endHalfClosed()
	case c.replaceable():
		go c.close(nil)
	default:
		c.owe(debt{what: debtBye})
	}
}

// halfClose lets the handlers at work finish after the other side has closed its
// sending direction. It reports false if the connection ends instead.
func (c *conn) halfClose() bool {
	if c.replaceable() || c.proof.peek().given() || !c.busy() || !halfCloses(c.sock.Conn()) {
		return false
	}
	if !c.goaway.remote.move(remoteServing, remoteHalfClosed) {
		return false
	}
	c.endCalls(errConnClosed)
	c.streams.Load().endReceiving()
	watch := stallWatch{
		longest:  maxHalfClosed,
		progress: func() uint64 { return c.sock.Moved() - uint64(c.places.working.Load()) }, // no more begin to work
		over:     func() bool { return c.goaway.remote.state() != remoteHalfClosed || c.isClosed() },
		stalled:  func() { c.up.connDown(c, errConnClosed) },
	}
	watch.start()
	c.closeIfDone() // the last handler may have ended meanwhile
	return true
}

// endHalfClosed ends the connection when all replies are written. The write
// timeout bounds that.
func (c *conn) endHalfClosed() {
	ctx := c.context()
	for c.sock.Flush(ctx) == nil && !c.debts.peek().empty() {
		backoff.Sleep(ctx, time.Millisecond) // debts are queued as soon as there is room
	}
	c.up.connDown(c, errConnClosed)
}

// sayEnd tells the other side why the connection is about to be closed.
func (c *conn) sayEnd(why *ClosedError) {
	t, tells := c.sock.Conn().(tellingConn)
	proven := c.proof.peek().given()
	if !tells && !proven {
		return
	}
	st := c.shared.told(c.sess.Printer, why.Status)
	if proven {
		c.owe(debt{what: debtEnd, text: endText(st, why.Reconnect)})
	}
	if tells {
		t.SayClose(st.Code(), reasonText(st), why.Reconnect)
	}
}

// sayRefused is sayEnd for a connection that the connect hooks have refused. The other
// side may have got st already. A client that is refused for good is told not to
// reconnect.
func (c *conn) sayRefused(st *message.Status) {
	if t, ok := c.sock.Conn().(tellingConn); ok {
		forGood := st.Code() == message.CodeUnauthorized || st.Code() == codeForbidden
		t.SayClose(st.Code(), st.Msg(), !forGood) // without the cause, which must not leave this side
	}
}

// end is called once, by the last goroutine that reads. x, which may be nil, is
// the exchange that it was reading into.
func (c *conn) end(err error, x *exchange) {
	if isTimeout(err) && c.reader.aged(clock()) {
		err = ErrAge
	}
	if dead := c.sock.Err(); dead != nil && !errors.Is(dead, net.ErrClosed) {
		err = dead // the error of the writer is more precise
	}
	why := c.closedBy.Load()
	if why == nil {
		why = closeReasonOf(err)
	}
	if why != nil {
		c.up.connEnded(c, why)
		c.up.connDown(c, why) // closes c if the session has another connection
		return
	}
	if abnormal(err) {
		if missed, ok := c.shared.errorLog.ends.Allow(time.Now()); ok {
			c.log(slog.LevelWarn, "connection ended", errAttr(err), slog.Int("left_out", missed))
		}
		if c.sayWhy(err, x) {
			linger(c.sock.Conn(), c.sock.SetReadDeadline)
		}
	}
	if errors.Is(err, io.EOF) && c.halfClose() {
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		err = errConnClosed
	}
	c.up.connDown(c, err)
}

// sayWhy tells the other side why the connection ends, if the protocol allows
// that. x is the message that could not be read. It reports whether it did.
func (c *conn) sayWhy(err error, x *exchange) bool {
	if r, ok := c.sock.Proto().(proto.Refuser); ok {
		c.sock.SendLast(r.AppendRefusal(nil, err))
		return true
	}
	c.awaitID(err, x)
	if x == nil || x.in.Mtype() != message.TypeCall || !errors.Is(err, proto.ErrTooLarge) {
		return false
	}
	x.refuse(message.CodeTooLarge, proto.ErrTooLarge)
	c.sock.StartFlush()
	return true
}

// awaitID waits a moment for the bytes that identify the message that err refuses,
// if only its length has arrived.
func (c *conn) awaitID(err error, x *exchange) {
	if x == nil || !errors.Is(err, proto.ErrEarly) {
		return
	}
	_ = c.sock.SetReadDeadline(time.Now().Add(lingerIdle)) // fails only on a closed connection; the next read reports that
	for errors.Is(err, proto.ErrEarly) {
		err = c.sock.ReadOn(&x.in)
	}
}
